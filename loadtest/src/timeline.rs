//! Latency and throughput over the time of a run, in bounded memory.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::{Counter, Histogram};
use serde::{Deserialize, Serialize};

use crate::latency::{LONGEST, micros, whole_ms};

/// The most intervals that a timeline has.
pub const MAX_INTERVALS: u64 = 128;

/// How long an interval is at first; whole seconds.
pub const FIRST_WIDTH: Duration = Duration::from_secs(1);

/// What arrived when, and how late: a histogram for each interval in which
/// something did.
///
/// All intervals are equally long and begin at multiples of their length on the
/// clock of the run, so that the timelines of processes with the same clock are
/// put together exactly. Where the run outgrows [`MAX_INTERVALS`] of them, each
/// two neighbours become one: a run of any length is shown in 64 to 128
/// intervals. A histogram has two significant digits and takes about 12 KB, the
/// whole timeline at most 1.6 MB.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    width: Duration,
    /// By their start in multiples of the width.
    intervals: BTreeMap<u64, Histogram<u32>>,
}

impl Timeline {
    /// Nothing has arrived yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            width: FIRST_WIDTH,
            intervals: BTreeMap::new(),
        }
    }

    /// A delivery arrived `at`, and took `latency`. They may be told in any
    /// order.
    pub fn record(&mut self, at: Duration, latency: Duration) {
        self.record_n(at, latency, 1);
    }

    /// So many deliveries arrived `at`, and each took `latency`.
    pub fn record_n(&mut self, at: Duration, latency: Duration, count: u64) {
        let index = self.index_widening_to(at);
        let interval = self.intervals.entry(index).or_insert_with(empty);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        interval.saturating_record_n(micros(latency).max(1), count);
    }

    /// Adds an interval of another timeline by the same clock: when it began,
    /// how long it is, and what arrived in it.
    pub fn add<C: Counter>(&mut self, start: Duration, width: Duration, arrived: &Histogram<C>) {
        while self.width < width {
            self.widen();
        }
        for value in arrived.iter_recorded() {
            let latency = Duration::from_micros(value.value_iterated_to());
            self.record_n(start, latency, value.count_since_last_iteration());
        }
    }

    /// Adds what another timeline by the same clock recorded.
    pub fn merge(&mut self, other: &Self) {
        for (start, width, arrived) in other.intervals() {
            self.add(start, width, arrived);
        }
    }

    /// The intervals in which something arrived: their start, their length, and
    /// the latencies in microseconds.
    pub fn intervals(&self) -> impl Iterator<Item = (Duration, Duration, &Histogram<u32>)> {
        let intervals = self.intervals.iter();
        intervals.map(|(&index, arrived)| (self.start_of(index), self.width, arrived))
    }

    /// The intervals from the first delivery to the last, of a run that began
    /// at `begun`.
    #[must_use]
    pub fn summary(&self, begun: Duration) -> TimelineSummary {
        let begun = self.start_of(self.index_of(begun));
        let interval = |index| {
            let since_begun = self.start_of(index).saturating_sub(begun);
            IntervalSummary::of(since_begun, self.intervals.get(&index))
        };
        let indices = self.ends().map(|(first, last)| first..=last);
        TimelineSummary {
            interval_ms: whole_ms(self.width),
            intervals: indices.into_iter().flatten().map(interval).collect(),
        }
    }

    fn index_widening_to(&mut self, at: Duration) -> u64 {
        loop {
            let index = self.index_of(at);
            let (first, last) = self.ends().unwrap_or((index, index));
            if last.max(index) - first.min(index) < MAX_INTERVALS {
                return index;
            }
            self.widen();
        }
    }

    /// Makes one interval of each two.
    fn widen(&mut self) {
        self.width = self.width.saturating_mul(2);
        for (index, arrived) in std::mem::take(&mut self.intervals) {
            let wide = self.intervals.entry(index / 2).or_insert_with(empty);
            // Both have the same bounds, so that nothing is out of range.
            wide.add(arrived).unwrap_or_default();
        }
    }

    /// The first interval and the last.
    fn ends(&self) -> Option<(u64, u64)> {
        let (first, _) = self.intervals.first_key_value()?;
        let (last, _) = self.intervals.last_key_value()?;
        Some((*first, *last))
    }

    fn index_of(&self, at: Duration) -> u64 {
        let index = at.as_nanos() / self.width.as_nanos();
        u64::try_from(index).unwrap_or(u64::MAX)
    }

    fn start_of(&self, index: u64) -> Duration {
        Duration::from_secs(self.width.as_secs().saturating_mul(index))
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
    /// When it began after the interval in which the run did, in milliseconds.
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
        let summary = timeline([(2_100, 1), (2_900, 3), (4_550, 2)]).summary(Duration::ZERO);
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
    fn a_run_is_shown_from_its_own_begin_whatever_the_clock_shows() {
        let timeline = timeline([(900_002_100, 1), (900_004_550, 2)]);
        let summary = timeline.summary(MS * 900_001_900);
        let starts: Vec<_> = summary.intervals.iter().map(|of| of.start_ms).collect();
        assert_eq!(
            (summary.interval_ms, starts),
            (1_000, vec![1_000, 2_000, 3_000])
        );
    }

    #[test]
    fn a_longer_run_has_longer_intervals_and_loses_nothing() {
        let every_ten_seconds = timeline((0..100).map(|n| (n * 10_000, 1 + n)));
        let summary = every_ten_seconds.summary(Duration::ZERO);
        assert_eq!(summary.interval_ms, 8_000);
        let deliveries: u64 = summary.intervals.iter().map(|of| of.deliveries).sum();
        assert_eq!(deliveries, 100);
    }

    #[test]
    fn a_time_beyond_all_bounds_is_still_recorded() {
        let mut timeline = timeline([(0, 1)]);
        timeline.record(Duration::MAX, MS);
        let deliveries = timeline
            .summary(Duration::ZERO)
            .intervals
            .iter()
            .map(|of| of.deliveries)
            .sum::<u64>();
        assert_eq!(deliveries, 2);
    }

    #[test]
    fn nothing_recorded_has_no_intervals() {
        assert_eq!(Timeline::new().summary(Duration::ZERO).intervals, []);
    }

    proptest! {
        #[test]
        fn memory_is_bounded_and_no_delivery_is_lost(
            samples in prop::collection::vec((0_u32..10_000_000, 0_u32..700_000), 0..200),
        ) {
            let summary = timeline(samples.iter().copied()).summary(Duration::ZERO);
            prop_assert!(summary.intervals.len() <= usize::try_from(MAX_INTERVALS).unwrap());
            let deliveries: u64 = summary.intervals.iter().map(|of| of.deliveries).sum();
            prop_assert_eq!(deliveries, u64::try_from(samples.len()).unwrap());
        }

        #[test]
        fn timelines_merged_are_one_timeline(
            samples in prop::collection::vec((0_u32..600_000, 1_u32..1_000), 1..100),
            split in 0_usize..100,
        ) {
            let (left, right) = samples.split_at(split.min(samples.len()));
            let mut merged = timeline(left.iter().copied());
            merged.merge(&timeline(right.iter().copied()));
            prop_assert_eq!(merged, timeline(samples));
        }
    }
}
