//! Two reports side by side.

use std::{
    fmt::{self, Display, Formatter},
    fs, io,
    path::{Path, PathBuf},
};

use clap::Args;

use crate::{
    curve::MarkSummary,
    latency::LatencySummary,
    report::{
        Document, ReadError,
        text::{grouped, micros},
    },
};

mod differences;

/// The options of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The report to compare with, written with --output-format json
    a: PathBuf,

    /// The report to compare
    b: PathBuf,
}

impl CompareArgs {
    /// Reads both reports and compares them.
    ///
    /// # Errors
    /// [`CompareError`] names the file that is not a report.
    pub fn compare(&self) -> Result<Comparison, CompareError> {
        Ok(Comparison::of(&read(&self.a)?, &read(&self.b)?))
    }
}

/// What two runs measured, and how many times as much the second did.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    rows: Vec<Row>,
    /// Why the two can hardly be compared.
    warnings: Vec<String>,
}

impl Comparison {
    /// Compares `b` with `a`.
    #[must_use]
    pub fn of(a: &Document, b: &Document) -> Self {
        let times = |name, value: fn(&Document) -> Option<u64>| {
            Row::new(name, value(a), value(b), |us| micros(*us))
        };
        let counts = |name, value: fn(&Document) -> u64| {
            Row::new(name, Some(value(a)), Some(value(b)), |count| {
                grouped(*count)
            })
        };
        let rows = vec![
            times("latency mean", |of| latency(of, |of| of.mean)),
            times("latency p50", |of| latency(of, |of| of.p50)),
            times("latency p90", |of| latency(of, |of| of.p90)),
            times("latency p99", |of| latency(of, |of| of.p99)),
            times("latency p99.9", |of| latency(of, |of| of.p99_9)),
            times("latency max", |of| latency(of, |of| of.max)),
            times("service mean", |of| service(of, |of| of.mean)),
            times("service p50", |of| service(of, |of| of.p50)),
            times("service p90", |of| service(of, |of| of.p90)),
            times("service p99", |of| service(of, |of| of.p99)),
            times("service p99.9", |of| service(of, |of| of.p99_9)),
            times("service max", |of| service(of, |of| of.max)),
            times("to reach 50 %", |of| median(of.fan_out_us.p50)),
            times("to reach 99 %", |of| median(of.fan_out_us.p99)),
            times("to reach 100 %", |of| median(of.fan_out_us.all)),
            Row::rates(a.deliveries_per_second, b.deliveries_per_second),
            Row::new("reach", a.reach_basis_points, b.reach_basis_points, |of| {
                format!("{}.{:02} %", of / 100, of % 100)
            }),
            counts("missing", |of| of.missing),
            counts("duplicates", |of| of.counts.duplicates),
            counts("publishes failed", |of| of.counts.publish_errors),
            counts("publishes unanswered", |of| of.counts.unanswered),
            counts("could not connect", |of| of.counts.connect_failures),
            counts("to another topic", |of| of.counts.misdirected),
            counts("unexpected closes", |of| of.counts.unexpected_closes),
            counts("sent late", |of| of.counts.late_sends),
        ];
        Self {
            rows,
            warnings: differences::warnings(a, b),
        }
    }
}

impl Display for Comparison {
    /// The warnings, then the table, without a line break at the end.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        if !self.warnings.is_empty() {
            writeln!(f)?;
        }
        write!(f, "{:<22}{:>14}{:>14}{:>10}", "", "a", "b", "b/a")?;
        for Row { name, a, b, ratio } in &self.rows {
            let ratio = ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.3}"));
            write!(f, "\n{name:<22}{a:>14}{b:>14}{ratio:>10}")?;
        }
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Row {
    name: &'static str,
    a: String,
    b: String,
    ratio: Option<f64>,
}

impl Row {
    #[expect(
        clippy::cast_precision_loss,
        reason = "shown at four digits; times and counts stay far below 2^52"
    )]
    fn new(
        name: &'static str,
        a: Option<u64>,
        b: Option<u64>,
        show: impl Fn(&u64) -> String,
    ) -> Self {
        Self {
            name,
            a: a.as_ref().map_or("-".to_owned(), &show),
            b: b.as_ref().map_or("-".to_owned(), &show),
            ratio: ratio(a.map(|a| a as f64), b.map(|b| b as f64)),
        }
    }

    fn rates(a: Option<f64>, b: Option<f64>) -> Self {
        let show = |rate: Option<f64>| rate.map_or("-".to_owned(), |rate| format!("{rate:.0}/s"));
        Self {
            name: "deliveries",
            a: show(a),
            b: show(b),
            ratio: ratio(a, b),
        }
    }
}

/// How many times `a` is `b`; `None` if either was not measured, or `a` is zero.
fn ratio(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    let ratio = b? / a?;
    ratio.is_finite().then_some(ratio)
}

fn latency(of: &Document, value: fn(LatencySummary) -> u64) -> Option<u64> {
    of.latency_us.map(value)
}

fn service(of: &Document, value: fn(LatencySummary) -> u64) -> Option<u64> {
    of.service_time_us.map(value)
}

fn median(mark: Option<MarkSummary>) -> Option<u64> {
    mark.map(|mark| mark.median)
}

fn read(path: &Path) -> Result<Document, CompareError> {
    let text = fs::read_to_string(path).map_err(|source| CompareError::File {
        path: path.to_owned(),
        source,
    })?;
    Document::from_json(&text).map_err(|source| CompareError::Report {
        path: path.to_owned(),
        source,
    })
}

/// Why two reports cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file is not a report that this release reads.
    #[error("cannot compare {}", path.display())]
    Report {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: ReadError,
    },
}

#[cfg(test)]
mod tests;
