//! How each notification spread, one row for each, so that the rows of several
//! processes can be put together.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    curve::{Curve, Curves, Mark},
    latency::micros,
};

/// The most notifications that have a row; 80 bytes each.
pub const MAX_ROWS: usize = 10_000;

/// The first [`MAX_ROWS`] notifications, by their number within the run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Spread(BTreeMap<u64, Row>);

/// One notification.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// How many subscribers should be reached.
    pub expected: u64,
    /// How many were.
    pub reached: u64,
    /// Microseconds from the intended send to each of [`Mark::ALL`].
    pub marks_us: [Option<u64>; Mark::ALL.len()],
}

impl Spread {
    /// Adds a notification, unless there are too many already.
    pub fn add(&mut self, sequence: u64, curve: &Curve) {
        let row = Row {
            expected: curve.expected().into(),
            reached: curve.reached().into(),
            marks_us: curve.marks().map(|at| at.map(micros)),
        };
        self.add_row(sequence, row);
    }

    /// Adds a row to that of the same notification, as [`Row::join`] does.
    pub fn add_row(&mut self, sequence: u64, row: Row) {
        let is_full = self.0.len() >= MAX_ROWS;
        match self.0.get_mut(&sequence) {
            Some(known) => *known = known.join(&row),
            None if is_full => {}
            None => {
                self.0.insert(sequence, row);
            }
        }
    }

    /// Adds the rows of another process.
    pub fn merge(&mut self, other: &Self) {
        for (&sequence, &row) in &other.0 {
            self.add_row(sequence, row);
        }
    }

    /// The rows, by the number of their notification.
    #[must_use]
    pub const fn rows(&self) -> &BTreeMap<u64, Row> {
        &self.0
    }

    /// The curves of the notifications that have a row.
    #[must_use]
    pub fn curves(&self) -> Curves {
        let mut curves = Curves::default();
        for row in self.0.values() {
            curves.add(row.marks_us.map(|us| us.map(Duration::from_micros)));
        }
        curves
    }
}

impl Row {
    /// One notification as two processes saw it. The first subscriber and all
    /// of them are exact. In between it is the slower of the two: by then the
    /// share was reached in both, so that it is never shown too early.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        if self.expected == 0 || other.expected == 0 {
            return *if self.expected == 0 { other } else { self };
        }
        let [first, ..] = self.marks_us;
        let [other_first, ..] = other.marks_us;
        let mut marks_us = self.marks_us;
        for (mark, theirs) in marks_us.iter_mut().zip(other.marks_us) {
            *mark = mark.zip(theirs).map(|(ours, theirs)| ours.max(theirs));
        }
        let [joined, ..] = &mut marks_us;
        *joined = [first, other_first].into_iter().flatten().min();
        Self {
            expected: self.expected + other.expected,
            reached: self.reached + other.reached,
            marks_us,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(expected: usize, latencies: &[u64]) -> Row {
        let mut sorted = latencies.to_vec();
        sorted.sort_unstable();
        let mut curve = Curve::new(u32::try_from(expected).unwrap());
        for us in sorted {
            curve.arrive(Duration::from_micros(us));
        }
        let mut spread = Spread::default();
        spread.add(0, &curve);
        spread.rows()[&0]
    }

    #[test]
    fn a_process_with_nobody_to_reach_changes_nothing() {
        let some = row(2, &[5, 7]);
        assert_eq!(some.join(&row(0, &[])), some);
        assert_eq!(row(0, &[]).join(&some), some);
    }

    #[test]
    fn what_one_process_never_reached_was_not_reached_together() {
        let joined = row(2, &[5]).join(&row(1, &[9]));
        assert_eq!((joined.expected, joined.reached), (3, 2));
        assert_eq!(joined.marks_us, [Some(5), Some(9), None, None, None]);
    }

    proptest! {
        #[test]
        fn joined_rows_are_exact_at_the_ends_and_never_early_between(
            ours in prop::collection::vec(1_u64..1_000_000, 1..100),
            theirs in prop::collection::vec(1_u64..1_000_000, 1..100),
        ) {
            let joined = row(ours.len(), &ours).join(&row(theirs.len(), &theirs));
            let all: Vec<_> = ours.iter().chain(&theirs).copied().collect();
            let exact = row(all.len(), &all);
            prop_assert_eq!(joined.marks_us[0], exact.marks_us[0]);
            prop_assert_eq!(joined.marks_us[4], exact.marks_us[4]);
            for (mark, exact) in joined.marks_us.iter().zip(exact.marks_us) {
                prop_assert!(*mark >= exact);
            }
            prop_assert_eq!((joined.expected, joined.reached), (exact.expected, exact.reached));
        }
    }
}
