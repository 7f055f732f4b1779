//! The clock seam: the one place that asks what time it is.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Tells the wall-clock time.
///
/// Spans are measured with [`tokio::time::Instant`], which tests can pause;
/// this clock is for the times that are written down.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The system's clock. It is read anew every time, because an execution
    /// environment that was frozen between two invocations has missed time
    /// that the monotonic clock may not have counted.
    System,
    /// A clock that starts at a given time and moves with Tokio's, so that it
    /// stands still when that is paused.
    Virtual {
        /// The time that the clock showed at `started`.
        epoch: Timestamp,
        /// When the clock was started.
        started: Instant,
    },
}

impl Clock {
    /// Starts a clock that moves with Tokio's time.
    #[must_use]
    pub fn starting_at(epoch: Timestamp) -> Self {
        Self::Virtual {
            epoch,
            started: Instant::now(),
        }
    }

    /// Returns the time now, whole milliseconds: the precision in which times
    /// are stored and compared.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = match self {
            #[expect(clippy::disallowed_methods, reason = "this is the clock seam")]
            Self::System => Timestamp::now(),
            Self::Virtual { epoch, started } => {
                let elapsed = SignedDuration::try_from(started.elapsed());
                *epoch + elapsed.unwrap_or(SignedDuration::MAX)
            }
        };
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    /// Converts a wall-clock time into the instant at which it will be, or
    /// now if it has passed.
    #[must_use]
    pub fn instant_of(&self, time: Timestamp) -> Instant {
        let ahead = time.duration_since(self.now());
        let ahead = std::time::Duration::try_from(ahead).unwrap_or_default();
        Instant::now() + ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_virtual_clock_moves_with_tokios_time() {
        let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
        tokio::time::advance(Duration::from_millis(1_500)).await;
        assert_eq!(clock.now().as_millisecond(), 1_500);
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_to_come_is_an_instant_to_come() {
        let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
        let soon = Timestamp::from_millisecond(250).unwrap();
        let in_a_quarter = Instant::now() + Duration::from_millis(250);
        assert_eq!(clock.instant_of(soon), in_a_quarter);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(clock.instant_of(soon), Instant::now());
    }
}
