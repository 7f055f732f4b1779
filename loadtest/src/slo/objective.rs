//! One objective: what it is about, its bound, and its words.

use std::{str::FromStr, time::Duration};

use super::Verdict;
use crate::{
    latency::{LatencySummary, micros},
    recorder::measurements::{Counts, Measurements},
    units::{Rate, parse_duration},
};

/// One objective, and the text that it was read from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Objective {
    /// As it was written.
    pub(super) text: String,
    bound: Bound,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Bound {
    Latency(Statistic, Comparison, Duration),
    /// In hundredths of a percent.
    Reach(Comparison, u64),
    Missing(Comparison, u64),
    Duplicates(Comparison, u64),
    Errors(Comparison, u64),
    Throughput(Comparison, Rate),
}

/// What an objective is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metric {
    Latency(Statistic),
    Reach,
    Missing,
    Duplicates,
    Errors,
    Throughput,
}

/// A figure of the latencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Statistic {
    Mean,
    P50,
    P90,
    P99,
    P99_9,
    P99_99,
    Max,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    Equal,
    AtLeast,
    More,
}

impl Objective {
    /// What it is about.
    pub(super) const fn metric(&self) -> Metric {
        match self.bound {
            Bound::Latency(statistic, ..) => Metric::Latency(statistic),
            Bound::Reach(..) => Metric::Reach,
            Bound::Missing(..) => Metric::Missing,
            Bound::Duplicates(..) => Metric::Duplicates,
            Bound::Errors(..) => Metric::Errors,
            Bound::Throughput(..) => Metric::Throughput,
        }
    }

    /// Holds a run to it.
    pub(super) fn judge(&self, measured: &Measurements) -> Verdict {
        let (shown, holds) = match self.bound.measure(measured) {
            Some((shown, holds)) => (Some(shown), holds),
            None => (None, false),
        };
        Verdict {
            objective: self.text.clone(),
            measured: shown,
            holds,
        }
    }
}

impl Bound {
    /// What was measured, and whether that is within the bound.
    fn measure(self, measured: &Measurements) -> Option<(String, bool)> {
        let counts = &measured.counts;
        let count = |samples: u64, count: u64, comparison: Comparison, bound: u64| {
            (samples > 0).then(|| (count.to_string(), comparison.holds(&count, &bound)))
        };
        match self {
            Self::Latency(statistic, comparison, bound) => {
                let us = statistic.of(&measured.latency_us?);
                let shown = shown(us);
                // Latencies are whole microseconds, bounds may be finer.
                Some((shown, comparison.holds(&us, &micros(bound))))
            }
            Self::Reach(comparison, bound) => {
                let reach = counts.reach_basis_points()?;
                let shown = format!("{}.{:02}%", reach / 100, reach % 100);
                Some((shown, comparison.holds(&reach, &bound)))
            }
            Self::Missing(by, bound) => count(counts.expected, counts.missing(), by, bound),
            Self::Duplicates(by, bound) => count(counts.received, counts.duplicates, by, bound),
            Self::Errors(by, bound) => {
                let attempts = counts.connected + counts.connect_failures + counts.sent;
                count(attempts, errors(counts), by, bound)
            }
            Self::Throughput(comparison, bound) => {
                let rate = measured.deliveries_per_second()?;
                let shown = format!("{rate:.2}/s");
                Some((shown, comparison.holds(&rate, &bound.as_per_second())))
            }
        }
    }
}

impl Statistic {
    const fn of(self, summary: &LatencySummary) -> u64 {
        match self {
            Self::Mean => summary.mean,
            Self::P50 => summary.p50,
            Self::P90 => summary.p90,
            Self::P99 => summary.p99,
            Self::P99_9 => summary.p99_9,
            Self::P99_99 => summary.p99_99,
            Self::Max => summary.max,
        }
    }
}

impl Comparison {
    fn holds<T: PartialOrd>(self, measured: &T, bound: &T) -> bool {
        match self {
            Self::Less => measured < bound,
            Self::AtMost => measured <= bound,
            Self::Equal => measured == bound,
            Self::AtLeast => measured >= bound,
            Self::More => measured > bound,
        }
    }
}

/// A time in the words of an objective.
fn shown(us: u64) -> String {
    match us {
        0..1_000 => format!("{us}us"),
        1_000..1_000_000 => format!("{}.{:03}ms", us / 1_000, us % 1_000),
        _ => format!("{}.{:06}s", us / 1_000_000, us % 1_000_000),
    }
}

/// Everything that went wrong but missing deliveries.
pub(super) const fn errors(counts: &Counts) -> u64 {
    counts.publish_errors
        + counts.unanswered
        + counts.connect_failures
        + counts.unexpected_closes
        + counts.misdirected
}

impl FromStr for Objective {
    type Err = SloError;

    fn from_str(text: &str) -> Result<Self, SloError> {
        let text = text.trim();
        let error = |reason: fn(String) -> SloError| reason(text.to_owned());
        let (name, comparison, value) = split(text).ok_or_else(|| error(SloError::Form))?;
        let metric = Metric::named(name).ok_or_else(|| SloError::Metric(name.to_owned()))?;
        let is_below = matches!(comparison, Comparison::Less | Comparison::AtMost);
        let is_count = is_below || comparison == Comparison::Equal;
        let count = |reason| match value.parse::<u64>() {
            Ok(count) if is_count => Ok((comparison, count)),
            _ => Err(error(reason)),
        };
        let bound = match metric {
            Metric::Latency(statistic) => parse_duration(value)
                .ok()
                .filter(|bound| is_below && bound.as_nanos().is_multiple_of(1_000))
                .map(|bound| Bound::Latency(statistic, comparison, bound))
                .ok_or_else(|| error(SloError::Latency))?,
            Metric::Reach => basis_points(value)
                .filter(|_| matches!(comparison, Comparison::Equal | Comparison::AtLeast))
                .map(|bound| Bound::Reach(comparison, bound))
                .ok_or_else(|| error(SloError::Reach))?,
            Metric::Missing => count(SloError::Count).map(|(by, most)| Bound::Missing(by, most))?,
            Metric::Duplicates => {
                count(SloError::Count).map(|(by, most)| Bound::Duplicates(by, most))?
            }
            Metric::Errors => count(SloError::Count).map(|(by, most)| Bound::Errors(by, most))?,
            Metric::Throughput => value
                .parse()
                .ok()
                .filter(|_| matches!(comparison, Comparison::AtLeast | Comparison::More))
                .map(|least| Bound::Throughput(comparison, least))
                .ok_or_else(|| error(SloError::Throughput))?,
        };
        Ok(Self {
            text: text.to_owned(),
            bound,
        })
    }
}

impl Metric {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "mean" => Self::Latency(Statistic::Mean),
            "p50" => Self::Latency(Statistic::P50),
            "p90" => Self::Latency(Statistic::P90),
            "p99" => Self::Latency(Statistic::P99),
            "p99.9" => Self::Latency(Statistic::P99_9),
            "p99.99" => Self::Latency(Statistic::P99_99),
            "max" => Self::Latency(Statistic::Max),
            "reach" => Self::Reach,
            "missing" => Self::Missing,
            "duplicates" => Self::Duplicates,
            "errors" => Self::Errors,
            "throughput" => Self::Throughput,
            _ => return None,
        })
    }
}

/// `p99<=500ms` as `p99`, at most, `500ms`.
fn split(text: &str) -> Option<(&str, Comparison, &str)> {
    // Longer signs first: each begins with a shorter one.
    const SIGNS: [(&str, Comparison); 5] = [
        ("<=", Comparison::AtMost),
        (">=", Comparison::AtLeast),
        ("<", Comparison::Less),
        (">", Comparison::More),
        ("=", Comparison::Equal),
    ];
    let (name, rest) = text.split_at(text.find(['<', '=', '>'])?);
    let (comparison, value) = SIGNS
        .into_iter()
        .find_map(|(sign, comparison)| Some((comparison, rest.strip_prefix(sign)?)))?;
    Some((name.trim(), comparison, value.trim()))
}

/// `99.95%` as 9,995 hundredths of a percent; at most two digits after the
/// point, and at most 100 %.
fn basis_points(text: &str) -> Option<u64> {
    let number = text.strip_suffix('%')?.trim_end();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || whole.len() > 3 || fraction.len() > 2 {
        return None;
    }
    let hundredths = format!("{fraction:0<2}").parse::<u64>().ok()?;
    let points = whole.parse::<u64>().ok()? * 100 + hundredths;
    (points <= 10_000).then_some(points)
}

/// Not an objective; the message says what would be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SloError {
    /// No comparison.
    #[error("expected an objective such as p99<500ms or reach=100%, got \"{0}\"")]
    Form(String),
    /// A name that means nothing.
    #[error(
        "unknown metric \"{0}\": expected p50, p90, p99, p99.9, p99.99, mean, max, reach, \
         missing, duplicates, errors or throughput"
    )]
    Metric(String),
    /// A latency is bounded from above, by a time.
    #[error("expected < or <= and a time with its unit such as p99<500ms, got \"{0}\"")]
    Latency(String),
    /// A reach is a percentage.
    #[error("expected = or >= and a percentage such as reach>=99.95%, got \"{0}\"")]
    Reach(String),
    /// A count is bounded from above.
    #[error("expected =, < or <= and a whole number such as duplicates<=10, got \"{0}\"")]
    Count(String),
    /// A throughput is bounded from below, by a rate.
    #[error("expected >= or > and a rate such as throughput>=5000/s, got \"{0}\"")]
    Throughput(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_as_an_objective_would_say_it() {
        let of = [1, 999, 1_000, 49_567, 1_500_000].map(shown);
        assert_eq!(of, ["1us", "999us", "1.000ms", "49.567ms", "1.500000s"]);
    }
}
