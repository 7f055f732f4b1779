//! The report as Markdown.

use std::fmt::{self, Display, Formatter};

use super::{Report, Row, Table};
use crate::figures::{Unit, optional, significant, thousands, times, written};
use crate::peers::contestant::Contestant;

const LEGEND: &str = "\
All of them read the same table and push the same frame through the same gateway, \
which counts and times what it takes; each run has a stack of its own, and the runs \
of different contestants alternate. Medians, with the lowest and the highest of \
several runs in brackets.

- **last delivery**: for a handler from its event, its SDK loaded and none of its \
connections open, to the last push that the gateway took; for the pipeline from the \
POST, its queues and the start of further workers included.
- **CPU** and **peak memory** are those of the handler's process, and of all of the \
pipeline's (publish and workers, their memory added up); the tables, queues and the \
gateway are left out.
- **×** is by the pipeline's figure.
- The handlers use their SDKs as these come: in Node with kept-alive connections, at \
most 50, whatever else is allowed; the Python one is given as many as it has threads. \
Retries are the SDKs' own. None of them is ended by a timeout, as Lambda or API \
Gateway would (30 s behind an API).
- Other work on the machine makes all times longer, and not all of them alike: ratios \
of time are to be trusted where there was none.
";

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for table in &self.tables {
            writeln!(f, "{table}")?;
        }
        for goal in &self.goals {
            let met = if goal.is_met { "met" } else { "not met" };
            writeln!(
                f,
                "Goal: {} is at least {} × the pipeline's: {} ×, {met}.",
                goal.what,
                goal.at_least,
                significant(goal.measured)
            )?;
        }
        if !self.goals.is_empty() {
            writeln!(f)?;
        }
        writeln!(f, "{LEGEND}")?;
        writeln!(f, "{}", self.machine.measured_with(&self.runtimes))?;
        for left_out in &self.left_out {
            writeln!(f, "Left out: {left_out}.")?;
        }
        Ok(())
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let runs = self.rows.iter().map(|row| row.runs.len()).max();
        let runs = match runs.unwrap_or_default() {
            1 => "one run".to_owned(),
            several => format!("{several} runs"),
        };
        writeln!(f, "### {}, {runs}\n", self.scenario)?;
        if self.scenario.is_faulty {
            writeln!(
                f,
                "| | reached, of {} | last delivery | gone, deleted | CPU | how it ended |\n\
                 |---|---:|---:|---:|---:|---|",
                self.living()
            )?;
            self.rows.iter().try_for_each(|row| row.faulty(f))
        } else {
            writeln!(
                f,
                "| | reached | last delivery | × | CPU | CPU a delivery | × | peak memory |\n\
                 |---|---:|---:|---:|---:|---:|---:|---:|"
            )?;
            self.rows.iter().try_for_each(|row| row.calm(f))
        }
    }
}

impl Table {
    fn living(&self) -> String {
        let runs = self.rows.iter().flat_map(|row| &row.runs);
        let most = runs.map(|run| run.living).max();
        thousands(most.unwrap_or_default())
    }
}

impl Row {
    fn calm(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            self.name(),
            written(&self.reached, &Unit::COUNT),
            optional(self.last_delivery_seconds.as_ref(), &Unit::SECONDS),
            times(self.times_as_long),
            written(&self.cpu_seconds, &Unit::SECONDS),
            optional(self.cpu_micros_per_delivery.as_ref(), &Unit::MICROS),
            times(self.times_the_cpu),
            written(&self.peak_bytes, &Unit::MEGABYTES),
        )
    }

    fn faulty(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut endings: Vec<String> = self.runs.iter().map(|run| run.ending.to_string()).collect();
        endings.sort();
        endings.dedup();
        writeln!(
            f,
            "| {} | {} | {} | {} | {} | {} |",
            self.name(),
            written(&self.reached, &Unit::COUNT),
            optional(self.last_delivery_seconds.as_ref(), &Unit::SECONDS),
            written(&self.rows_deleted, &Unit::COUNT),
            written(&self.cpu_seconds, &Unit::SECONDS),
            endings.join("; "),
        )
    }

    fn name(&self) -> String {
        match self.contestant {
            Contestant::Pipeline => format!("**{}**", self.contestant),
            other => other.to_string(),
        }
    }
}
