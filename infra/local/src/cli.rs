//! The command line.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use fanout_local_faults::{FaultPlan, KINDS};
use jiff::SignedDuration;

/// What tokens are signed with unless another secret is given: known to
/// everybody, like everything about a stack on one's own machine.
const DEVELOPMENT_SECRET: &str = "fanout-local development secret, not for use elsewhere";
/// As short as the functions accept (RFC 7518, section 3.2).
const MIN_SECRET_BYTES: usize = 32;
const MAX_CONNECTION_DURATION: Duration = Duration::from_hours(23);
/// Lambda's own range.
const MIN_WORKER_TIMEOUT: Duration = Duration::from_secs(1);
const MAX_WORKER_TIMEOUT: Duration = Duration::from_mins(15);

/// Runs the notification fan-out pipeline on this machine: no account, nothing
/// else to install.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) options: Options,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs one function; the stack starts itself so.
    #[command(hide = true)]
    Function {
        /// The function's name.
        name: String,
    },
    /// Prints a token for a stack with --auth
    Token(TokenOptions),
    /// Measures how long functions that were built for Lambda take to start
    ColdStart(ColdStartOptions),
}

/// What to start, and how often.
#[derive(Clone, Debug, Args)]
pub(crate) struct ColdStartOptions {
    /// Where the functions are, as "cargo lambda build" leaves them
    #[arg(value_name = "DIR", default_value = "target/lambda")]
    pub(crate) directory: PathBuf,
    /// How often each is started
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(crate) starts: u16,
}

/// Whom a token is for and what it allows.
#[derive(Clone, Debug, Args)]
pub(crate) struct TokenOptions {
    /// Whom it is for
    #[arg(long, value_name = "USER", value_parser = id)]
    pub(crate) user: String,
    /// The user's organisation
    #[arg(long, value_name = "ORG", value_parser = id)]
    pub(crate) org: Option<String>,
    /// The topics that it allows to choose, such as news,stocks/*; empty for
    /// none [default: all]
    #[arg(long, value_name = "TOPICS", value_delimiter = ',', num_args = 0..=1)]
    pub(crate) topics: Option<Vec<String>>,
    /// What it allows besides, separated by blanks; publishers need "publish"
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Option<String>,
    /// How long it is valid
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub(crate) ttl: Duration,
    /// The secret that the stack was started with
    #[arg(long, value_name = "SECRET", default_value = DEVELOPMENT_SECRET, value_parser = secret, hide_default_value = true)]
    pub(crate) auth_secret: String,
}

/// How the stack runs.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Where publishers POST; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
    pub(crate) http: SocketAddr,
    /// Where subscribers connect; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3001")]
    pub(crate) ws: SocketAddr,
    /// The WebSocket API's stage, the path that subscribers connect to
    #[arg(long, default_value = "prod", value_parser = stage)]
    pub(crate) stage: String,
    /// Keep the tables in this directory [default: in memory]. Queues are
    /// always in memory
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Write what scripts must know to this file once the stack is ready, in the
    /// shape of `cdk deploy --outputs-file`; it is removed at the end
    #[arg(long, value_name = "FILE")]
    pub(crate) outputs_file: Option<PathBuf>,

    /// Ask subscribers and publishers for a token: see "fanout-local token"
    #[arg(long, help_heading = "Authentication")]
    pub(crate) auth: bool,
    /// The secret that tokens are signed with [default: one that everybody
    /// knows]
    #[arg(long, value_name = "SECRET", requires = "auth", default_value = DEVELOPMENT_SECRET, value_parser = secret, hide_default_value = true, help_heading = "Authentication")]
    pub(crate) auth_secret: String,

    /// Requests a second that the account allows: POSTs, messages and pushes
    /// together, or "unlimited"
    #[arg(
        long,
        value_name = "RATE",
        default_value = "10000",
        help_heading = "Quotas"
    )]
    pub(crate) account_rate: Limit,
    /// Requests that the account allows at once
    #[arg(
        long,
        value_name = "REQUESTS",
        default_value = "5000",
        help_heading = "Quotas"
    )]
    pub(crate) account_burst: NonZeroU32,
    /// New connections a second, or "unlimited"
    #[arg(
        long,
        value_name = "RATE",
        default_value = "500",
        help_heading = "Quotas"
    )]
    pub(crate) connect_rate: Limit,
    /// Close sockets that are idle for so long
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration, help_heading = "Quotas")]
    pub(crate) idle_timeout: Duration,
    /// Close sockets that are open for so long
    #[arg(long, value_name = "TIME", default_value = "2h", value_parser = connection_duration, help_heading = "Quotas")]
    pub(crate) max_connection_duration: Duration,
    /// Let so many sockets be open and refuse more [default: what the limit of
    /// open files allows]
    #[arg(long, value_name = "N", help_heading = "Quotas")]
    pub(crate) max_sockets: Option<u64>,

    /// Beside the sockets hold so many simulated subscribers: rows in the table
    /// that take their pushes on the wire, but hold no socket. What they took is
    /// told at /_local/simulated
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=10_000_000), help_heading = "Quotas")]
    pub(crate) simulated: u32,

    /// Workers at once on notifications
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u16).range(1..=16), help_heading = "Workers")]
    pub(crate) worker_concurrency: u16,
    /// Workers at once on slices of large audiences
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u16).range(1..=16), help_heading = "Workers")]
    pub(crate) slice_worker_concurrency: u16,
    /// The part of the account's rate and burst that is for workers on
    /// notifications; those on slices get the rest
    #[arg(long, value_name = "PERCENT", default_value = "20", value_parser = clap::value_parser!(u8).range(1..=99), help_heading = "Workers")]
    pub(crate) notifications_share: u8,
    /// How long one invocation of a worker may take
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = worker_timeout, help_heading = "Workers")]
    pub(crate) worker_timeout: Duration,
    /// How long a task is hidden while a worker is at it [default: six times
    /// the worker's timeout]
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Workers")]
    pub(crate) visibility_timeout: Option<Duration>,
    /// An audience of at most so many is finished by the worker that took the
    /// notification; a larger one is cut into slices [default: what one worker
    /// may push at once]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=2_000), help_heading = "Workers")]
    pub(crate) small_audience: Option<u32>,
    /// Settings for the functions, as on AWS; may be repeated
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable, help_heading = "Workers")]
    pub(crate) variables: Vec<(String, String)>,
    /// Run the functions' own programs from this directory, DIR/NAME or
    /// DIR/NAME/bootstrap or, packed, DIR/NAME/bootstrap.zip, in place of the
    /// ones built in
    #[arg(long, value_name = "DIR", help_heading = "Workers")]
    pub(crate) functions: Option<PathBuf>,

    /// What goes wrong and how often, such as throttle=5%,slow-call=1%:200ms
    #[arg(long, value_name = "PLAN", default_value = "", value_parser = plan, help_heading = "Faults", long_help = plan_help())]
    pub(crate) faults: String,
    /// Which calls the faults strike
    #[arg(
        long,
        value_name = "SEED",
        default_value = "0",
        help_heading = "Faults"
    )]
    pub(crate) fault_seed: u64,

    /// What is logged to stderr, by the stack and by the functions: a level, or
    /// a filter such as `info,fanout_core=debug`
    #[arg(long, value_name = "FILTER", default_value = "warn")]
    pub(crate) log: String,
}

/// A rate, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    PerSecond(NonZeroU32),
    Unlimited,
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "unlimited" {
            return Ok(Self::Unlimited);
        }
        text.parse().map(Self::PerSecond).map_err(|_| {
            "expected a positive whole number of requests a second, or \"unlimited\"".to_owned()
        })
    }
}

impl Options {
    /// The options of a stack that asks for tokens, all others as they are
    /// unless something is said.
    ///
    /// # Errors
    /// None: the arguments are among the known ones.
    pub(crate) fn with_auth() -> Result<Self, clap::Error> {
        let arguments = Arguments::try_parse_from(["fanout-local", "--auth"])?;
        Ok(arguments.options)
    }

    /// The faults to inject.
    pub(crate) fn fault_plan(&self) -> FaultPlan {
        // Checked when the arguments were parsed.
        FaultPlan::parse(&self.faults, self.fault_seed).unwrap_or_default()
    }

    /// Whether tokens are signed with a secret that was given.
    pub(crate) fn has_own_secret(&self) -> bool {
        self.auth_secret != DEVELOPMENT_SECRET
    }

    /// How long a task is hidden while a worker is at it.
    pub(crate) fn visibility(&self) -> Duration {
        self.visibility_timeout.unwrap_or(self.worker_timeout * 6)
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let expected = || "expected a time such as 500ms, 30s, 10m or 2h".to_owned();
    let span: SignedDuration = text.parse().map_err(|_| expected())?;
    let span = Duration::try_from(span).map_err(|_| expected())?;
    if span.is_zero() {
        Err(expected())
    } else {
        Ok(span)
    }
}

/// A row of the connections table outlives its socket, and may live for a day.
fn connection_duration(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration > MAX_CONNECTION_DURATION {
        return Err("expected at most 23h".to_owned());
    }
    Ok(duration)
}

/// A worker needs a part of its time to write down what it has done.
fn worker_timeout(text: &str) -> Result<Duration, String> {
    let timeout = duration(text)?;
    if (MIN_WORKER_TIMEOUT..=MAX_WORKER_TIMEOUT).contains(&timeout) {
        Ok(timeout)
    } else {
        Err("expected a time from 1s to 15m".to_owned())
    }
}

/// Source: <https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-stages.html>
fn stage(text: &str) -> Result<String, String> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if (1..=128).contains(&text.len()) && text.chars().all(is_allowed) {
        Ok(text.to_owned())
    } else {
        Err("expected 1 to 128 letters, digits, - and _".to_owned())
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// What a user or an organisation may be called.
fn id(text: &str) -> Result<String, String> {
    let is_id = (1..=255).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if is_id {
        Ok(text.to_owned())
    } else {
        Err("expected 1 to 255 characters".to_owned())
    }
}

fn secret(text: &str) -> Result<String, String> {
    if text.len() >= MIN_SECRET_BYTES {
        Ok(text.to_owned())
    } else {
        Err(format!("expected at least {MIN_SECRET_BYTES} bytes"))
    }
}

fn plan(text: &str) -> Result<String, String> {
    match FaultPlan::parse(text, 0) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn plan_help() -> String {
    format!(
        "What goes wrong and how often, as a comma-separated list such as \
         throttle=5%,slow-call=1%:200ms. Faults: {}",
        KINDS.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        let arguments = std::iter::once(&"fanout-local").chain(arguments);
        let parsed = Arguments::try_parse_from(arguments);
        parsed
            .map(|parsed| parsed.options)
            .map_err(|e| e.to_string())
    }

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn defaults_are_those_of_an_account() {
        let options = parse(&[]).unwrap();
        let ten_thousand = NonZeroU32::new(10_000).unwrap();
        assert_eq!(options.account_rate, Limit::PerSecond(ten_thousand));
        assert_eq!(options.idle_timeout, Duration::from_mins(10));
        assert_eq!(options.visibility(), Duration::from_mins(3));
    }

    #[test]
    fn wrong_values_are_told_what_would_be_right() {
        for (arguments, expected) in [
            (["--account-rate", "0"], "or \"unlimited\""),
            (["--idle-timeout", "soon"], "expected a time such as 500ms"),
            (["--idle-timeout", "0s"], "expected a time such as 500ms"),
            (["--faults", "throtle=1%"], "unknown fault \"throtle\""),
            (["--env", "PATIENCE_MS"], "expected NAME=VALUE"),
            (
                ["--worker-timeout", "999ms"],
                "expected a time from 1s to 15m",
            ),
            (["--max-connection-duration", "24h"], "expected at most 23h"),
            (["--stage", "a/b"], "expected 1 to 128 letters"),
            (["--stage", ""], "expected 1 to 128 letters"),
            (
                ["--auth", "--auth-secret=short"],
                "expected at least 32 bytes",
            ),
        ] {
            let error = parse(&arguments).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
