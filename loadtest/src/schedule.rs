//! When each notification is meant to be sent.

use std::time::Duration;

use crate::units::Rate;

/// An open-loop schedule: send `n` is due at `n / rate` after the start,
/// whatever became of the sends before it. A slow system under test therefore
/// cannot slow its own load down and hide the wait ("coordinated omission").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    rate: Rate,
    sends: u64,
}

impl Schedule {
    /// Exactly this many sends.
    #[must_use]
    pub const fn counting(rate: Rate, sends: u64) -> Self {
        Self { rate, sends }
    }

    /// As many sends as are due before `span` has passed.
    #[must_use]
    pub fn lasting(rate: Rate, span: Duration) -> Self {
        Self::counting(rate, rate.events_within(span))
    }

    /// When send `n` is due after the start, or `None` after the last one.
    #[must_use]
    pub fn due(&self, n: u64) -> Option<Duration> {
        (n < self.sends).then(|| self.rate.offset(n))
    }

    /// How long it takes, up to when the send after the last would be due.
    #[must_use]
    pub fn span(&self) -> Duration {
        self.rate.offset(self.sends)
    }

    /// The number of sends.
    #[must_use]
    pub const fn sends(&self) -> u64 {
        self.sends
    }

    /// Sends per span of time.
    #[must_use]
    pub const fn rate(&self) -> Rate {
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(rate: &str, seconds: u64, due_millis: &[u64]) {
        let schedule = Schedule::lasting(rate.parse().unwrap(), Duration::from_secs(seconds));
        let due: Vec<_> = (0..=schedule.sends())
            .map_while(|n| schedule.due(n))
            .map(|due| due.as_millis())
            .collect();
        let expected: Vec<_> = due_millis.iter().map(|&ms| u128::from(ms)).collect();
        assert_eq!(due, expected);
    }

    #[test]
    fn sends_are_due_at_even_steps_from_zero() {
        check("2/s", 2, &[0, 500, 1_000, 1_500]);
        check("3/s", 1, &[0, 333, 666]);
        check("0.5/s", 5, &[0, 2_000, 4_000]);
        check("1/m", 1, &[0]);
        check("1/s", 0, &[]);
    }

    proptest! {
        #[test]
        fn every_send_of_a_span_is_due_within_it(rate in 1_u64..5_000, millis in 1_u64..20_000) {
            let span = Duration::from_millis(millis);
            let rate: Rate = format!("{rate}/s").parse().unwrap();
            let schedule = Schedule::lasting(rate, span);
            let last = schedule.due(schedule.sends() - 1).unwrap();
            prop_assert!(last < span);
            prop_assert!(rate.offset(schedule.sends()) >= span);
        }

        #[test]
        fn rounding_does_not_add_up(rate in 1_u64..100_000, n in 0_u64..10_000_000) {
            let schedule = Schedule::counting(format!("{rate}/s").parse().unwrap(), u64::MAX);
            let due = schedule.due(n).unwrap().as_nanos();
            let exact = u128::from(n) * 1_000_000_000 / u128::from(rate);
            prop_assert_eq!(due, exact);
        }
    }
}
