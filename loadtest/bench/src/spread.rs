//! Several runs in three figures.

use serde::Serialize;

/// The middle of some values, and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// Of an even number of values the mean of the two in the middle.
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

impl Spread {
    /// Of all values; `None` if there is none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let upper = *values.get(middle)?;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(*values.get(middle.checked_sub(1)?)?, upper)
        } else {
            upper
        };
        Some(Self {
            median,
            lowest: *values.first()?,
            highest: *values.last()?,
        })
    }

    /// How many times as much as another in the middle; `None` if that is
    /// nothing.
    pub(crate) fn times(&self, other: &Self) -> Option<f64> {
        (other.median > 0.0).then(|| self.median / other.median)
    }
}

/// A count as a figure.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts and bytes stay far below 2^52"
)]
pub(crate) fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[f64], expected: Option<(f64, f64, f64)>) {
        let expected = expected.map(|(median, lowest, highest)| Spread {
            median,
            lowest,
            highest,
        });
        assert_eq!(Spread::of(values.iter().copied()), expected);
    }

    #[test]
    fn the_median_is_the_middle_or_between_the_two_there() {
        check(&[], None);
        check(&[2.0], Some((2.0, 2.0, 2.0)));
        check(&[9.0, 1.0, 4.0], Some((4.0, 1.0, 9.0)));
        check(&[8.0, 1.0, 4.0, 2.0], Some((3.0, 1.0, 8.0)));
    }

    #[test]
    fn ratios_are_of_medians() {
        let one = Spread::of([10.0, 30.0, 20.0]).unwrap();
        let other = Spread::of([5.0, 0.1, 4.0]).unwrap();
        assert_eq!(one.times(&other), Some(5.0));
        assert_eq!(one.times(&Spread::of([0.0]).unwrap()), None);
    }
}
