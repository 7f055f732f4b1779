//! The command line.

mod cancel;
mod doctor;
mod listening;
mod place;
mod queues;
mod suite;

use std::io::Write as _;
use std::time::Duration;

use clap::{Parser, Subcommand};
use http::Uri;
use jiff::SignedDuration;

pub use self::cancel::CancelArgs;
pub use self::doctor::DoctorArgs;
pub use self::queues::{DrainArgs, RedriveArgs};
pub use self::suite::SuiteArgs;
use crate::outputs::OutputsError;
use crate::queues::QueueError;

/// Looks at a deployment from outside.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Holds a deployment to everything that it promises, from outside only
    #[command(after_help = suite::HELP)]
    Suite(SuiteArgs),

    /// Names what is wrong with a deployment, and how to mend it
    #[command(after_help = doctor::HELP)]
    Doctor(Box<DoctorArgs>),

    /// Moves what could not be finished back to the workers
    #[command(after_help = queues::REDRIVE_HELP)]
    Redrive(RedriveArgs),

    /// Waits until nothing is left to push, such as before an upgrade
    #[command(after_help = queues::DRAIN_HELP)]
    Drain(DrainArgs),

    /// Cancels what is left of a notification, and prints its ledger
    #[command(after_help = cancel::HELP)]
    Cancel(CancelArgs),
}

/// How a command ended that did what it was asked for. Clap itself ends with 2
/// where it was asked for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All is well.
    Good,
    /// Something is wrong, and was told.
    Bad,
}

impl Ending {
    const fn of(is_good: bool) -> Self {
        if is_good { Self::Good } else { Self::Bad }
    }
}

/// What was asked for cannot be done: the command line, or a file that it names,
/// is wrong.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// No case has such a name.
    #[error("no case has {0:?} in its name: see --list")]
    NoCase(String),
    /// The known faults cannot be read.
    #[error(transparent)]
    KnownFaults(#[from] crate::suite::known_faults::KnownFaultsError),
    /// TLS cannot be spoken.
    #[error("this system trusts no certificates")]
    Certificates(#[source] std::io::Error),
    /// The outputs cannot be read.
    #[error(transparent)]
    Outputs(#[from] OutputsError),
    /// The queues are not known.
    #[error(transparent)]
    Queues(#[from] QueueError),
    /// Nothing is said of where the deployment is.
    #[error("where is it? Give --outputs FILE, or URLs such as --ws and --publish")]
    Nowhere,
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// See [`UsageError`].
    pub async fn run(self) -> Result<Ending, UsageError> {
        match self {
            Self::Suite(args) => args.run().await,
            Self::Doctor(args) => args.run().await,
            Self::Redrive(args) => args.run().await,
            Self::Drain(args) => args.run().await,
            Self::Cancel(args) => args.run().await,
        }
    }
}

/// Reads a span of time with its unit.
fn span(text: &str) -> Result<Duration, String> {
    let expected = || "expected a time such as 500ms, 30s or 2m".to_owned();
    let span: SignedDuration = text.parse().map_err(|_| expected())?;
    let span = Duration::try_from(span).map_err(|_| expected())?;
    if span.is_zero() {
        return Err(expected());
    }
    Ok(span)
}

/// Reads a URL of one of two schemes.
fn url(text: &str, plain: &str, secure: &str) -> Result<Uri, String> {
    let expected = || format!("expected a URL that begins with {plain}:// or {secure}://");
    let url: Uri = text.parse().map_err(|_| expected())?;
    match url.scheme_str() {
        Some(scheme) if scheme == plain || scheme == secure => Ok(url),
        _ => Err(expected()),
    }
}

fn ws_url(text: &str) -> Result<Uri, String> {
    url(text, "ws", "wss")
}

fn http_url(text: &str) -> Result<Uri, String> {
    url(text, "http", "https")
}

/// Prints a line; whoever does not read it has closed the pipe.
fn print(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let _closed = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[track_caller]
    fn check_refused(arguments: &[&str], expected: &str) {
        let arguments = std::iter::once(&"fanout-ops").chain(arguments);
        let error = Cli::try_parse_from(arguments).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn wrong_values_are_told_what_would_be_right() {
        let urls = ["suite", "ws://h/p", "http://h"];
        check_refused(&["suite", "h/p", "http://h"], "begins with ws:// or wss://");
        check_refused(
            &["suite", "ws://h", "ws://h"],
            "begins with http:// or https://",
        );
        check_refused(&["suite", "ws://h"], "<PUBLISH_URL>");
        check_refused(&["cancel", "../x", "--publish", "http://h"], "a UUID");
        check_refused(
            &[&urls[..], &["--patience", "0s"]].concat(),
            "expected a time",
        );
        check_refused(
            &[&urls[..], &["--topics", "a b"]].concat(),
            "a topic's name",
        );
        check_refused(
            &[&urls[..], &["--sockets", "0"]].concat(),
            "0 is not in 1..",
        );
    }
}
