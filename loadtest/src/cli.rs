//! The command line.

use std::{fs, time::Duration};

use bytes::Bytes;
use clap::{Args, Parser, Subcommand};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::{
    compare::CompareArgs,
    exit,
    plan::PlanArgs,
    reporting::ReportingArgs,
    schedule::Schedule,
    settings::{Body, Settings},
    slo,
    units::{Rate, parse_duration},
};

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
    #[arg(long, value_name = "http://HOST:PORT/PATH", value_parser = parse_http_url)]
    publish: Uri,

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

    /// What to publish: JSON, or a file with JSON [default: a numbered book order]
    #[arg(long, value_name = "JSON|FILE", value_parser = parse_body)]
    body: Option<Body>,

    /// A header of every publish, such as 'authorization: Bearer t'; repeatable
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = parse_header)]
    headers: Vec<(HeaderName, HeaderValue)>,

    /// How long to wait, after the last publish, for what is missing
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    drain_timeout: Duration,

    /// Where the report goes
    #[command(flatten)]
    pub reporting: ReportingArgs,
}

impl From<RunArgs> for Settings {
    fn from(args: RunArgs) -> Self {
        const DEFAULT_DURATION: Duration = Duration::from_secs(10);
        let lasting = || args.duration.unwrap_or(DEFAULT_DURATION);
        let schedule = match args.notifications {
            Some(sends) => Schedule::counting(args.rate, sends),
            None => Schedule::lasting(args.rate, lasting()),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in args.headers {
            headers.append(name, value);
        }
        Self {
            ws: args.ws,
            publish: args.publish,
            subscribers: args.connections,
            ramp: args.ramp,
            schedule,
            body: args.body.unwrap_or(Body::BookOrder),
            headers,
            drain_timeout: args.drain_timeout,
        }
    }
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
    parse_url(text, "ws", "ws://127.0.0.1:3001/prod")
}

fn parse_http_url(text: &str) -> Result<Uri, String> {
    parse_url(text, "http", "http://127.0.0.1:3000/orders")
}

fn parse_url(text: &str, scheme: &str, example: &str) -> Result<Uri, String> {
    let url = text.parse::<Uri>().ok();
    let is_right = |url: &Uri| {
        url.scheme_str() == Some(scheme) && url.host().is_some_and(|host| !host.is_empty())
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

fn parse_body(text: &str) -> Result<Body, String> {
    let is_inline = text.trim_start().starts_with(['{', '[', '"']);
    let json = if is_inline {
        text.as_bytes().to_vec()
    } else {
        fs::read(text)
            .map_err(|error| format!("expected JSON or a file that can be read: {error}"))?
    };
    serde_json::from_slice::<serde::de::IgnoredAny>(&json)
        .map_err(|error| format!("expected JSON: {error}"))?;
    Ok(Body::Fixed(Bytes::from(json)))
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
