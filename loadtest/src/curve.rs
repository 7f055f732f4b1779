//! How one notification spread over its subscribers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::latency::LatencyHistogram;

/// A point of the fan-out: how many of the subscribers had been reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The first subscriber.
    First,
    /// Half of the subscribers.
    P50,
    /// 90 % of them.
    P90,
    /// 99 % of them.
    P99,
    /// Every one.
    All,
}

impl Mark {
    /// From the first subscriber to the last.
    pub const ALL: [Self; 5] = [Self::First, Self::P50, Self::P90, Self::P99, Self::All];

    /// How many of `expected` subscribers have to be reached.
    #[must_use]
    pub fn threshold(self, expected: u32) -> u32 {
        let percent = match self {
            Self::First => return 1,
            Self::P50 => 50,
            Self::P90 => 90,
            Self::P99 => 99,
            Self::All => 100,
        };
        let reached = (u64::from(expected) * percent).div_ceil(100);
        u32::try_from(reached).unwrap_or(expected).max(1)
    }
}

/// One notification's way over its subscribers, in constant memory.
///
/// A mark is the longest latency among the arrivals that reached it. Where
/// arrivals are told in the order of their time, that is the exact order
/// statistic; where two threads tell theirs the other way round, it is late by
/// no more than the two lie apart.
#[derive(Debug, Clone)]
pub struct Curve {
    expected: u32,
    reached: u32,
    longest: Duration,
    marks: [Option<Duration>; Mark::ALL.len()],
}

impl Curve {
    /// A notification on its way to so many subscribers.
    #[must_use]
    pub const fn new(expected: u32) -> Self {
        Self {
            expected,
            reached: 0,
            longest: Duration::ZERO,
            marks: [None; Mark::ALL.len()],
        }
    }

    /// One more subscriber was reached, this long after the intended send.
    pub fn arrive(&mut self, latency: Duration) {
        self.reached += 1;
        self.longest = self.longest.max(latency);
        self.mark();
    }

    /// One subscriber need not be reached any more.
    pub fn excuse(&mut self) {
        self.expected = self.expected.saturating_sub(1);
        if self.reached > 0 {
            self.mark();
        }
    }

    /// How many subscribers were reached.
    #[must_use]
    pub const fn reached(&self) -> u32 {
        self.reached
    }

    /// How many subscribers should be reached.
    #[must_use]
    pub const fn expected(&self) -> u32 {
        self.expected
    }

    /// The marks in the order of [`Mark::ALL`]; `None` where the notification
    /// never got that far.
    #[must_use]
    pub const fn marks(&self) -> [Option<Duration>; Mark::ALL.len()] {
        self.marks
    }

    fn mark(&mut self) {
        for (mark, at) in Mark::ALL.into_iter().zip(&mut self.marks) {
            if self.reached >= mark.threshold(self.expected) {
                at.get_or_insert(self.longest);
            }
        }
    }
}

/// The curves of many notifications.
#[derive(Debug, Default)]
pub struct Curves([LatencyHistogram; Mark::ALL.len()]);

impl Curves {
    /// Adds a notification that is complete or given up.
    pub fn add(&mut self, marks: [Option<Duration>; Mark::ALL.len()]) {
        for (histogram, at) in self.0.iter_mut().zip(marks) {
            if let Some(at) = at {
                histogram.record(at);
            }
        }
    }

    /// Each mark over all notifications that got there.
    #[must_use]
    pub fn summary(&self) -> CurveSummary {
        let [first, p50, p90, p99, all] = &self.0;
        CurveSummary {
            first: MarkSummary::of(first),
            p50: MarkSummary::of(p50),
            p90: MarkSummary::of(p90),
            p99: MarkSummary::of(p99),
            all: MarkSummary::of(all),
        }
    }
}

/// The fan-out of a run: each mark, or `None` where no notification got there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurveSummary {
    /// Time to the first subscriber.
    pub first: Option<MarkSummary>,
    /// Time to half of the subscribers.
    pub p50: Option<MarkSummary>,
    /// Time to 90 % of the subscribers.
    pub p90: Option<MarkSummary>,
    /// Time to 99 % of the subscribers.
    pub p99: Option<MarkSummary>,
    /// Time to every subscriber.
    pub all: Option<MarkSummary>,
}

/// One mark over all notifications that got there, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkSummary {
    /// How many notifications got there.
    pub notifications: u64,
    /// The median notification.
    pub median: u64,
    /// The slowest notification.
    pub max: u64,
}

impl MarkSummary {
    fn of(histogram: &LatencyHistogram) -> Option<Self> {
        histogram.summary().map(|summary| Self {
            notifications: summary.count,
            median: summary.p50,
            max: summary.max,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn curve(expected: u32, millis: impl IntoIterator<Item = u64>) -> Curve {
        let mut curve = Curve::new(expected);
        for millis in millis {
            curve.arrive(Duration::from_millis(millis));
        }
        curve
    }

    #[test]
    fn marks_of_a_hundred_subscribers() {
        let marks = curve(100, 1..=100).marks();
        assert_eq!(
            marks,
            [1, 50, 90, 99, 100].map(|ms| Some(Duration::from_millis(ms)))
        );
    }

    #[test]
    fn one_subscriber_is_every_mark() {
        assert_eq!(curve(1, [7]).marks(), [Some(Duration::from_millis(7)); 5]);
    }

    #[test]
    fn a_mark_that_was_not_reached_is_absent() {
        let [first, p50, p90, p99, all] = curve(10, 1..=9).marks();
        assert!(first.is_some() && p50.is_some() && p90.is_some());
        assert_eq!((p99, all), (None, None));
    }

    #[test]
    fn who_is_excused_is_not_waited_for() {
        let mut excused = curve(4, [10, 20]);
        excused.excuse();
        assert_eq!(excused.marks()[4], None);
        excused.excuse();
        assert_eq!(excused.marks()[4], Some(Duration::from_millis(20)));
        let mut nobody = Curve::new(1);
        nobody.excuse();
        assert_eq!(nobody.marks(), [None; 5]);
    }

    #[test]
    fn only_notifications_that_got_there_are_summarised() {
        let mut curves = Curves::default();
        curves.add(curve(2, [10, 20]).marks());
        curves.add(curve(2, [30]).marks());
        let summary = curves.summary();
        assert_eq!(summary.first.map(|mark| mark.notifications), Some(2));
        assert_eq!(summary.all.map(|mark| mark.notifications), Some(1));
    }

    proptest! {
        #[test]
        fn arrivals_in_order_give_the_exact_order_statistics(
            mut millis in prop::collection::vec(0_u64..10_000, 1..300),
        ) {
            millis.sort_unstable();
            let expected = u32::try_from(millis.len()).unwrap();
            let marks = curve(expected, millis.iter().copied()).marks();
            for (mark, at) in Mark::ALL.into_iter().zip(marks) {
                let nth = usize::try_from(mark.threshold(expected)).unwrap() - 1;
                prop_assert_eq!(at, Some(Duration::from_millis(millis[nth])));
            }
        }

        #[test]
        fn no_order_of_arrivals_shows_a_mark_early(
            millis in prop::collection::vec(0_u64..10_000, 1..300),
        ) {
            let expected = u32::try_from(millis.len()).unwrap();
            let marks = curve(expected, millis.iter().copied()).marks();
            let mut sorted = millis;
            sorted.sort_unstable();
            for (mark, at) in Mark::ALL.into_iter().zip(marks) {
                let nth = usize::try_from(mark.threshold(expected)).unwrap() - 1;
                prop_assert!(at >= Some(Duration::from_millis(sorted[nth])));
            }
        }
    }
}
