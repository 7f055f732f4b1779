//! The one monotonic clock that every instant of a run is read from.

use std::time::Duration;

use tokio::time::Instant;

/// Counts from the moment it was made. Copies share their origin.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// Starts at zero, now.
    #[must_use]
    pub fn start() -> Self {
        Self {
            origin: Instant::now(),
        }
    }

    /// Time since the start.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// The instant to sleep until for the clock to show `offset`.
    #[must_use]
    pub fn instant(&self, offset: Duration) -> Instant {
        self.origin + offset
    }
}
