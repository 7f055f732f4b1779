//! What a figure should be at most.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::figures::{grouped, significant};

/// One figure, and whether it is as low as it should be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Goal {
    /// The figure, with its unit.
    pub(crate) what: String,
    pub(crate) at_most: f64,
    pub(crate) measured: f64,
}

impl Goal {
    /// Whether it holds.
    pub(crate) fn is_met(&self) -> bool {
        self.measured <= self.at_most
    }

    /// As a row of a table: what it is, the figure, its limit, whether it holds.
    pub(crate) fn row(&self) -> String {
        let whole = |figure: f64| (figure.fract() == 0.0).then(|| grouped(figure));
        let measured = whole(self.measured);
        let measured = measured.unwrap_or_else(|| precise(self.measured, self.at_most));
        let at_most = whole(self.at_most).unwrap_or_else(|| significant(self.at_most));
        let Self { what, .. } = self;
        format!("| {what} | {measured} | {at_most} | {} |", self.met())
    }

    fn met(&self) -> &'static str {
        if self.is_met() { "met" } else { "**not met**" }
    }
}

impl Display for Goal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "- {}: at most {}; it was {}, {}",
            self.what,
            self.at_most,
            precise(self.measured, self.at_most),
            self.met(),
        )
    }
}

/// All of them. As text a heading and a line for each.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Goals(pub(crate) Vec<Goal>);

impl Display for Goals {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "Goals:\n")?;
        self.0.iter().try_for_each(|goal| writeln!(f, "{goal}"))
    }
}

/// With a third digit where two would not tell it from its limit.
fn precise(measured: f64, at_most: f64) -> String {
    if measured < 10.0 && (measured - at_most).abs() < 0.05 {
        format!("{measured:.3}")
    } else {
        significant(measured)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(measured: f64, expected: &str) {
        let goal = Goal {
            what: "time by its floor".to_owned(),
            at_most: 1.02,
            measured,
        };
        assert_eq!(goal.to_string(), expected);
    }

    #[test]
    fn a_figure_beside_its_limit_is_told_more_precisely() {
        check(
            1.018,
            "- time by its floor: at most 1.02; it was 1.018, met",
        );
        check(1.02, "- time by its floor: at most 1.02; it was 1.020, met");
        check(
            2.5,
            "- time by its floor: at most 1.02; it was 2.50, **not met**",
        );
    }
}
