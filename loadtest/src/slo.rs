//! Objectives that a run is held to: `p99<500ms,reach=100%`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{exit::Outcome, recorder::measurements::Measurements};
use objective::{Metric, Objective, errors};

mod objective;

pub use objective::SloError;

/// What `--help` says about objectives.
pub const HELP: &str = "\
Objectives, separated by commas; each must hold, and one without samples does not:
  p50<200ms        also p90, p99, p99.9, p99.99, mean and max, with < or <=:
                   the latency from the intended send
  reach=100%       the part of the expected deliveries that arrived; = or >=
  missing=0        deliveries that did not arrive; =, < or <=
  duplicates<=10   deliveries that arrived again; =, < or <=
  errors=0         failed or unanswered publishes, failed connects, sockets cut
                   off, deliveries to another topic; =, < or <=
  throughput>=5000/s   deliveries; >= or >";

/// The exit status of a run that an objective does not hold for.
pub const BROKEN: u8 = 4;

/// At least one objective.
#[derive(Debug, Clone, PartialEq)]
pub struct Slo(Vec<Objective>);

impl Slo {
    /// Holds a run to the objectives.
    #[must_use]
    pub fn judge(&self, measured: &Measurements) -> Judgement {
        let counts = &measured.counts;
        let is_about = |metrics: &[Metric]| self.0.iter().any(|of| metrics.contains(&of.metric()));
        let deliveries_are_excused = is_about(&[Metric::Reach, Metric::Missing]);
        let errors_are_excused = is_about(&[Metric::Errors]);
        Judgement {
            verdicts: self.0.iter().map(|of| of.judge(measured)).collect(),
            is_excused: (counts.missing() == 0 || deliveries_are_excused)
                && (errors(counts) == 0 || errors_are_excused),
        }
    }
}

impl FromStr for Slo {
    type Err = SloError;

    fn from_str(text: &str) -> Result<Self, SloError> {
        let objectives = text.split(',').map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self(objectives))
    }
}

impl fmt::Display for Slo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, objective) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{}", objective.text)?;
        }
        Ok(())
    }
}

/// How the objectives of a run came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// One verdict for each objective, in their order.
    pub verdicts: Vec<Verdict>,
    /// Whether everything that is missing has an objective that allows for it.
    is_excused: bool,
}

impl Judgement {
    /// Whether every objective holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.holds)
    }

    /// The exit status, as documented in [`crate::exit::HELP`].
    #[must_use]
    pub fn status(&self, outcome: Outcome) -> u8 {
        match outcome {
            Outcome::Complete | Outcome::Missing | Outcome::NoLedger if !self.holds() => BROKEN,
            Outcome::Missing if self.is_excused => Outcome::Complete.status(),
            Outcome::Complete
            | Outcome::Missing
            | Outcome::Unreachable
            | Outcome::NoLedger
            | Outcome::Interrupted => outcome.status(),
        }
    }
}

impl fmt::Display for Judgement {
    /// A line for each objective, without a line break at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.verdicts.iter().map(|of| of.objective.chars().count());
        let width = widths.max().unwrap_or_default();
        for (index, of) in self.verdicts.iter().enumerate() {
            let line_break = if index > 0 { "\n" } else { "" };
            let holds = if of.holds { "holds" } else { "broken" };
            let measured = of.measured.as_deref().unwrap_or("nothing to measure");
            let objective = &of.objective;
            write!(
                f,
                "{line_break}objective      {objective:<width$}  {holds:<6}  {measured}"
            )?;
        }
        Ok(())
    }
}

/// How one objective came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The objective as it was written.
    pub objective: String,
    /// What was measured, in the words of an objective; `None` without samples.
    pub measured: Option<String>,
    /// Whether it holds.
    pub holds: bool,
}

#[cfg(test)]
mod tests;
