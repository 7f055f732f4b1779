//! The figures as tables: beside the charts, and by themselves.

use super::{charts, escape::Escaped};
use crate::{
    curve::MarkSummary,
    latency::LatencySummary,
    report::{
        Document,
        text::{grouped, micros},
    },
};

/// Latencies by percentile.
pub(super) fn percentiles(document: &Document) -> String {
    let columns = [
        document.latency_us,
        document.service_time_us,
        document.connect_latency_us,
    ];
    let row = |name: &str, value: fn(LatencySummary) -> u64| {
        let cells = columns.map(|of| of.map_or("–".to_owned(), |of| micros(value(of))));
        row(name, &cells)
    };
    let rows = [
        row("mean", |of| of.mean),
        row("50 %", |of| of.p50),
        row("90 %", |of| of.p90),
        row("99 %", |of| of.p99),
        row("99.9 %", |of| of.p99_9),
        row("99.99 %", |of| of.p99_99),
        row("longest", |of| of.max),
    ];
    table(&["", "latency", "service time", "connect"], &rows.concat())
}

/// Latency over time, in at most a dozen intervals: the whole series is in the
/// JSON report.
pub(super) fn timeline(document: &Document) -> String {
    const ROWS: usize = 12;
    let timeline = &document.timeline;
    let every = timeline.intervals.len().div_ceil(ROWS).max(1);
    let cell = |us: Option<u64>| us.map_or("–".to_owned(), micros);
    let rows = timeline.intervals.iter().step_by(every).map(|of| {
        let cells = [cell(of.p50_us), cell(of.p99_us), cell(of.max_us)];
        row(&seconds(of.start_ms), &cells)
    });
    let which = match every {
        1 => "Every interval".to_owned(),
        every => format!("One in {every} intervals"),
    };
    format!(
        "<div>\n{}\n<p class=\"note\">{which} of {} ms. The JSON report has all.</p>\n</div>",
        table(
            &["from", "median", "99 %", "longest"],
            &rows.collect::<String>()
        ),
        timeline.interval_ms
    )
}

/// The time to reach parts of the subscribers.
pub(super) fn fan_out(document: &Document) -> String {
    let curve = &document.fan_out_us;
    let row = |name: &str, of: Option<MarkSummary>| match of {
        Some(of) => row(
            name,
            &[micros(of.median), micros(of.max), grouped(of.notifications)],
        ),
        None => row(name, &["–".to_owned(), "–".to_owned(), "0".to_owned()]),
    };
    let rows = [
        row("first", curve.first),
        row("50 %", curve.p50),
        row("90 %", curve.p90),
        row("99 %", curve.p99),
        row("100 %", curve.all),
    ];
    table(
        &["time to reach", "median", "slowest", "notifications"],
        &rows.concat(),
    )
}

/// How much was delivered how fast.
pub(super) fn throughput(document: &Document) -> String {
    let timeline = &document.timeline;
    let rates = timeline
        .intervals
        .iter()
        .map(|of| charts::rate(timeline, of));
    let highest = rates.max_by(f64::total_cmp).unwrap_or_default();
    let mean = document.deliveries_per_second.unwrap_or_default();
    let rows = [
        row("deliveries", &[grouped(document.counts.received)]),
        row("over", &[seconds(document.busy_ms.unwrap_or_default())]),
        row("mean", &[per_second(mean)]),
        row("highest", &[per_second(highest)]),
        row("notifications sent", &[grouped(document.counts.sent)]),
        row("accepted", &[grouped(document.counts.accepted)]),
    ];
    table(&[], &rows.concat())
}

/// A table. Headings are the page's own; rows are escaped already.
pub(super) fn table(headings: &[&str], rows: &str) -> String {
    let headings: String = headings
        .iter()
        .map(|heading| match *heading {
            "" => "<td></td>".to_owned(),
            heading => format!("<th scope=\"col\">{heading}</th>"),
        })
        .collect();
    let head = match headings.as_str() {
        "" => String::new(),
        headings => format!("<thead><tr>{headings}</tr></thead>\n"),
    };
    format!("<table>\n{head}<tbody>\n{rows}</tbody>\n</table>")
}

/// A row of cells under their name.
pub(super) fn row(name: &str, cells: &[String]) -> String {
    let cells: Vec<_> = cells
        .iter()
        .map(|cell| format!("<td>{}</td>", Escaped(cell)))
        .collect();
    let cells = cells.concat();
    format!("<tr><th scope=\"row\">{}</th>{cells}</tr>\n", Escaped(name))
}

/// A row for each fact.
pub(super) fn facts<const N: usize>(facts: [(&str, String); N]) -> String {
    let facts = facts.into_iter();
    facts.map(|(name, fact)| row(name, &[fact])).collect()
}

/// A rate: `3,635/s`.
pub(super) fn per_second(rate: f64) -> String {
    format!("{}/s", grouped(charts::whole(rate)))
}

/// Hundredths of a percent as a percentage.
pub(super) fn percent(basis_points: u64) -> String {
    format!("{}.{:02} %", basis_points / 100, basis_points % 100)
}

/// Milliseconds as seconds.
pub(super) fn seconds(ms: u64) -> String {
    format!("{}.{:01} s", ms / 1_000, ms % 1_000 / 100)
}

/// The text, or a dash in place of none.
pub(super) fn or_dash(text: &str) -> String {
    if text.is_empty() { "–" } else { text }.to_owned()
}
