//! Where and when a report was made.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::machine::host::Host;

/// Where and when a report was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// When the run ended.
    pub finished_at: Timestamp,
    /// What measured.
    pub tool: Tool,
    /// The machine that it ran on.
    pub machine: Host,
}

/// What measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// The name of the program.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The compiler that built it, as `rustc --version` says.
    pub rustc: Option<String>,
}

impl Origin {
    /// This build, on this machine, now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one look at the calendar, after the run; no decision rests on it"
    )]
    pub fn here_and_now() -> Self {
        Self {
            finished_at: to_the_second(Timestamp::now()),
            tool: Tool {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                rustc: option_env!("FANOUT_LOADTEST_RUSTC").map(str::to_owned),
            },
            machine: Host::this(),
        }
    }
}

/// Finer than a second says nothing of when a run ended.
fn to_the_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
