//! The one monotonic clock that every instant of a run is read from.

use std::time::Duration;

use tokio::time::Instant;

use crate::machine;

/// Shows the time since an origin. Copies share their origin.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    shown_at_start: Duration,
}

impl Clock {
    /// Starts at zero, now.
    #[must_use]
    pub fn start() -> Self {
        Self::showing(Duration::ZERO)
    }

    /// Shows what every other process of this machine sees on its monotonic
    /// clock, so that one can send an instant to another.
    #[must_use]
    pub fn of_machine() -> Self {
        Self::showing(machine::monotonic_time())
    }

    /// The time shown.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.shown_at_start + self.started.elapsed()
    }

    /// The instant to sleep until for the clock to show `time`.
    #[must_use]
    pub fn instant(&self, time: Duration) -> Instant {
        self.started + time.saturating_sub(self.shown_at_start)
    }

    fn showing(time: Duration) -> Self {
        Self {
            started: Instant::now(),
            shown_at_start: time,
        }
    }
}
