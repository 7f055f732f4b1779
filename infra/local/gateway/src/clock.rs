//! The time of day, advanced by Tokio's clock so that tests can pause it.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// One gateway's clock: a monotonic time since its start, and the wall-clock
/// time that belongs to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
    started_at: Timestamp,
}

impl Clock {
    /// Starts a clock at the system's time of day.
    pub(crate) fn start() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the crate's clock seam, the only reader of the system time"
        )]
        let now = Timestamp::now();
        Self::starting_at(now)
    }

    /// Starts a clock at `now`.
    pub(crate) fn starting_at(now: Timestamp) -> Self {
        Self {
            started: Instant::now(),
            started_at: now,
        }
    }

    /// The time since the clock was started; it never goes back.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The time of day now.
    pub(crate) fn now(&self) -> Timestamp {
        self.at(self.elapsed())
    }

    /// The time of day at `elapsed` after the start.
    pub(crate) fn at(&self, elapsed: Duration) -> Timestamp {
        self.started_at
            .checked_add(elapsed)
            .unwrap_or(Timestamp::MAX)
    }

    /// The instant at `elapsed` after the start, to sleep until.
    pub(crate) fn instant(&self, elapsed: Duration) -> Instant {
        self.started + elapsed
    }
}

/// Writes a time as API Gateway's `requestTime`:
/// `09/Apr/2015:12:34:56 +0000`.
pub(crate) fn request_time(time: Timestamp) -> String {
    time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
}

/// Writes a time as ISO 8601 with milliseconds: `2015-04-09T12:34:56.000Z`.
pub(crate) fn iso_8601(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_time_of_day_follows_tokios_clock() {
        let clock = Clock::starting_at("2026-11-21T07:00:00Z".parse().unwrap());
        tokio::time::advance(Duration::from_millis(61_250)).await;
        assert_eq!(iso_8601(clock.now()), "2026-11-21T07:01:01.250Z");
        assert_eq!(request_time(clock.now()), "21/Nov/2026:07:01:01 +0000");
    }
}
