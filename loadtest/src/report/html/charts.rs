//! The four charts of a report.

use super::{
    chart::{Chart, Form, Series},
    scale::{Axis, Scale},
};
use crate::{
    curve::{CurveSummary, MarkSummary},
    latency::{LatencySummary, PercentilePoint},
    report::{
        Document,
        text::{grouped, micros},
    },
    timeline::{IntervalSummary, TimelineSummary},
};

/// Latency by percentile. The axis gives each further nine the same room, so
/// that the tail, which is what users wait for, can be read.
pub(super) fn distribution(document: &Document) -> Option<Chart> {
    let (latency, service) = (document.latency_us?, document.service_time_us?);
    let longest = latency.max.max(service.max);
    // The longest of n samples stands for the last nth of them.
    let end = number(latency.count).log10().max(1.0);
    let nines = |percentile: f64| -(1.0 - percentile / 100.0).max(0.0).log10();
    let at = |percentile| nines(percentile).min(end);
    let ticks = [
        (0.0, "0 %"),
        (50.0, "50 %"),
        (90.0, "90 %"),
        (99.0, "99 %"),
        (99.9, "99.9 %"),
        (99.99, "99.99 %"),
        (99.999, "99.999 %"),
        (99.9999, "99.9999 %"),
    ];
    let ticks = ticks
        .into_iter()
        .filter(|(percentile, _)| nines(*percentile) <= end + 1e-9);
    let line = |points: &[PercentilePoint]| {
        let points = points.iter();
        vec![
            points
                .map(|of| (at(of.percentile), number(of.us)))
                .collect(),
        ]
    };
    Some(Chart {
        id: "distribution",
        title: "Latency by percentile",
        description: format!(
            "Latency rises from a median of {} over {} at 99 % to at most {}.",
            micros(latency.p50),
            micros(latency.p99),
            micros(latency.max)
        ),
        x: Axis {
            label: "deliveries that took at most as long",
            scale: Scale::Linear { from: 0.0, to: end },
            ticks: ticks.map(|(of, name)| (at(of), name.to_owned())).collect(),
        },
        y: Axis::linear("latency", (0.0, number(longest)), short_micros),
        series: vec![
            Series {
                name: "latency, from the intended send",
                runs: line(&document.latency_distribution),
                form: Form::Line,
            },
            Series {
                name: "service time, from the actual send",
                runs: line(&document.service_time_distribution),
                form: Form::Line,
            },
        ],
    })
}

/// Latency over the time of the run.
pub(super) fn over_time(document: &Document) -> Option<Chart> {
    let timeline = &document.timeline;
    let LatencySummary { p50, max, .. } = document.latency_us?;
    let lowest = timeline.intervals.iter().filter_map(|of| of.p50_us).min()?;
    let series = |name, value: fn(&IntervalSummary) -> Option<u64>| Series {
        name,
        runs: runs(timeline, value),
        form: Form::Line,
    };
    Some(Chart {
        id: "over-time",
        title: "Latency over time",
        description: format!(
            "The latency of the deliveries that arrived in each {}, around a median of {} and \
             never above {}.",
            micros(timeline.interval_ms.saturating_mul(1_000)),
            micros(p50),
            micros(max)
        ),
        x: time_of(timeline)?,
        y: Axis::logarithmic("latency", (number(lowest), number(max)), short_micros),
        series: vec![
            series("median", |of| of.p50_us),
            series("99 %", |of| of.p99_us),
            series("longest", |of| of.max_us),
        ],
    })
}

/// How a notification spreads over its subscribers.
pub(super) fn fan_out(document: &Document) -> Option<Chart> {
    let CurveSummary {
        first,
        p50,
        p90,
        p99,
        all,
    } = document.fan_out_us;
    let marks = [
        (0.0, first),
        (50.0, p50),
        (90.0, p90),
        (99.0, p99),
        (100.0, all),
    ];
    let line = |name, value: fn(MarkSummary) -> u64| Series {
        name,
        runs: vec![
            marks
                .iter()
                .filter_map(|&(reached, mark)| Some((number(value(mark?)), reached)))
                .collect(),
        ],
        form: Form::Dots,
    };
    let slowest = marks
        .iter()
        .filter_map(|(_, mark)| Some((*mark)?.max))
        .max()?;
    let to_all = match all {
        Some(all) => format!(
            "The median notification reached everybody after {}, the slowest after {}.",
            micros(all.median),
            micros(all.max)
        ),
        None => "No notification reached everybody.".to_owned(),
    };
    Some(Chart {
        id: "fan-out",
        title: "Subscribers reached over time",
        description: to_all,
        x: Axis::linear(
            "time after the intended send",
            (0.0, number(slowest)),
            short_micros,
        ),
        y: Axis {
            label: "subscribers reached",
            scale: Scale::Linear {
                from: 0.0,
                to: 100.0,
            },
            ticks: [0.0, 25.0, 50.0, 75.0, 90.0, 100.0]
                .map(|percent| (percent, format!("{percent} %")))
                .into(),
        },
        series: vec![
            line("median notification", |mark| mark.median),
            line("slowest notification", |mark| mark.max),
        ],
    })
}

/// Deliveries a second over the time of the run.
pub(super) fn throughput(document: &Document) -> Option<Chart> {
    let timeline = &document.timeline;
    let rates = || timeline.intervals.iter().map(|of| rate(timeline, of));
    let highest = rates().max_by(f64::total_cmp)?;
    // A step for each interval.
    let steps = timeline
        .intervals
        .iter()
        .zip(rates())
        .flat_map(|(of, rate)| {
            let start = number(of.start_ms);
            [(start, rate), (start + number(timeline.interval_ms), rate)]
        });
    Some(Chart {
        id: "throughput",
        title: "Throughput over time",
        description: format!(
            "Deliveries in each {}, at most {} a second.",
            micros(timeline.interval_ms.saturating_mul(1_000)),
            grouped(whole(highest))
        ),
        x: time_of(timeline)?,
        y: Axis::linear("deliveries", (0.0, highest), |rate| {
            format!("{}/s", grouped(whole(rate)))
        }),
        series: vec![Series {
            name: "deliveries a second",
            runs: vec![steps.collect()],
            form: Form::Area,
        }],
    })
}

/// Deliveries a second in an interval.
pub(super) fn rate(timeline: &TimelineSummary, of: &IntervalSummary) -> f64 {
    number(of.deliveries) * 1_000.0 / number(timeline.interval_ms.max(1))
}

fn time_of(timeline: &TimelineSummary) -> Option<Axis> {
    let first = timeline.intervals.first()?.start_ms;
    let end = timeline.intervals.last()?.start_ms + timeline.interval_ms;
    let seconds = |ms: f64| format!("{} s", trimmed(ms / 1_000.0));
    Some(Axis::linear(
        "time since the run began",
        (number(first), number(end)),
        seconds,
    ))
}

/// A value of each interval at its middle, with gaps where nothing arrived.
fn runs(
    timeline: &TimelineSummary,
    value: fn(&IntervalSummary) -> Option<u64>,
) -> Vec<Vec<(f64, f64)>> {
    let half = number(timeline.interval_ms) / 2.0;
    timeline
        .intervals
        .split(|of| value(of).is_none())
        .filter(|run| !run.is_empty())
        .map(|run| {
            let points = run.iter().filter_map(|of| Some((of.start_ms, value(of)?)));
            points
                .map(|(start, us)| (number(start) + half, number(us)))
                .collect()
        })
        .collect()
}

/// Round microseconds in their unit: `500 µs`, `2.5 ms`, `1 s`.
fn short_micros(us: f64) -> String {
    match us {
        0.0 => "0".to_owned(),
        ..1_000.0 => format!("{} µs", trimmed(us)),
        1_000.0..1_000_000.0 => format!("{} ms", trimmed(us / 1_000.0)),
        _ => format!("{} s", trimmed(us / 1_000_000.0)),
    }
}

/// At most two digits after the point.
fn trimmed(value: f64) -> String {
    let fixed = format!("{value:.2}");
    fixed.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "drawn; a chart cannot show the difference"
)]
fn number(value: u64) -> f64 {
    value as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ticks are positive, and far below 2^52"
)]
pub(super) fn whole(value: f64) -> u64 {
    value.round() as u64
}
