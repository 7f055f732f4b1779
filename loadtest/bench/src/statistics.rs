//! Medians and spreads of a few runs.

/// The middle of some runs, and how far they were apart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Summary {
    /// Half of the runs are below.
    pub(crate) median: f64,
    /// The lowest.
    pub(crate) least: f64,
    /// The highest.
    pub(crate) most: f64,
}

impl Summary {
    /// Summarises runs; all zero where there are none.
    pub(crate) fn of(runs: impl IntoIterator<Item = f64>) -> Self {
        let mut runs: Vec<_> = runs.into_iter().collect();
        runs.sort_by(f64::total_cmp);
        let at = |place: usize| runs.get(place).copied().unwrap_or_default();
        let (upper, lower) = (runs.len() / 2, runs.len().saturating_sub(1) / 2);
        Self {
            median: f64::midpoint(at(lower), at(upper)),
            least: at(0),
            most: at(runs.len().saturating_sub(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(runs: &[f64], median: f64, least: f64, most: f64) {
        let expected = Summary {
            median,
            least,
            most,
        };
        assert_eq!(Summary::of(runs.iter().copied()), expected);
    }

    #[test]
    fn runs_are_summarised_whatever_their_order() {
        check(&[], 0.0, 0.0, 0.0);
        check(&[2.0], 2.0, 2.0, 2.0);
        check(&[3.0, 1.0], 2.0, 1.0, 3.0);
        check(&[9.0, 1.0, 2.0], 2.0, 1.0, 9.0);
    }
}
