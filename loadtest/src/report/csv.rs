//! The document as CSV: a header, and one row for the run.
//!
//! Runs are compared row by row, so that the rows of many runs can be put under
//! one header. Each column is named by its path in the JSON report; times keep
//! their units. What a row cannot hold is left to JSON: the distributions, the
//! timeline, the load of each process and the ledger.

use std::fmt::Display;

use serde_json::Value;

use super::Document;
use crate::{curve::MarkSummary, latency::LatencySummary};

impl Document {
    /// Writes the header and the row, as RFC 4180 quotes them, without a line
    /// break at the end. A cell that was not measured is empty.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut row = Row::default();
        self.origin(&mut row);
        self.asked_for(&mut row);
        self.counted(&mut row);
        self.timed(&mut row);
        format!("{}\n{}", row.names.join(","), row.cells.join(","))
    }

    fn origin(&self, row: &mut Row) {
        row.number("schema_version", self.schema_version);
        row.text("finished_at", &self.finished_at.to_string());
        row.text("tool.version", &self.tool.version);
        row.text("tool.rustc", self.tool.rustc.as_deref().unwrap_or(""));
        let machine = &self.machine;
        row.text(
            "machine.cpu_model",
            machine.cpu_model.as_deref().unwrap_or(""),
        );
        row.measured("machine.cores", machine.cores);
        row.measured("machine.memory_bytes", machine.memory_bytes);
        row.text("machine.kernel", machine.kernel.as_deref().unwrap_or(""));
        row.text("machine.architecture", &machine.architecture);
        let run = self.run.map(|run| run.to_string());
        row.text("run", run.as_deref().unwrap_or(""));
    }

    fn asked_for(&self, row: &mut Row) {
        let settings = &self.settings;
        row.text("settings.ws", &settings.ws);
        row.text(
            "settings.publish",
            settings.publish.as_deref().unwrap_or(""),
        );
        row.number("settings.subscribers", settings.subscribers);
        row.number("settings.ramp_per_second", settings.ramp_per_second);
        row.number("settings.notifications", settings.notifications);
        row.number(
            "settings.notifications_per_second",
            settings.notifications_per_second,
        );
        row.measured("settings.body_bytes", settings.body_bytes);
        row.number("settings.topics", settings.topics);
        row.measured("settings.churn_per_second", settings.churn_per_second);
        row.number("settings.slow_readers", settings.slow_readers);
        row.number("settings.drain_timeout_ms", settings.drain_timeout_ms);
    }

    fn counted(&self, row: &mut Row) {
        let outcome = serde_json::to_value(self.outcome).unwrap_or_default();
        row.text("outcome", outcome.as_str().unwrap_or_default());
        let broken = self.objectives.iter().filter(|of| !of.holds);
        let broken: Vec<_> = broken.map(|of| of.objective.as_str()).collect();
        row.number("objectives", self.objectives.len());
        row.text("objectives.broken", &broken.join(" "));
        if let Ok(Value::Object(counts)) = serde_json::to_value(self.counts) {
            for (name, count) in counts {
                row.number(&format!("counts.{name}"), count);
            }
        }
        row.number("missing", self.missing);
        row.measured("reach_basis_points", self.reach_basis_points);
    }

    fn timed(&self, row: &mut Row) {
        row.latencies("latency_us", self.latency_us);
        row.latencies("service_time_us", self.service_time_us);
        row.latencies("connect_latency_us", self.connect_latency_us);
        let curve = &self.fan_out_us;
        row.mark("fan_out_us.first", curve.first);
        row.mark("fan_out_us.p50", curve.p50);
        row.mark("fan_out_us.p90", curve.p90);
        row.mark("fan_out_us.p99", curve.p99);
        row.mark("fan_out_us.all", curve.all);
        row.measured("busy_ms", self.busy_ms);
        row.measured("deliveries_per_second", self.deliveries_per_second);
        row.number("latest_send_late_by_ms", self.latest_send_late_by_ms);
        row.text("bottlenecks", &self.bottlenecks.join("; "));
    }
}

#[derive(Default)]
struct Row {
    names: Vec<String>,
    cells: Vec<String>,
}

impl Row {
    fn number(&mut self, name: &str, number: impl Display) {
        self.names.push(name.to_owned());
        self.cells.push(number.to_string());
    }

    fn measured(&mut self, name: &str, number: Option<impl Display>) {
        self.names.push(name.to_owned());
        let number = number.map(|number| number.to_string());
        self.cells.push(number.unwrap_or_default());
    }

    fn text(&mut self, name: &str, text: &str) {
        self.names.push(name.to_owned());
        self.cells.push(quoted(text));
    }

    fn latencies(&mut self, name: &str, of: Option<LatencySummary>) {
        let mut column = |part: &str, value: fn(LatencySummary) -> u64| {
            self.measured(&format!("{name}.{part}"), of.map(value));
        };
        column("count", |of| of.count);
        column("mean", |of| of.mean);
        column("p50", |of| of.p50);
        column("p90", |of| of.p90);
        column("p99", |of| of.p99);
        column("p99_9", |of| of.p99_9);
        column("p99_99", |of| of.p99_99);
        column("max", |of| of.max);
    }

    fn mark(&mut self, name: &str, of: Option<MarkSummary>) {
        self.measured(
            &format!("{name}.notifications"),
            of.map(|of| of.notifications),
        );
        self.measured(&format!("{name}.median"), of.map(|of| of.median));
        self.measured(&format!("{name}.max"), of.map(|of| of.max));
    }
}

/// Quotes a text where it has to be, and keeps a spreadsheet from reading it as
/// a formula.
fn quoted(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_where_it_has_to_be() {
        assert_eq!(quoted("plain text"), "plain text");
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("say \"a\""), "\"say \"\"a\"\"\"");
        assert_eq!(quoted("two\nlines"), "\"two\nlines\"");
    }

    #[test]
    fn text_is_no_formula() {
        assert_eq!(quoted("=1+1"), "'=1+1");
        assert_eq!(quoted("@SUM(A1,A2)"), "\"'@SUM(A1,A2)\"");
    }
}
