//! How the process ends.

use std::process::ExitCode;

use serde::{Deserialize, Serialize};

use crate::recorder::counts::Counts;

/// What `--help` says about the exit codes.
pub const HELP: &str = "\
Exit codes:
  0    everybody received everything
  1    something is missing: a delivery, a publish that failed, or a subscriber
       that could not connect or was cut off; or a delivery went to another
       topic. With --slo, unless an objective is about it (reach or missing for
       deliveries, errors for the rest)
  2    the command line is wrong, asks for more than this machine holds or for
       what cannot be measured or merged, or names a file that cannot be read or
       written
  3    could not connect at all, or could not publish at all
  4    an objective of --slo does not hold
  5    somebody is there, but refuses every connect or every publish: a wrong
       URL, or credentials are missing
  6    everybody received everything, but the ledger that the publish named
       cannot be read
  130  interrupted, after reporting what ran";

/// The outcome of a run, of which the exit code is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everybody received everything.
    Complete,
    /// Somebody missed something.
    Missing,
    /// Nothing could be measured.
    Unreachable,
    /// Everybody received everything, but the ledger is missing.
    NoLedger,
    /// Stopped by a signal.
    Interrupted,
}

impl Outcome {
    /// Judges a run by its counts.
    #[must_use]
    pub const fn of(counts: &Counts, is_interrupted: bool) -> Self {
        if is_interrupted {
            Self::Interrupted
        } else if counts.connected == 0 || (counts.sent > 0 && counts.accepted == 0) {
            Self::Unreachable
        } else if counts.missing() > 0
            || counts.misdirected > 0
            || counts.publish_errors > 0
            || counts.unanswered > 0
            || counts.connect_failures > 0
            || counts.unexpected_closes > 0
        {
            Self::Missing
        } else {
            Self::Complete
        }
    }

    /// What is left of the outcome if the ledger that the system under test
    /// named cannot be read.
    #[must_use]
    pub const fn without_ledger(self) -> Self {
        match self {
            Self::Complete => Self::NoLedger,
            Self::Missing | Self::Unreachable | Self::NoLedger | Self::Interrupted => self,
        }
    }

    /// As documented in [`HELP`].
    #[must_use]
    pub const fn status(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::Missing => 1,
            Self::Unreachable => 3,
            Self::NoLedger => 6,
            Self::Interrupted => 130,
        }
    }

    /// As documented in [`HELP`].
    #[must_use]
    pub fn exit_code(self) -> ExitCode {
        ExitCode::from(self.status())
    }
}

/// The exit code of a run that could not begin, because somebody refused.
#[must_use]
pub fn refused() -> ExitCode {
    ExitCode::from(5)
}

/// The exit code of a command line that is wrong.
#[must_use]
pub fn usage() -> ExitCode {
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: Counts = Counts {
        connected: 2,
        connect_retries: 5,
        connect_failures: 0,
        unexpected_closes: 0,
        reconnects: 1,
        sent: 3,
        accepted: 3,
        publish_errors: 0,
        unanswered: 0,
        late_sends: 1,
        expected: 6,
        excused: 1,
        received: 6,
        duplicates: 4,
        out_of_order: 1,
        extra: 1,
        misdirected: 0,
        other_frames: 7,
        unattributed: 1,
        given_up: 0,
    };

    #[track_caller]
    fn check(counts: Counts, expected: Outcome) {
        assert_eq!(Outcome::of(&counts, false), expected);
        assert_eq!(Outcome::of(&counts, true), Outcome::Interrupted);
    }

    #[test]
    fn counts_decide_the_outcome() {
        check(COMPLETE, Outcome::Complete);
        check(
            Counts {
                received: 5,
                ..COMPLETE
            },
            Outcome::Missing,
        );
        check(
            Counts {
                publish_errors: 1,
                ..COMPLETE
            },
            Outcome::Missing,
        );
        check(
            Counts {
                unanswered: 1,
                ..COMPLETE
            },
            Outcome::Missing,
        );
        check(
            Counts {
                connect_failures: 1,
                ..COMPLETE
            },
            Outcome::Missing,
        );
        check(
            Counts {
                unexpected_closes: 1,
                ..COMPLETE
            },
            Outcome::Missing,
        );
        check(
            Counts {
                accepted: 0,
                ..COMPLETE
            },
            Outcome::Unreachable,
        );
        check(
            Counts {
                connected: 0,
                ..COMPLETE
            },
            Outcome::Unreachable,
        );
    }
}
