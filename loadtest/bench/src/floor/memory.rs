//! The memory of workers while they work.

use std::convert::Infallible;
use std::time::Duration;

use fanout_loadtest::machine::monotonic_time;
use tokio::time::{MissedTickBehavior, interval};

use crate::process::{functions_of, resident_bytes};
use crate::spread::real;

/// How often it is read.
const EVERY: Duration = Duration::from_millis(200);

/// The most that any worker had resident, by the time it was read.
#[derive(Debug, Default)]
pub(super) struct Memory(Vec<(Duration, u64)>);

impl Memory {
    /// Reads on and on, until it is dropped.
    pub(super) async fn watch(&mut self, stack: u32) -> Infallible {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let workers = functions_of(stack, &["worker"]).into_iter();
            if let Some(most) = workers.filter_map(resident_bytes).max() {
                self.0.push((monotonic_time(), most));
            }
        }
    }

    /// The most in the last quarter of a span of time, by the most in its second
    /// quarter: 1 where the memory does not grow with what was done. `None`
    /// where one of them was not read.
    pub(super) fn growth(&self, from: Duration, until: Duration) -> Option<f64> {
        let quarter = until.saturating_sub(from) / 4;
        let most = |quarters: u32| {
            let within = from + quarter * quarters..=from + quarter * (quarters + 1);
            let read = self.0.iter().filter(|(at, _)| within.contains(at));
            read.map(|(_, bytes)| *bytes).max()
        };
        let (before, after) = (most(1)?, most(3)?);
        (before > 0).then(|| real(after) / real(before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(read: &[(u64, u64)]) -> Memory {
        let read = read.iter();
        Memory(
            read.map(|(second, bytes)| (Duration::from_secs(*second), *bytes))
                .collect(),
        )
    }

    #[test]
    fn growth_is_of_the_last_quarter_by_the_second() {
        let (from, until) = (Duration::from_secs(10), Duration::from_secs(50));
        let read = memory(&[
            (5, 900),
            (11, 10),
            (22, 20),
            (25, 40),
            (35, 70),
            (45, 50),
            (60, 900),
        ]);
        assert_eq!(read.growth(from, until), Some(1.25));
        assert_eq!(memory(&[(25, 40)]).growth(from, until), None);
    }
}
