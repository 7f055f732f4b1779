//! The document as one page: no script, nothing fetched, readable as text.

use std::fmt::{self, Display, Formatter};

use super::{Document, Ledger};
use crate::{
    exit::Outcome,
    latency::LatencySummary,
    report::text::{grouped, micros, rate},
};
use chart::Chart;
use escape::Escaped;
use tables::{per_second, percent, table};

mod chart;
mod charts;
mod escape;
mod facts;
mod scale;
mod tables;

const STYLE: &str = include_str!("html/page.css");

impl Document {
    /// Writes one self-contained page: charts as SVG with the same figures in
    /// tables beside them. Browsers are told to load nothing and run nothing.
    #[must_use]
    pub fn to_html(&self) -> String {
        Page(self).to_string()
    }
}

struct Page<'a>(&'a Document);

impl Display for Page<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" \
             content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>Fan-out load test, {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n",
            Escaped(self.0.finished_at)
        )?;
        self.header(f)?;
        writeln!(f, "<main>")?;
        self.objectives(f)?;
        self.charts(f)?;
        self.errors(f)?;
        self.facts(f)?;
        self.ledger(f)?;
        write!(f, "</main>\n</body>\n</html>\n")
    }
}

impl Page<'_> {
    fn header(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let document = self.0;
        let (class, verdict) = match document.outcome {
            Outcome::Complete => ("good", "Everybody received everything"),
            Outcome::Missing => ("bad", "Something is missing"),
            Outcome::Unreachable => ("bad", "Nothing could be measured"),
            Outcome::NoLedger => (
                "bad",
                "Everybody received everything; the ledger is missing",
            ),
            Outcome::Interrupted => ("bad", "Interrupted: the figures cover what ran until then"),
        };
        write!(
            f,
            "<header>\n<h1>Fan-out load test</h1>\n\
             <p><span class=\"verdict {class}\">{verdict}</span>{}</p>\n\
             <p>{} subscribers, {} notifications at {}, finished <time>{}</time></p>\n<dl class=\"tiles\">\n",
            self.objectives_broken(),
            grouped(document.settings.subscribers.into()),
            grouped(document.settings.notifications),
            rate(document.settings.notifications_per_second),
            Escaped(document.finished_at)
        )?;
        let latency = |value: fn(LatencySummary) -> u64| {
            document
                .latency_us
                .map_or("–".to_owned(), |of| micros(value(of)))
        };
        let throughput = document.deliveries_per_second;
        let tiles = [
            (
                "Reach",
                document.reach_basis_points.map_or("–".to_owned(), percent),
            ),
            ("Median", latency(|of| of.p50)),
            ("99 %", latency(|of| of.p99)),
            ("Longest", latency(|of| of.max)),
            ("Deliveries", throughput.map_or("–".to_owned(), per_second)),
            ("Missing", grouped(document.missing)),
            ("Duplicates", grouped(document.counts.duplicates)),
        ];
        for (name, value) in tiles {
            writeln!(f, "<div><dt>{name}</dt><dd>{value}</dd></div>")?;
        }
        writeln!(f, "</dl>")?;
        for bottleneck in &document.bottlenecks {
            writeln!(
                f,
                "<p class=\"note\">The load test was a bottleneck: {}. The system may do better.</p>",
                Escaped(bottleneck)
            )?;
        }
        writeln!(f, "</header>")
    }

    fn objectives_broken(&self) -> String {
        let objectives = &self.0.objectives;
        let broken = objectives.iter().filter(|of| !of.holds).count();
        match (objectives.len(), broken) {
            (0, _) => String::new(),
            (_, 0) => "<span class=\"verdict good\">Every objective holds</span>".to_owned(),
            (all, broken) => {
                format!("<span class=\"verdict bad\">{broken} of {all} objectives broken</span>")
            }
        }
    }

    fn objectives(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let objectives = &self.0.objectives;
        if objectives.is_empty() {
            return Ok(());
        }
        let rows = objectives.iter().map(|of| {
            let measured = of.measured.as_deref().unwrap_or("nothing to measure");
            let class = if of.holds { "good" } else { "bad" };
            let holds = if of.holds { "holds" } else { "broken" };
            format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"{class}\">{holds}</td></tr>\n",
                Escaped(&of.objective),
                Escaped(measured)
            )
        });
        section(
            f,
            "Objectives",
            &table(&["objective", "measured", ""], &rows.collect::<String>()),
        )
    }

    fn charts(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let document = self.0;
        let chart = |f: &mut Formatter<'_>, heading, chart: Option<Chart>, table: &str| match chart
        {
            Some(chart) => section(
                f,
                heading,
                &format!(
                    "<div class=\"beside\">\n<figure>\n{}\n{chart}</figure>\n{table}</div>",
                    chart.legend()
                ),
            ),
            None => section(f, heading, "<p>Nothing arrived.</p>"),
        };
        chart(
            f,
            "Latency distribution",
            charts::distribution(document),
            &tables::percentiles(document),
        )?;
        chart(
            f,
            "Latency over time",
            charts::over_time(document),
            &tables::timeline(document),
        )?;
        chart(
            f,
            "Fan-out",
            charts::fan_out(document),
            &tables::fan_out(document),
        )?;
        chart(
            f,
            "Throughput",
            charts::throughput(document),
            &tables::throughput(document),
        )
    }

    /// Every count that should be zero, the others in grey.
    fn errors(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let document = self.0;
        let counts = &document.counts;
        let (connect, publish) = (
            document.first_connect_error.as_deref().unwrap_or_default(),
            document.first_publish_error.as_deref().unwrap_or_default(),
        );
        let late = format!("the latest by {} ms", document.latest_send_late_by_ms);
        let lines = [
            ("deliveries missing", document.missing, ""),
            ("deliveries received again", counts.duplicates, ""),
            ("could not connect", counts.connect_failures, connect),
            ("connects retried", counts.connect_retries, connect),
            ("unexpected closes", counts.unexpected_closes, ""),
            ("reconnected", counts.reconnects, ""),
            ("excused", counts.excused, ""),
            ("out of order", counts.out_of_order, ""),
            ("not expected", counts.extra, ""),
            ("to another topic", counts.misdirected, ""),
            ("publishes failed", counts.publish_errors, publish),
            ("publishes unanswered", counts.unanswered, ""),
            ("sent late", counts.late_sends, late.as_str()),
            ("unattributed frames", counts.unattributed, ""),
            ("given up in memory", counts.given_up, ""),
            ("other frames", counts.other_frames, ""),
        ];
        let rows = lines.into_iter().map(|(name, count, detail)| {
            let (class, detail) = if count == 0 {
                ("none", "")
            } else {
                ("some", detail)
            };
            format!(
                "<tr class=\"{class}\"><th scope=\"row\">{name}</th><td>{}</td>\
                 <td class=\"detail\">{}</td></tr>\n",
                grouped(count),
                Escaped(detail)
            )
        });
        section(
            f,
            "Errors",
            &table(
                &["", "count", "the first, or the worst"],
                &rows.collect::<String>(),
            ),
        )
    }

    fn facts(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "<div class=\"pair\">")?;
        section(f, "Settings", &facts::settings(self.0))?;
        section(f, "Machine", &facts::machine(self.0))?;
        writeln!(f, "</div>")
    }

    fn ledger(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(ledger) = &self.0.ledger else {
            return Ok(());
        };
        let (location, found) = match ledger {
            Ledger::Record { location, record } => {
                (location, format!("<pre>{}</pre>", Escaped(record)))
            }
            Ledger::Unavailable { location, reason } => (
                location,
                format!("<p>not available: {}</p>", Escaped(reason)),
            ),
        };
        section(
            f,
            "Ledger of the latest notification",
            &format!("<p>{}</p>\n{found}", Escaped(location)),
        )
    }
}

fn section(f: &mut Formatter<'_>, heading: &str, content: &str) -> fmt::Result {
    writeln!(f, "<section>\n<h2>{heading}</h2>\n{content}\n</section>")
}
