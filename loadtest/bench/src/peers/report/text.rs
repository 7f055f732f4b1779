//! The report as Markdown.

use std::fmt::{self, Display, Formatter};

use super::{Report, Row, Table};
use crate::peers::contestant::Contestant;
use crate::peers::scenario::thousands;
use crate::peers::statistics::Spread;

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
gateway are left out. CPU is counted in steps of 10 ms for each process.
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
        let cores = self.host.cores.map(|cores| format!("{cores} × "));
        let model = self.host.cpu_model.as_deref();
        write!(
            f,
            "Measured on {}{}",
            cores.unwrap_or_default(),
            model.unwrap_or(&self.host.architecture)
        )?;
        for version in &self.runtimes {
            write!(f, ", {version}")?;
        }
        if let Some(load_average) = self.load_average {
            write!(f, "; its load average was {load_average} before")?;
        }
        writeln!(f, ".")?;
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

/// How figures of one kind are written.
struct Unit {
    /// How many of what is measured make one of what is written.
    scale: f64,
    name: &'static str,
    is_whole: bool,
}

impl Unit {
    const COUNT: Self = Self {
        scale: 1.0,
        name: "",
        is_whole: true,
    };
    const SECONDS: Self = Self {
        scale: 1.0,
        name: " s",
        is_whole: false,
    };
    const MICROS: Self = Self {
        scale: 1.0,
        name: " µs",
        is_whole: false,
    };
    const MEGABYTES: Self = Self {
        scale: 1e6,
        name: " MB",
        is_whole: false,
    };

    fn number(&self, value: f64) -> String {
        let value = value / self.scale;
        if self.is_whole {
            grouped(value)
        } else {
            significant(value)
        }
    }
}

/// The median with its unit, and how far the values lie apart.
fn written(spread: &Spread, unit: &Unit) -> String {
    let [median, lowest, highest] =
        [spread.median, spread.lowest, spread.highest].map(|value| unit.number(value));
    let name = unit.name;
    if lowest == highest {
        format!("{median}{name}")
    } else {
        format!("{median}{name} ({lowest}–{highest})")
    }
}

fn optional(spread: Option<&Spread>, unit: &Unit) -> String {
    spread.map_or_else(|| "–".to_owned(), |spread| written(spread, unit))
}

fn times(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "–".to_owned(), significant)
}

/// Three digits, and more where the whole part has them.
fn significant(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => grouped(value),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rounded figure, neither negative nor beyond 2^52"
)]
fn grouped(value: f64) -> String {
    thousands(value.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits() {
        let values = [0.0, 0.123_4, 9.876, 12.34, 99.94, 123.4, 45_678.9];
        let written = values.map(significant);
        let expected = ["0.00", "0.12", "9.88", "12.3", "99.9", "123", "45,679"];
        assert_eq!(written, expected);
    }

    #[test]
    fn a_spread_is_shown_where_there_is_one() {
        let spread = Spread::of([1.5, 1.25, 2.0]).unwrap();
        assert_eq!(written(&spread, &Unit::SECONDS), "1.50 s (1.25–2.00)");
        let one = Spread::of([34_000_000.0]).unwrap();
        assert_eq!(written(&one, &Unit::MEGABYTES), "34.0 MB");
        assert_eq!(optional(None, &Unit::SECONDS), "–");
    }
}
