//! The report for people.

use std::{
    fmt::{self, Display, Formatter},
    time::Duration,
};

use super::{Ledger, Report};
use crate::{curve::MarkSummary, exit::Outcome, latency::LatencySummary, units::format_duration};

pub(super) struct Text<'a>(pub(super) &'a Report);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.settings(f)?;
        self.reach(f)?;
        self.percentiles(f)?;
        self.fan_out(f)?;
        self.throughput(f)?;
        self.own_load(f)?;
        self.errors(f)?;
        self.ledger(f)
    }
}

impl Text<'_> {
    fn settings(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let settings = &self.0.settings;
        writeln!(
            f,
            "subscribers    {} at {}, opened at {}",
            grouped(settings.subscribers.into()),
            settings.ws,
            rate(settings.ramp_per_second)
        )?;
        match &settings.publish {
            Some(publish) => writeln!(
                f,
                "notifications  {} to {publish}, published at {}",
                grouped(settings.notifications),
                rate(settings.notifications_per_second)
            )?,
            None => writeln!(
                f,
                "notifications  published by another process, listened to for {}",
                format_ms(settings.lasting_ms)
            )?,
        }
        writeln!(f, "drain timeout  {}", format_ms(settings.drain_timeout_ms))?;
        if self.0.outcome == Outcome::Interrupted {
            writeln!(f, "interrupted    the figures cover what ran until then")?;
        }
        writeln!(f)
    }

    fn reach(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let counts = &self.0.measurements.counts;
        write!(
            f,
            "received       {} of {} expected",
            grouped(counts.received),
            grouped(counts.expected)
        )?;
        if let Some(reach) = counts.reach_basis_points() {
            write!(f, " ({}.{:02} %)", reach / 100, reach % 100)?;
        }
        writeln!(f)?;
        writeln!(f, "missing        {}", grouped(counts.missing()))?;
        writeln!(f, "duplicates     {}", grouped(counts.duplicates))?;
        writeln!(f)
    }

    fn percentiles(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let measured = &self.0.measurements;
        row(f, "", ["p50", "p90", "p99", "p99.9", "max"])?;
        percentile_row(f, "latency", measured.latency_us)?;
        percentile_row(f, "service time", measured.service_time_us)?;
        percentile_row(f, "connect", measured.connect_latency_us)?;
        writeln!(f)
    }

    fn fan_out(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let curve = &self.0.measurements.fan_out_us;
        let marks = [curve.first, curve.p50, curve.p90, curve.p99, curve.all];
        let cells = |value: fn(MarkSummary) -> u64| {
            marks.map(|mark| mark.map_or("-".to_owned(), |mark| micros(value(mark))))
        };
        row(
            f,
            "time to reach",
            ["first", "50 %", "90 %", "99 %", "100 %"],
        )?;
        row(f, "median", cells(|mark| mark.median))?;
        row(f, "slowest", cells(|mark| mark.max))?;
        writeln!(f)
    }

    fn throughput(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let measured = &self.0.measurements;
        let Some((rate, busy)) = measured.deliveries_per_second().zip(measured.busy) else {
            return Ok(());
        };
        writeln!(
            f,
            "deliveries     {rate:.0}/s over {:.3} s",
            busy.as_secs_f64()
        )
    }

    /// What the tool itself took, and whether that was too much.
    fn own_load(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for own in &self.0.measurements.recorded.own {
            let cpu = Duration::from_micros(own.cpu_us).as_secs_f64();
            let percent = own.cpu_percent().unwrap_or_default();
            write!(
                f,
                "own load       {cpu:.2} s of CPU ({percent} % of {})",
                own.cpus
            )?;
            if let Some(bytes) = own.bytes_per_subscriber() {
                write!(f, ", {} KB a subscriber", bytes / 1024)?;
            }
            writeln!(
                f,
                ", {} of {} timers late, the latest by {}",
                grouped(own.late_timers),
                grouped(own.timers),
                micros(own.latest_timer_us)
            )?;
        }
        for bottleneck in self.0.bottlenecks() {
            writeln!(
                f,
                "bottleneck     this tool: {bottleneck}; the system may do better than its figures"
            )?;
        }
        Ok(())
    }

    /// Every count that should be zero and is not.
    fn errors(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let measured = &self.0.measurements;
        let counts = &measured.counts;
        let (connect, publish) = (
            measured.first_connect_error.as_deref(),
            measured.first_publish_error.as_deref(),
        );
        let latest_send = format!("the latest by {} ms", measured.latest_send.as_millis());
        let lines = [
            ("could not connect", counts.connect_failures, connect),
            ("connects retried", counts.connect_retries, connect),
            ("unexpected closes", counts.unexpected_closes, None),
            ("reconnected", counts.reconnects, None),
            ("excused", counts.excused, None),
            ("out of order", counts.out_of_order, None),
            ("not expected", counts.extra, None),
            ("to another topic", counts.misdirected, None),
            ("publishes failed", counts.publish_errors, publish),
            ("publishes unanswered", counts.unanswered, None),
            ("sent late", counts.late_sends, Some(latest_send.as_str())),
            ("unattributed frames", counts.unattributed, None),
            ("given up in memory", counts.given_up, None),
            ("other frames", counts.other_frames, None),
        ];
        for (label, count, detail) in lines.into_iter().filter(|(_, count, _)| *count > 0) {
            write!(f, "{label:<21}{}", grouped(count))?;
            match detail {
                Some(detail) => writeln!(f, " ({detail})")?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }

    fn ledger(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.0.ledger {
            Some(Ledger::Record { location, record }) => {
                write!(f, "ledger         {location} {record}")
            }
            Some(Ledger::Unavailable { location, reason }) => {
                write!(f, "ledger         {location} not available: {reason}")
            }
            None if self.0.outcome == Outcome::Interrupted => {
                write!(f, "ledger         not asked for: interrupted")
            }
            None => write!(
                f,
                "ledger         not asked for: no publish answer named one"
            ),
        }
    }
}

fn format_ms(ms: u64) -> String {
    format_duration(Duration::from_millis(ms))
}

fn percentile_row(
    f: &mut Formatter<'_>,
    label: &str,
    summary: Option<LatencySummary>,
) -> fmt::Result {
    match summary {
        Some(of) => row(
            f,
            label,
            [of.p50, of.p90, of.p99, of.p99_9, of.max].map(micros),
        ),
        None => row(f, label, ["-"; 5]),
    }
}

fn row<T: Display>(f: &mut Formatter<'_>, label: &str, cells: [T; 5]) -> fmt::Result {
    write!(f, "{label:<13}")?;
    for cell in cells {
        write!(f, "{cell:>12}")?;
    }
    writeln!(f)
}

/// Microseconds in the unit that leaves at least three digits.
pub(crate) fn micros(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{}.{:02} ms", us / 1_000, us % 1_000 / 10),
        _ => format!("{}.{:02} s", us / 1_000_000, us % 1_000_000 / 10_000),
    }
}

/// A rate, at most four digits after the point.
pub(crate) fn rate(per_second: f64) -> String {
    let fixed = format!("{per_second:.4}");
    format!("{}/s", fixed.trim_end_matches('0').trim_end_matches('.'))
}

/// Writes a number with a comma between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let of = [0, 999, 1_000, 18_000, 1_234_567].map(grouped);
        assert_eq!(of, ["0", "999", "1,000", "18,000", "1,234,567"]);
    }

    #[test]
    fn rates_are_shown_without_idle_digits() {
        let of = [500.0, 0.5, 2.0 / 60.0].map(rate);
        assert_eq!(of, ["500/s", "0.5/s", "0.0333/s"]);
    }

    #[test]
    fn times_are_shown_in_a_fitting_unit() {
        let of = [1, 999, 1_000, 12_345, 999_999, 1_500_000].map(micros);
        assert_eq!(
            of,
            [
                "1 µs",
                "999 µs",
                "1.00 ms",
                "12.34 ms",
                "999.99 ms",
                "1.50 s"
            ]
        );
    }
}
