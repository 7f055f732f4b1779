//! How spans of time are distributed, in bounded memory.

use std::time::Duration;

/// The most values that stand for a distribution: `CloudWatch` takes no more
/// for one metric at once.
pub const MOST_VALUES: usize = 100;

/// Each power of two is cut into so many buckets, which makes a bucket's middle
/// wrong by less than 1 %.
const BUCKETS_AN_OCTAVE: u64 = 64;
/// What is longer than twelve days counts as so much.
const LONGEST_MICROS: u64 = (1 << 40) - 1;
/// One more than the bucket of the longest span.
const BUCKETS: usize = 35 * 64;

/// Spans of time that were seen: the first [`MOST_VALUES`] as they were, more
/// of them in buckets whose width grows with the span.
///
/// A table of counts is all that is needed here: nothing can fail, few spans
/// take no more memory than themselves, and many 9 KB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    count: u64,
    /// In microseconds, as it was.
    longest: u64,
    /// In microseconds; empty once there are buckets.
    first: Vec<u64>,
    buckets: Vec<u32>,
}

impl Distribution {
    /// Counts a span. Allocates when the first one is counted, and when there
    /// are more than [`MOST_VALUES`], and never else.
    pub fn record(&mut self, span: Duration) {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        self.count += 1;
        self.longest = self.longest.max(micros);
        if !self.buckets.is_empty() {
            self.count_in_bucket(micros);
        } else if self.first.len() < MOST_VALUES {
            if self.first.is_empty() {
                self.first.reserve_exact(MOST_VALUES);
            }
            self.first.push(micros);
        } else {
            self.buckets.resize(BUCKETS, 0);
            for earlier in std::mem::take(&mut self.first) {
                self.count_in_bucket(earlier);
            }
            self.count_in_bucket(micros);
        }
    }

    /// Returns how many spans were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns at most [`MOST_VALUES`] values that stand for all spans: the
    /// spans themselves, in the order in which they were counted, or, of more,
    /// the quantiles in the middles of [`MOST_VALUES`] equal parts, ascending,
    /// with the longest of all in place of the last.
    #[must_use]
    pub fn values(&self) -> Vec<Duration> {
        if self.buckets.is_empty() {
            let first = self.first.iter();
            return first.map(|micros| Duration::from_micros(*micros)).collect();
        }
        let parts = MOST_VALUES as u64;
        let mut ranks = (0..parts).map(|part| (2 * part + 1) * self.count / (2 * parts));
        let mut rank = ranks.next();
        let mut values = Vec::with_capacity(MOST_VALUES);
        let mut below = 0;
        for (bucket, count) in (0..).zip(&self.buckets) {
            below += u64::from(*count);
            while rank.is_some_and(|rank| rank < below) {
                values.push(Duration::from_micros(middle_of(bucket)));
                rank = ranks.next();
            }
        }
        if let Some(last) = values.last_mut() {
            *last = Duration::from_micros(self.longest);
        }
        values
    }

    fn count_in_bucket(&mut self, micros: u64) {
        let bucket = usize::try_from(bucket_of(micros.min(LONGEST_MICROS)));
        let count = bucket.ok().and_then(|bucket| self.buckets.get_mut(bucket));
        if let Some(count) = count {
            *count = count.saturating_add(1);
        }
    }
}

/// Spans under [`BUCKETS_AN_OCTAVE`] microseconds have a bucket each; from
/// there on every power of two has as many.
fn bucket_of(micros: u64) -> u64 {
    match micros.checked_ilog2() {
        Some(power) if micros >= BUCKETS_AN_OCTAVE => {
            let octave = u64::from(power - BUCKETS_AN_OCTAVE.ilog2());
            octave * BUCKETS_AN_OCTAVE + (micros >> octave)
        }
        _ => micros,
    }
}

fn middle_of(bucket: u64) -> u64 {
    let Some(octave) = (bucket / BUCKETS_AN_OCTAVE).checked_sub(1) else {
        return bucket;
    };
    let lowest = (bucket - octave * BUCKETS_AN_OCTAVE) << octave;
    lowest + (1 << octave) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distribution(micros: impl IntoIterator<Item = u64>) -> Distribution {
        let mut distribution = Distribution::default();
        for micros in micros {
            distribution.record(Duration::from_micros(micros));
        }
        distribution
    }

    #[test]
    fn few_spans_stand_for_themselves() {
        let spans = [70_000, 3, 70_000, 1 << 50];
        let values = distribution(spans).values();
        assert_eq!(values, spans.map(Duration::from_micros));
        assert!(distribution([]).values().is_empty());
    }

    #[test]
    fn many_spans_are_stood_for_by_a_hundred() {
        let many = distribution((1..=100_000).map(|n| n * 10));
        let values = many.values();
        assert_eq!((many.count(), values.len()), (100_000, MOST_VALUES));
        assert_eq!(values[99], Duration::from_secs(1));
        for (part, value) in (0_u32..).zip(&values[..99]) {
            let exact = Duration::from_millis(5) + Duration::from_millis(10) * part;
            let wrong_by = value.abs_diff(exact);
            assert!(wrong_by <= exact / 100, "{part}: {value:?}");
        }
    }

    #[test]
    fn the_hundred_and_first_span_loses_none() {
        let values = distribution([vec![5; 100], vec![9]].concat()).values();
        assert_eq!(values.len(), MOST_VALUES);
        assert!(values[..99].iter().all(|value| value.as_micros() == 5));
        assert_eq!(values[99].as_micros(), 9);
    }

    #[test]
    fn a_buckets_middle_is_within_a_hundredth() {
        let spans = (0..40).flat_map(|power| [1 << power, (1 << power) + (1 << power) / 3]);
        for micros in spans {
            let bucket = bucket_of(micros);
            let middle = middle_of(bucket);
            assert!(
                middle.abs_diff(micros) <= micros / 100,
                "{micros}: {middle}"
            );
        }
        assert_eq!(bucket_of(LONGEST_MICROS) + 1, BUCKETS as u64);
        assert_eq!(middle_of(63), 63);
    }

    #[test]
    fn what_is_too_long_counts_as_the_longest() {
        let values = distribution([vec![1; 50], vec![u64::MAX; 51]].concat()).values();
        let longest = Duration::from_micros(LONGEST_MICROS);
        assert!(values[98].abs_diff(longest) < longest / 100);
    }
}
