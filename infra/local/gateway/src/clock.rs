//! The clock seam: the one place that asks what time it is.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// One gateway's clock: a monotonic time since its start, by Tokio's clock, and
/// the time of day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
    machine_time_at_start: Duration,
    time_of_day: TimeOfDay,
}

#[derive(Clone, Copy, Debug)]
enum TimeOfDay {
    /// The system's, read anew every time: a machine that slept has missed time
    /// that the monotonic clock does not count.
    System,
    /// A given one at the start of the clock, moving with Tokio's time.
    #[cfg(test)]
    Virtual { epoch: Timestamp },
}

impl Clock {
    /// Starts a clock that shows the system's time of day.
    pub(crate) fn system() -> Self {
        Self {
            started: Instant::now(),
            machine_time_at_start: machine_time(),
            time_of_day: TimeOfDay::System,
        }
    }

    /// Starts a clock at `epoch`, which stands still while Tokio's time is
    /// paused.
    #[cfg(test)]
    pub(crate) fn starting_at(epoch: Timestamp) -> Self {
        Self {
            started: Instant::now(),
            machine_time_at_start: machine_time(),
            time_of_day: TimeOfDay::Virtual { epoch },
        }
    }

    /// The time since the clock was started; it never goes back.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The time of the machine's monotonic clock, which every process reads
    /// alike.
    pub(crate) fn machine_time(&self) -> Duration {
        self.machine_time_at_start + self.elapsed()
    }

    /// The time of day now.
    pub(crate) fn now(&self) -> Timestamp {
        match self.time_of_day {
            #[expect(clippy::disallowed_methods, reason = "this is the clock seam")]
            TimeOfDay::System => Timestamp::now(),
            #[cfg(test)]
            TimeOfDay::Virtual { epoch } => epoch + self.elapsed(),
        }
    }

    /// The time of day at `elapsed` after the start, counted back from now: for
    /// what lies before a sleep of the machine it is late by that sleep.
    pub(crate) fn at(&self, elapsed: Duration) -> Timestamp {
        let ago = self.elapsed().saturating_sub(elapsed);
        let now = self.now();
        now.checked_sub(ago).unwrap_or(now)
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

/// `CLOCK_MONOTONIC`, which Tokio's clock counts too while it is not paused.
fn machine_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
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
        let a_quarter_of_a_second = clock.at(Duration::from_millis(250));
        assert_eq!(iso_8601(a_quarter_of_a_second), "2026-11-21T07:00:00.250Z");
    }

    #[tokio::test(start_paused = true)]
    async fn time_that_tokio_does_not_count_passes_on_the_systems_clock() {
        let clock = Clock::system();
        let before = clock.now();
        while clock.now() == before {}
        assert_eq!(clock.elapsed(), Duration::ZERO);
    }
}
