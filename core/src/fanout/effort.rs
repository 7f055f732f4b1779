//! What a run took: how many pushes, how they ended, how long they took.

use std::time::Duration;

use crate::distribution::Distribution;
use crate::push::PushOutcome;

/// What a run took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Attempts to push that were started.
    pub pushes: u64,
    /// Attempts that the gateway accepted.
    pub accepted: u64,
    /// Attempts that found the connection gone.
    pub gone: u64,
    /// Attempts that were throttled.
    pub throttled: u64,
    /// Attempts that failed and may have arrived.
    pub transient: u64,
    /// Attempts that were refused, and would be again.
    pub refused: u64,
    /// How long each attempt took that ended.
    pub latency: Distribution,
    /// How old the notification was at each attempt that was accepted.
    pub accepted_age: Distribution,
}

impl Effort {
    /// Notes how an attempt ended that took `latency`, and how old the
    /// notification is, where its id says that.
    pub(super) fn note(&mut self, outcome: PushOutcome, latency: Duration, age: Option<Duration>) {
        self.latency.record(latency);
        match outcome {
            PushOutcome::Accepted => {
                self.accepted += 1;
                if let Some(age) = age {
                    self.accepted_age.record(age);
                }
            }
            PushOutcome::Gone => self.gone += 1,
            PushOutcome::Throttled { .. } => self.throttled += 1,
            PushOutcome::Transient { .. } => self.transient += 1,
            PushOutcome::TooLarge | PushOutcome::Forbidden | PushOutcome::Rejected { .. } => {
                self.refused += 1;
            }
        }
    }
}
