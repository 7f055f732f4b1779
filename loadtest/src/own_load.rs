//! The load that the tool itself puts on its machine, and whether it was too
//! much to believe the figures.

use std::{
    convert::Infallible,
    fmt::{self, Display, Formatter},
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    thread::available_parallelism,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::time::sleep_until;

use crate::{clock::Clock, latency::micros, machine};

/// How often a timer of the tool's own is set.
pub const TICK: Duration = Duration::from_millis(10);

/// A timer that fires later than this is late: it is good to a millisecond, so
/// the machine is overloaded.
pub const LATE: Duration = Duration::from_millis(5);

/// The share of late timers, in percent, from which the tool is a bottleneck.
const LATE_TIMERS_PERCENT: u64 = 1;
/// The share of its CPUs, in percent, from which it is one.
const CPU_PERCENT: u64 = 90;

/// One process, from its first publish to the end. Its timers wait for the
/// same threads as its sockets: an arrival is seen late by about as much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnLoad {
    /// How long it was watched, in microseconds.
    pub watched_us: u64,
    /// The CPU time that it used, in microseconds.
    pub cpu_us: u64,
    /// How many CPUs it may use at once.
    pub cpus: u64,
    /// Timers of its own, one every [`TICK`].
    pub timers: u64,
    /// Those that fired more than [`LATE`] late.
    pub late_timers: u64,
    /// How late the latest was, in microseconds.
    pub latest_timer_us: u64,
    /// The memory in use at the end, in bytes.
    pub resident_bytes: Option<u64>,
    /// The sockets that it had opened.
    pub subscribers: u64,
}

impl OwnLoad {
    /// Counts a timer that should have fired at `due` and did at `at`.
    pub fn fired(&mut self, due: Duration, at: Duration) {
        let late_by = at.saturating_sub(due);
        self.timers += 1;
        self.late_timers += u64::from(late_by > LATE);
        self.latest_timer_us = self.latest_timer_us.max(micros(late_by));
    }

    /// The part of its CPUs that it used, in percent.
    #[must_use]
    pub fn cpu_percent(&self) -> Option<u64> {
        let available = self.watched_us.saturating_mul(self.cpus);
        self.cpu_us.saturating_mul(100).checked_div(available)
    }

    /// Memory for each socket, the process's own shared out among them. `None`
    /// for fewer than a thousand, where that would be most of it.
    #[must_use]
    pub fn bytes_per_subscriber(&self) -> Option<u64> {
        let bytes = self.resident_bytes?.checked_div(self.subscribers)?;
        (self.subscribers >= 1_000).then_some(bytes)
    }

    /// In what way the tool itself held the measurement up.
    #[must_use]
    pub fn bottleneck(&self) -> Option<Bottleneck> {
        let late_percent = self.late_timers.saturating_mul(100) / self.timers.max(1);
        if let Some(percent) = self.cpu_percent().filter(|&percent| percent >= CPU_PERCENT) {
            let cpus = self.cpus;
            return Some(Bottleneck::Cpu { percent, cpus });
        }
        (late_percent >= LATE_TIMERS_PERCENT).then_some(Bottleneck::Timers {
            percent: late_percent,
            latest: Duration::from_micros(self.latest_timer_us),
        })
    }
}

/// Why the figures say as much about the tool as about the system under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bottleneck {
    /// It used most of the CPUs it has.
    Cpu {
        /// How much of them.
        percent: u64,
        /// How many there are.
        cpus: u64,
    },
    /// Its timers fired late: it, or something beside it, overloads the machine.
    Timers {
        /// How many of them.
        percent: u64,
        /// How late the latest was.
        latest: Duration,
    },
}

impl Display for Bottleneck {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu { percent, cpus } => {
                write!(f, "used {percent} % of {cpus} CPUs")
            }
            Self::Timers { percent, latest } => write!(
                f,
                "{percent} % of its own timers were late, the latest by {} ms",
                latest.as_millis()
            ),
        }
    }
}

/// Watches this process.
#[derive(Debug)]
pub struct Watch {
    clock: Clock,
    started: Duration,
    cpu_at_start: Duration,
    timers: Mutex<OwnLoad>,
}

impl Watch {
    /// Begins.
    #[must_use]
    pub fn start(clock: Clock) -> Self {
        Self {
            clock,
            started: clock.now(),
            cpu_at_start: machine::cpu_time(),
            timers: Mutex::default(),
        }
    }

    /// Sets one timer after the other, and never returns.
    pub async fn tick(&self) -> Infallible {
        loop {
            let due = self.clock.now() + TICK;
            sleep_until(self.clock.instant(due)).await;
            let at = self.clock.now();
            let mut timers = self.timers.lock().unwrap_or_else(PoisonError::into_inner);
            timers.fired(due, at);
        }
    }

    /// What was seen so far.
    #[must_use]
    pub fn load(&self, subscribers: u64) -> OwnLoad {
        let timers = *self.timers.lock().unwrap_or_else(PoisonError::into_inner);
        let cpus = available_parallelism().map_or(1, NonZeroUsize::get);
        OwnLoad {
            watched_us: micros(self.clock.now().saturating_sub(self.started)),
            cpu_us: micros(machine::cpu_time().saturating_sub(self.cpu_at_start)),
            cpus: u64::try_from(cpus).unwrap_or(1),
            resident_bytes: machine::resident_bytes(),
            subscribers,
            ..timers
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn timers_later_than_a_timer_is_good_for_are_late() {
        let mut load = OwnLoad::default();
        load.fired(millis(10), millis(15));
        load.fired(millis(25), millis(32));
        assert_eq!((load.timers, load.late_timers), (2, 1));
        assert_eq!(load.latest_timer_us, 7_000);
    }

    #[test]
    fn a_tool_that_was_the_bottleneck_says_how() {
        let calm = OwnLoad {
            watched_us: 1_000_000,
            cpu_us: 1_000_000,
            cpus: 2,
            timers: 1_000,
            late_timers: 9,
            ..OwnLoad::default()
        };
        assert_eq!(calm.bottleneck(), None);
        let busy = OwnLoad {
            cpu_us: 1_900_000,
            ..calm
        };
        assert_eq!(
            busy.bottleneck().unwrap().to_string(),
            "used 95 % of 2 CPUs"
        );
        let late = OwnLoad {
            late_timers: 40,
            latest_timer_us: 12_345,
            ..calm
        };
        assert_eq!(
            late.bottleneck().unwrap().to_string(),
            "4 % of its own timers were late, the latest by 12 ms"
        );
        assert_eq!(OwnLoad::default().bottleneck(), None);
    }
}
