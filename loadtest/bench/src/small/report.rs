//! How much of a small notification's time is the functions' own.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::Options;
use super::measurement::{Latency, Measurement};
use crate::figures::{Unit, optional};
use crate::goal::{Goal, Goals};
use crate::machine::Machine;
use crate::spread::Spread;

/// How much longer than with empty functions it may take.
const TIMES_EMPTY: f64 = 1.5;

const LEGEND: &str = "\
From the POST to the frame at each socket. Three stacks run at once on this machine, \
one with the functions and two with empty ones, which take the same hops by the same \
clients on the same runtime: API Gateway, `publish`, SQS, `worker`, `@connections`, \
socket. Those that ask the tables make three requests before the first push, by the \
operations and at the moments of the functions' own, and for as little as can be: a \
record, a lease without a condition, and the audience. The others make none. The three \
have their turns at fixed times, in an order that is drawn anew for each, however long \
the earlier ones take. Medians of the rounds, with the lowest and the highest in \
brackets; **×** is each round's own ratio.
";

const UNOPTIMISED: &str = "\
The empty functions were built without optimisation (no `--release`): compare them \
with a stack that was built so too.";

/// Every round. As text it is Markdown.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    machine: Machine,
    subscribers: u16,
    orders: u32,
    per_second: u32,
    /// Whether the empty functions are.
    is_optimised: bool,
    rounds: Vec<Measurement>,
    median: Option<Row>,
    p99: Option<Row>,
    goals: Goals,
}

/// One percentile, in seconds.
#[derive(Clone, Copy, Debug, Serialize)]
struct Row {
    real: Spread,
    /// Of empty functions that ask the tables.
    asking: Compared,
    /// Of those that do not.
    hollow: Compared,
}

/// What the functions are compared with.
#[derive(Clone, Copy, Debug, Serialize)]
struct Compared {
    seconds: Spread,
    /// How many times as long the functions take.
    ratio: Spread,
}

impl Report {
    /// Sums up the rounds.
    pub(super) fn new(machine: Machine, options: &Options, rounds: Vec<Measurement>) -> Self {
        let median = Row::of(&rounds, |latency| latency.median_seconds);
        let p99 = Row::of(&rounds, |latency| latency.p99_seconds);
        let rows = [("median", median), ("99th percentile", p99)];
        let rows = rows
            .into_iter()
            .filter_map(|(what, row)| Some((what, row?)));
        let goals = rows.flat_map(|(what, row)| {
            [(" that ask the tables", row.asking), ("", row.hollow)].map(|(which, compared)| Goal {
                what: format!("{what} by that of empty functions{which}"),
                at_most: TIMES_EMPTY,
                measured: compared.ratio.median,
            })
        });
        Self {
            machine,
            subscribers: options.subscribers,
            orders: options.orders,
            per_second: options.rate.get(),
            is_optimised: !cfg!(debug_assertions),
            median,
            p99,
            goals: Goals(goals.collect()),
            rounds,
        }
    }
}

impl Row {
    fn of(rounds: &[Measurement], figure: fn(&Latency) -> f64) -> Option<Self> {
        let compared = |side: fn(&Measurement) -> &Latency| {
            let ratio = |round: &Measurement| figure(&round.real) / figure(side(round));
            Some(Compared {
                seconds: Spread::of(rounds.iter().map(|round| figure(side(round))))?,
                ratio: Spread::of(rounds.iter().map(ratio))?,
            })
        };
        Some(Self {
            real: Spread::of(rounds.iter().map(|round| figure(&round.real)))?,
            asking: compared(|round| &round.asking)?,
            hollow: compared(|round| &round.hollow)?,
        })
    }

    /// What is in one column of the table, from top to bottom.
    fn cells(row: Option<Self>) -> [String; 5] {
        let figures = row.map(|row| {
            let Self {
                real,
                asking,
                hollow,
            } = row;
            [
                real,
                asking.seconds,
                asking.ratio,
                hollow.seconds,
                hollow.ratio,
            ]
        });
        let (millis, ratio) = (Unit::MILLIS, Unit::RATIO);
        let mut figures = figures.into_iter().flatten();
        [&millis, &millis, &ratio, &millis, &ratio]
            .map(|unit| optional(figures.next().as_ref(), unit))
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let rounds = match self.rounds.len() {
            1 => "one round".to_owned(),
            several => format!("{several} rounds"),
        };
        writeln!(
            f,
            "### One order to {} sockets, {} orders at {}/s, {rounds}\n\n\
             | | median | p99 |\n|---|---:|---:|",
            self.subscribers, self.orders, self.per_second,
        )?;
        let names = [
            "these functions",
            "empty functions that ask the tables",
            "×",
            "empty functions",
            "×",
        ];
        let columns = Row::cells(self.median)
            .into_iter()
            .zip(Row::cells(self.p99));
        for (name, (median, p99)) in names.into_iter().zip(columns) {
            writeln!(f, "| {name} | {median} | {p99} |")?;
        }
        if !self.is_optimised {
            writeln!(f, "\n{UNOPTIMISED}")?;
        }
        writeln!(f, "\n{}\n{LEGEND}\n{}", self.goals, self.machine)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    fn round([real, asking, hollow]: [[u32; 2]; 3]) -> Measurement {
        let latency = |[median, p99]: [u32; 2]| Latency {
            frames: 2_500,
            median_seconds: f64::from(median) / 1e3,
            p99_seconds: f64::from(p99) / 1e3,
        };
        Measurement {
            real: latency(real),
            asking: latency(asking),
            hollow: latency(hollow),
        }
    }

    fn report(rounds: Vec<Measurement>) -> Report {
        let options = Cli::try_parse_from(["small"]).unwrap().options;
        Report {
            is_optimised: true,
            ..Report::new(Machine::default(), &options, rounds)
        }
    }

    #[test]
    fn ratios_are_each_rounds_own() {
        let rounds = vec![
            round([[12, 30], [12, 25], [10, 20]]),
            round([[40, 90], [20, 60], [20, 30]]),
            round([[13, 36], [10, 20], [10, 20]]),
        ];
        let report = report(rounds);
        let measured: Vec<_> = report.goals.0.iter().map(|goal| goal.measured).collect();
        for (measured, expected) in measured.iter().zip([1.3, 1.3, 1.5, 1.8]) {
            assert!((measured - expected).abs() < 1e-9, "{measured}");
        }
        let met: Vec<_> = report.goals.0.iter().map(Goal::is_met).collect();
        assert_eq!(met, [true, true, true, false]);
        insta::assert_snapshot!(report);
    }

    #[test]
    fn without_a_round_there_is_no_goal() {
        let report = report(Vec::new());
        assert!(report.goals.0.is_empty());
        assert!(report.to_string().contains("| × | – | – |"));
    }

    #[test]
    fn functions_that_are_slower_than_they_would_be_are_told() {
        let mut report = report(Vec::new());
        assert!(!report.to_string().contains(UNOPTIMISED));
        report.is_optimised = false;
        assert!(report.to_string().contains(UNOPTIMISED));
    }
}
