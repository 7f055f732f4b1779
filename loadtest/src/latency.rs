//! Histograms of spans of time, in microseconds.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The longest span told apart: anything longer counts as this long.
pub const LONGEST: Duration = Duration::from_mins(10);

/// Spans from 1 µs to [`LONGEST`] at three significant digits, in memory that
/// does not depend on how many are recorded (about 200 KB).
#[derive(Debug, Clone, PartialEq)]
pub struct LatencyHistogram(Histogram<u64>);

impl LatencyHistogram {
    /// An empty histogram.
    #[must_use]
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "the bounds are constants that hdrhistogram accepts"
    )]
    pub fn new() -> Self {
        let bounds = Histogram::new_with_bounds(1, micros(LONGEST), 3);
        Self(bounds.expect("1 µs to 10 min at 3 digits are valid bounds"))
    }

    /// Adds one span; what is below 1 µs counts as 1 µs.
    pub fn record(&mut self, span: Duration) {
        self.0.saturating_record(micros(span).max(1));
    }

    /// Adds all that another histogram has recorded, as if it had been recorded
    /// here.
    pub fn merge(&mut self, other: &Self) {
        for value in other.0.iter_recorded() {
            self.0.saturating_record_n(
                value.value_iterated_to(),
                value.count_since_last_iteration(),
            );
        }
    }

    /// The histogram as hdrhistogram has it, in microseconds.
    #[must_use]
    pub const fn as_hdr(&self) -> &Histogram<u64> {
        &self.0
    }

    /// Adds what a histogram of microseconds with other bounds holds, each
    /// value moved by `shift`.
    pub fn record_shifted(&mut self, of: &Histogram<u64>, shift: Duration) {
        for value in of.iter_recorded() {
            let moved = value.value_iterated_to().saturating_add(micros(shift));
            self.0
                .saturating_record_n(moved.max(1), value.count_since_last_iteration());
        }
    }

    /// The percentiles, or `None` if nothing was recorded.
    #[must_use]
    pub fn summary(&self) -> Option<LatencySummary> {
        let at = |quantile| self.0.value_at_quantile(quantile).min(self.0.max());
        (!self.0.is_empty()).then(|| LatencySummary {
            count: self.0.len(),
            mean: rounded(self.0.mean()),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            p99_99: at(0.9999),
            max: self.0.max(),
        })
    }

    /// The whole distribution, finer towards the longest: the percentiles at
    /// which half of the rest is reached, again and again, with four steps on
    /// the way, up to the longest at 100. At most some 150 points.
    #[must_use]
    pub fn distribution(&self) -> Vec<PercentilePoint> {
        const STEPS_EACH_HALF: u32 = 5;
        let mut points: Vec<PercentilePoint> = Vec::new();
        for step in self.0.iter_quantiles(STEPS_EACH_HALF) {
            let point = PercentilePoint {
                percentile: step.quantile_iterated_to() * 100.0,
                us: step.value_iterated_to().min(self.0.max()),
            };
            let is_new = |last: &PercentilePoint| last.percentile < point.percentile;
            if points.last().is_none_or(is_new) {
                points.push(point);
            }
        }
        points
    }
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self::new()
    }
}

/// A point of a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PercentilePoint {
    /// From 0 to 100.
    pub percentile: f64,
    /// So much of what was recorded took at most this long, in microseconds.
    pub us: u64,
}

/// Percentiles in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencySummary {
    /// How many spans were recorded.
    pub count: u64,
    /// Their mean.
    pub mean: u64,
    /// Half of them took at most this long.
    pub p50: u64,
    /// 90 % of them took at most this long.
    pub p90: u64,
    /// 99 % of them took at most this long.
    pub p99: u64,
    /// 99.9 % of them took at most this long.
    pub p99_9: u64,
    /// 99.99 % of them took at most this long.
    pub p99_99: u64,
    /// The longest.
    pub max: u64,
}

/// Whole microseconds.
pub(crate) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// Whole milliseconds.
pub(crate) fn whole_ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a mean of spans is positive and at most the longest of them"
)]
fn rounded(mean: f64) -> u64 {
    mean.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_thousand_even_steps() {
        let mut histogram = LatencyHistogram::new();
        (1..=1_000).for_each(|n| histogram.record(Duration::from_micros(n)));
        let expected = LatencySummary {
            count: 1_000,
            mean: 501,
            p50: 500,
            p90: 900,
            p99: 990,
            p99_9: 999,
            p99_99: 1_000,
            max: 1_000,
        };
        assert_eq!(histogram.summary(), Some(expected));
    }

    #[test]
    fn spans_outside_the_bounds_count_at_the_bounds() {
        let mut histogram = LatencyHistogram::new();
        histogram.record(Duration::ZERO);
        assert_eq!(histogram.summary().unwrap().max, 1);
        histogram.record(Duration::from_hours(24));
        let summary = histogram.summary().unwrap();
        assert_eq!(summary.count, 2);
        assert!(
            summary.max.abs_diff(600_000_000) < 600_000,
            "{}",
            summary.max
        );
    }

    #[test]
    fn the_distribution_rises_to_the_longest_at_a_hundred() {
        let mut histogram = LatencyHistogram::new();
        (1..=100_000).for_each(|n| histogram.record(Duration::from_micros(n)));
        let points = histogram.distribution();
        assert!(points.len() > 50 && points.len() < 150, "{}", points.len());
        assert!(points.is_sorted_by(|a, b| a.percentile < b.percentile && a.us <= b.us));
        let last = points.last().unwrap();
        assert_eq!(last.percentile.total_cmp(&100.0), std::cmp::Ordering::Equal);
        assert_eq!(last.us, histogram.summary().unwrap().max);
    }

    #[test]
    fn nothing_recorded_has_no_percentiles() {
        assert_eq!(LatencyHistogram::new().summary(), None);
        assert_eq!(LatencyHistogram::new().distribution(), []);
    }
}
