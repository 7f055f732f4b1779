//! The command `suite`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use http::Uri;

use super::listening::ListeningArgs;
use super::{Ending, UsageError, http_url, print, span, ws_url};
use crate::deployment::{Deployment, Token};
use crate::suite::case::Case;
use crate::suite::known_faults::KnownFaults;
use crate::suite::trial::Trial;
use crate::suite::{run, selected};

/// What `--help` says besides.
pub(super) const HELP: &str = "\
What it needs:
  - both URLs, and that this machine reaches them.
  - where tokens are asked for, one of a subscriber and publisher (--token or
    FANOUT_TOKEN) with the scope \"publish\", which allows the topics \"suite:*\" and
    \"merchant:*\" and those of --topics. Without one, publishing must be open to
    anybody: requests are not signed, as PUBLISHER_AUTH=iam asks.
  - --subscribers-open or --publishers-open where a token is asked for on the other
    side alone.
  - --topics where a connection must name one (TOPICS_REQUIRED), and
    --topics-parameter where that has another name (TOPICS_PARAMETER).
  - room for frames of 32 KiB (MAX_FRAME_BYTES), for two topics of a connection
    beside --topics (MAX_TOPICS), and for --sockets connections.

The cases may run against a deployment that others use; those about everyone reach
everyone, and do not wait for the others.

Exit codes:
  0    every case passed, but for the known faults and what was skipped
  1    a case failed, or a known fault no longer fails
  2    the command line is wrong, or names a file that cannot be used";

/// The options of `suite`.
#[derive(Debug, Args)]
pub struct SuiteArgs {
    /// Where subscribers connect, ws:// or wss://
    #[arg(value_parser = ws_url, required_unless_present = "list")]
    ws_url: Option<Uri>,
    /// Where publishers POST, http:// or https://, without /orders
    #[arg(value_parser = http_url, required_unless_present = "list")]
    publish_url: Option<Uri>,
    /// The token of a subscriber and publisher, where one is asked for
    #[arg(long, env = "FANOUT_TOKEN", hide_env_values = true)]
    token: Option<Token>,
    /// Anybody may subscribe (`SUBSCRIBER_AUTH=off`), though publishers need the
    /// token
    #[arg(long)]
    subscribers_open: bool,
    /// Anybody may publish (`PUBLISHER_AUTH=off`), though subscribers need the
    /// token
    #[arg(long)]
    publishers_open: bool,
    #[command(flatten)]
    listening: ListeningArgs,
    /// How long to wait for anything that should happen
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = span)]
    patience: Duration,
    /// Run the cases whose names contain this, in any letter case
    #[arg(long, value_name = "PATTERN")]
    only: Option<String>,
    /// How many sockets a broadcast is made to
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    sockets: u16,
    /// What the endpoint is known to get wrong, a list in JSON: these cases must
    /// fail, and as each one `says`
    #[arg(long, value_name = "FILE")]
    known_faults: Option<PathBuf>,
    /// List the cases, and run none
    #[arg(long)]
    list: bool,
    /// How to report
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    output_format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each case, as soon as it has ended
    Text,
    /// One document at the end
    Json,
}

impl SuiteArgs {
    /// Runs the suite.
    ///
    /// # Errors
    /// No case is selected, a file cannot be used, or TLS cannot be spoken.
    pub(super) async fn run(self) -> Result<Ending, UsageError> {
        let cases: Vec<&'static Case> = selected(self.only.as_deref()).collect();
        if cases.is_empty() {
            return Err(UsageError::NoCase(self.only.unwrap_or_default()));
        }
        let (Some(ws), Some(publish), false) = (self.ws_url, &self.publish_url, self.list) else {
            for case in cases {
                print(case.name);
            }
            return Ok(Ending::Good);
        };
        let known_faults = self.known_faults.as_deref().map(KnownFaults::read);
        let known_faults = known_faults.transpose()?.unwrap_or_default();
        let deployment = Deployment::new(ws, publish, self.token, self.patience);
        let deployment = deployment.map_err(UsageError::Certificates)?;
        let trial = Trial {
            deployment: deployment.listening(self.listening.into()),
            sockets: self.sockets.into(),
            subscribers_open: self.subscribers_open,
            publishers_open: self.publishers_open,
        };
        let is_text = self.output_format == Format::Text;
        let report = run(cases, &trial, &known_faults, |finding| {
            if is_text {
                print(&finding.to_string());
            }
        })
        .await;
        if is_text {
            print(&report.to_string());
        } else {
            print(&format!("{:#}", report.to_json()));
        }
        Ok(Ending::of(report.is_good()))
    }
}
