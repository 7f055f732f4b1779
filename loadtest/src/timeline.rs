//! Latency and throughput over the time of a run, in bounded memory.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::latency::{LONGEST, micros};

/// The most intervals that a timeline has.
pub const MAX_INTERVALS: usize = 128;

/// How long an interval is at first.
pub const FIRST_WIDTH: Duration = Duration::from_secs(1);

/// What arrived when, and how late: a histogram for each interval of the run.
///
/// All intervals are equally long. When the run outgrows [`MAX_INTERVALS`] of
/// them, each two neighbours become one, so that a run of any length is shown
/// in 64 to 128 intervals. A histogram has two significant digits and takes
/// about 12 KB, the whole timeline at most 1.6 MB.
#[derive(Debug, Clone)]
pub struct Timeline {
    width: Duration,
    intervals: Vec<Option<Histogram<u32>>>,
}

impl Timeline {
    /// Nothing has arrived yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            width: FIRST_WIDTH,
            intervals: Vec::new(),
        }
    }

    /// A delivery arrived `at`, since the start of the run, and took `latency`.
    /// They may be told in any order.
    pub fn record(&mut self, at: Duration, latency: Duration) {
        let index = self.index_widening_to(at);
        if self.intervals.len() <= index {
            self.intervals.resize(index + 1, None);
        }
        if let Some(interval) = self.intervals.get_mut(index) {
            interval
                .get_or_insert_with(empty)
                .saturating_record(micros(latency).max(1));
        }
    }

    /// Adds what another timeline of the same clock recorded.
    pub fn merge(&mut self, other: &Self) {
        let mut other = other.clone();
        while self.width < other.width {
            self.widen();
        }
        while other.width < self.width {
            other.widen();
        }
        if self.intervals.len() < other.intervals.len() {
            self.intervals.resize(other.intervals.len(), None);
        }
        for (mine, theirs) in self.intervals.iter_mut().zip(other.intervals) {
            add(mine, theirs);
        }
    }

    /// The intervals from the first delivery to the last.
    #[must_use]
    pub fn summary(&self) -> TimelineSummary {
        let starts = (0_u32..).map(|index| self.width.saturating_mul(index));
        let intervals = starts
            .zip(&self.intervals)
            .skip_while(|(_, interval)| interval.is_none())
            .map(|(start, interval)| IntervalSummary::of(start, interval.as_ref()));
        TimelineSummary {
            interval_ms: whole_ms(self.width),
            intervals: intervals.collect(),
        }
    }

    fn index_widening_to(&mut self, at: Duration) -> usize {
        loop {
            let index = at.as_nanos() / self.width.as_nanos();
            match usize::try_from(index) {
                Ok(index) if index < MAX_INTERVALS => return index,
                _ => self.widen(),
            }
        }
    }

    /// Makes one interval of each two.
    fn widen(&mut self) {
        let narrow = std::mem::take(&mut self.intervals);
        let mut narrow = narrow.into_iter();
        while let Some(mut first) = narrow.next() {
            add(&mut first, narrow.next().flatten());
            self.intervals.push(first);
        }
        self.width = self.width.saturating_mul(2);
    }
}

impl Default for Timeline {
    fn default() -> Self {
        Self::new()
    }
}

/// A run over time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineSummary {
    /// How long each interval is, in milliseconds.
    pub interval_ms: u64,
    /// The intervals without a gap, from the first delivery to the last.
    pub intervals: Vec<IntervalSummary>,
}

/// One interval; the latencies are in microseconds, and absent where nothing
/// arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntervalSummary {
    /// When it began after the start of the run, in milliseconds.
    pub start_ms: u64,
    /// The deliveries that arrived in it.
    pub deliveries: u64,
    /// The median latency.
    pub p50_us: Option<u64>,
    /// 99 % took at most this long.
    pub p99_us: Option<u64>,
    /// The longest latency.
    pub max_us: Option<u64>,
}

impl IntervalSummary {
    fn of(start: Duration, latencies: Option<&Histogram<u32>>) -> Self {
        let at = |quantile| {
            latencies.map(|latencies| latencies.value_at_quantile(quantile).min(latencies.max()))
        };
        Self {
            start_ms: whole_ms(start),
            deliveries: latencies.map_or(0, Histogram::len),
            p50_us: at(0.5),
            p99_us: at(0.99),
            max_us: at(1.0),
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "the bounds are constants that hdrhistogram accepts"
)]
fn empty() -> Histogram<u32> {
    let bounds = Histogram::new_with_bounds(1, micros(LONGEST), 2);
    bounds.expect("1 µs to 10 min at 2 digits are valid bounds")
}

fn add(to: &mut Option<Histogram<u32>>, more: Option<Histogram<u32>>) {
    match (to.as_mut(), more) {
        // Both have the same bounds, so that nothing is out of range.
        (Some(to), Some(more)) => to.add(more).unwrap_or_default(),
        (None, more) => *to = more,
        (Some(_), None) => {}
    }
}

fn whole_ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn timeline(samples: impl IntoIterator<Item = (u32, u32)>) -> Timeline {
        let mut timeline = Timeline::new();
        for (at_ms, latency_ms) in samples {
            timeline.record(MS * at_ms, MS * latency_ms);
        }
        timeline
    }

    #[test]
    fn intervals_run_from_the_first_delivery_to_the_last() {
        let summary = timeline([(2_100, 1), (2_900, 3), (4_550, 2)]).summary();
        assert_eq!(summary.interval_ms, 1_000);
        let shown: Vec<_> = summary
            .intervals
            .iter()
            .map(|of| (of.start_ms, of.deliveries, of.max_us.map(|us| us / 1_000)))
            .collect();
        assert_eq!(
            shown,
            [(2_000, 2, Some(3)), (3_000, 0, None), (4_000, 1, Some(2))]
        );
    }

    #[test]
    fn a_longer_run_has_longer_intervals_and_loses_nothing() {
        let every_ten_seconds = timeline((0..100).map(|n| (n * 10_000, 1 + n)));
        let summary = every_ten_seconds.summary();
        assert_eq!(summary.interval_ms, 8_000);
        let deliveries: u64 = summary.intervals.iter().map(|of| of.deliveries).sum();
        assert_eq!(deliveries, 100);
    }

    #[test]
    fn a_time_beyond_all_bounds_is_still_recorded() {
        let mut timeline = timeline([(0, 1)]);
        timeline.record(Duration::MAX, MS);
        let deliveries = timeline
            .summary()
            .intervals
            .iter()
            .map(|of| of.deliveries)
            .sum::<u64>();
        assert_eq!(deliveries, 2);
    }

    #[test]
    fn nothing_recorded_has_no_intervals() {
        assert_eq!(Timeline::new().summary().intervals, []);
    }

    proptest! {
        #[test]
        fn memory_is_bounded_and_no_delivery_is_lost(
            samples in prop::collection::vec((0_u32..10_000_000, 0_u32..700_000), 0..200),
        ) {
            let summary = timeline(samples.iter().copied()).summary();
            prop_assert!(summary.intervals.len() <= MAX_INTERVALS);
            let deliveries: u64 = summary.intervals.iter().map(|of| of.deliveries).sum();
            prop_assert_eq!(deliveries, u64::try_from(samples.len()).unwrap());
        }

        #[test]
        fn timelines_merged_are_one_timeline(
            samples in prop::collection::vec((0_u32..60_000, 1_u32..1_000), 1..100),
            split in 0_usize..100,
        ) {
            let (left, right) = samples.split_at(split.min(samples.len()));
            let mut merged = timeline(left.iter().copied());
            merged.merge(&timeline(right.iter().copied()));
            prop_assert_eq!(merged.summary(), timeline(samples).summary());
        }
    }
}
