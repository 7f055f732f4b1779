//! The command line.

use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

pub use self::error::ArgsError;
use self::{publishing::PublishingArgs, subscribing::SubscribingArgs, tls::TlsArgs};
use crate::{
    compare::CompareArgs,
    exit,
    mark::RunId,
    merge::MergeArgs,
    plan::PlanArgs,
    reporting::ReportingArgs,
    schedule::Schedule,
    settings::Settings,
    simulated::MAX_NOTIFICATIONS,
    slo,
    units::{Rate, parse_duration},
};

mod error;
mod publishing;
mod subscribing;
mod tls;

/// Opens WebSocket subscribers, publishes notifications, and measures how many
/// arrive, and how fast.
#[derive(Debug, Parser)]
#[command(version, after_help = exit::HELP)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs one load test and reports it
    #[command(after_help = format!("{}\n\n{}", slo::HELP, exit::HELP))]
    Run(Box<RunArgs>),

    /// Puts the logs of several processes of one run together and reports them
    #[command(after_help = format!("{}\n\n{}", slo::HELP, exit::HELP))]
    Merge(MergeArgs),

    /// Compares two reports written with --output-format json
    Compare(CompareArgs),

    /// Says what an audience takes on AWS: how long, and what it costs a month
    Plan(PlanArgs),
}

/// The options of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Where subscribers connect
    #[arg(long, value_name = "ws://HOST:PORT/PATH", value_parser = parse_ws_url)]
    ws: Uri,

    /// Where notifications are posted
    #[arg(long, value_name = "http://HOST:PORT/PATH", value_parser = parse_http_url,
        required_unless_present = "listen_only")]
    publish: Option<Uri>,

    /// How many subscribers to open
    #[arg(short = 'c', long, value_name = "N", default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,

    /// How fast to open them; API Gateway's own quota is 500/s
    #[arg(long, value_name = "RATE", default_value = "500/s")]
    ramp: Rate,

    /// How fast to publish, such as 2, 2/s or 30/m, whatever the answers
    #[arg(short = 'q', long, value_name = "RATE", default_value = "1/s")]
    rate: Rate,

    /// How long to publish, such as 10s or 5m [default: 10s]
    #[arg(short = 'z', long, value_name = "TIME", conflicts_with = "notifications",
        value_parser = parse_positive_duration)]
    duration: Option<Duration>,

    /// How many notifications to publish, in place of -z
    #[arg(short = 'n', long, value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..))]
    notifications: Option<u64>,

    /// How long to wait, after the last publish, for what is missing
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    drain_timeout: Duration,

    /// How long to wait between the last connect and the first publish
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration)]
    settle: Duration,

    #[command(flatten)]
    publishing: PublishingArgs,

    #[command(flatten)]
    subscribing: SubscribingArgs,

    #[command(flatten)]
    tls: TlsArgs,

    /// Publish nothing: another process of this machine does; listen for -z
    #[arg(long, help_heading = PROCESSES, conflicts_with_all = ["publish", "notifications"])]
    listen_only: bool,

    /// The run's id, to tell several processes of one run by [default: random, or the first heard]
    #[arg(long, help_heading = PROCESSES, value_name = "8 HEX DIGITS")]
    run_id: Option<RunId>,

    /// Where the report goes
    #[command(flatten)]
    pub reporting: ReportingArgs,
}

const PROCESSES: &str = "Several processes of one run";

impl TryFrom<RunArgs> for Settings {
    type Error = ArgsError;

    fn try_from(args: RunArgs) -> Result<Self, ArgsError> {
        const DEFAULT_DURATION: Duration = Duration::from_secs(10);
        let lasting = || args.duration.unwrap_or(DEFAULT_DURATION);
        let schedule = match args.notifications {
            Some(sends) => Schedule::counting(args.rate, sends),
            None => Schedule::lasting(args.rate, lasting()),
        };
        let (slow_readers, sources, simulated) = (
            args.subscribing.slow_readers(args.connections),
            args.subscribing.sources.clone(),
            args.subscribing.simulated.clone(),
        );
        if simulated.is_some() && schedule.sends() > MAX_NOTIFICATIONS {
            return Err(ArgsError::TooManyToSimulate);
        }
        let churn = args.subscribing.churn;
        let handshake = args.subscribing.handshake()?;
        let topics = handshake.topics.as_ref();
        Ok(Self {
            subscribers: args.connections,
            ramp: args.ramp,
            schedule,
            body: args.publishing.body(args.publish.as_ref(), topics)?,
            headers: args.publishing.headers(),
            drain_timeout: args.drain_timeout,
            identity: args.publishing.identity(),
            handshake,
            sources,
            trust: args.tls.trust(),
            churn,
            slow_readers,
            settle: args.settle,
            simulated,
            run: args.run_id,
            ..Self::new(args.ws, args.publish)
        })
    }
}

fn collected(headers: &[(HeaderName, HeaderValue)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name, value.clone());
    }
    map
}

/// What clap has to say about a wrong command line, in one line.
#[must_use]
pub fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let lines = text.lines().map(str::trim);
    let first_paragraph: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    first_paragraph.join(" ")
}

fn parse_ws_url(text: &str) -> Result<Uri, String> {
    parse_url(text, ["ws", "wss"], "ws://127.0.0.1:3001/prod")
}

fn parse_http_url(text: &str) -> Result<Uri, String> {
    parse_url(text, ["http", "https"], "http://127.0.0.1:3000/orders")
}

fn parse_url(text: &str, schemes: [&str; 2], example: &str) -> Result<Uri, String> {
    let url = text.parse::<Uri>().ok();
    let is_right = |url: &Uri| {
        url.scheme_str()
            .is_some_and(|scheme| schemes.contains(&scheme))
            && url.host().is_some_and(|host| !host.is_empty())
    };
    url.filter(is_right)
        .ok_or_else(|| format!("expected a URL such as {example}, got \"{text}\""))
}

fn parse_positive_duration(text: &str) -> Result<Duration, String> {
    let span = parse_duration(text).map_err(|error| error.to_string())?;
    if span.is_zero() {
        return Err(format!("expected a time above zero, got \"{text}\""));
    }
    Ok(span)
}

fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let header = || {
        let (name, value) = text.split_once(':')?;
        Some((
            name.trim().parse::<HeaderName>().ok()?,
            HeaderValue::from_str(value.trim()).ok()?,
        ))
    };
    header().ok_or_else(|| "expected a header such as 'name: value'".to_owned())
}

#[cfg(test)]
mod tests;
