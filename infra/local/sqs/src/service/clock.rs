//! The wall clock, counted by Tokio so that tests can pause it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Counts from one reading of the system's clock.
#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    /// `started` as a span since the Unix epoch.
    started_at: Duration,
}

impl Clock {
    pub(super) fn new() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the clock seam of this crate: read once, counted by Tokio from there"
        )]
        let started_at = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            started: Instant::now(),
            started_at: started_at.unwrap_or_default(),
        }
    }

    /// The time since the Unix epoch.
    pub(super) fn now(&self) -> Duration {
        self.started_at + self.started.elapsed()
    }

    /// The instant that is `at` since the Unix epoch.
    pub(super) fn instant(&self, at: Duration) -> Instant {
        self.started + at.saturating_sub(self.started_at)
    }
}
