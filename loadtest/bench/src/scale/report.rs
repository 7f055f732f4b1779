//! What a delivery costs at each size, by what it costs at the size before.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};
use std::iter;
use std::time::Duration;

use serde::Serialize;

use super::counting::Instructions;
use super::measurement::Measurement;
use crate::figures::{significant, thousands};
use crate::goal::{Goal, Goals};
use crate::machine::Machine;
use crate::spread::{Spread, real};

/// How much more a delivery may cost than at the size before.
const TIMES_THE_SIZE_BEFORE: f64 = 1.05;

const LEGEND: &str = "\
Each figure is for one delivery; those of requests to DynamoDB and SQS are for a \
thousand. Medians, with the lowest and the highest of several runs in brackets, and \
behind them how many times the figure of the size before in the same turn, the median of \
the turns: more than 1 where the cost grows faster than the work. Each run has a stack of \
its own without a quota, and the runs of a turn follow one another. The workers are \
warm, and one of them pushes at a time, unless `--slice-workers` says otherwise.

- **time**: from the POST to the last delivery. What every notification takes, \
whoever it is to, is a larger part of a small one's.
- **instructions**: of all workers, counted by valgrind in one broadcast of their own \
(–: not counted, as above 100,000), beside those of hashing, which valgrind does in \
software. What else the machine does hardly changes them; the times of two runs may \
differ by a tenth.
- **CPU**: of all workers; of the function that publishes; and of the stack that stands \
in for AWS, whose database works on the same cores.
- **requests**: what the functions ask. What Lambda asks for them, to receive tasks and \
to delete them, is not counted.
";

/// What was measured of an audience of one size. As text it is that size.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Size {
    pub(super) connections: u32,
    pub(super) instructions: Option<Instructions>,
    pub(super) runs: Vec<Measurement>,
}

impl Size {
    /// Nothing yet.
    pub(super) fn new(connections: u32) -> Self {
        Self {
            connections,
            instructions: None,
            runs: Vec::new(),
        }
    }

    fn is_measured(&self) -> bool {
        self.instructions.is_some() || !self.runs.is_empty()
    }
}

impl Display for Size {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} subscribers", thousands(self.connections.into()))
    }
}

/// Every size. As text it is Markdown.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    machine: Machine,
    rows: Vec<Row>,
    goals: Goals,
}

#[derive(Clone, Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    size: Size,
    /// One for each column, where it was measured.
    costs: Vec<Option<Cost>>,
}

/// One figure for each delivery.
#[derive(Clone, Copy, Debug, Serialize)]
struct Cost {
    #[serde(flatten)]
    column: Column,
    each: Spread,
    times_the_size_before: Option<f64>,
}

/// What is told of every size.
#[derive(Clone, Copy, Debug, Serialize)]
struct Column {
    name: &'static str,
    unit: &'static str,
    #[serde(skip)]
    figure: Figure,
}

/// How a figure for one delivery is taken.
#[derive(Clone, Copy, Debug)]
enum Figure {
    /// Of all deliveries of a run.
    OfRun(fn(&Measurement) -> f64),
    Counted(fn(&Instructions) -> f64),
}

const COLUMNS: [Column; 8] = [
    Column::of_runs("time", " µs", |run| micros(run.wall)),
    Column {
        name: "instructions of the workers",
        unit: "",
        figure: Figure::Counted(|counted| counted.beside_hashing),
    },
    Column::of_runs("CPU of the workers", " µs", |run| micros(run.workers_cpu)),
    Column::of_runs("CPU of publish", " µs", |run| micros(run.publish_cpu)),
    Column::of_runs("CPU of the stack", " µs", |run| micros(run.stack_cpu)),
    Column::of_runs("@connections requests", "", |run| real(run.effort.pushes)),
    Column::of_runs("DynamoDB requests of 1,000", "", |run| {
        real(run.dynamodb.sum()) * 1e3
    }),
    Column::of_runs("SQS requests of 1,000", "", |run| real(run.sqs.sum()) * 1e3),
];

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

impl Column {
    const fn of_runs(
        name: &'static str,
        unit: &'static str,
        figure: fn(&Measurement) -> f64,
    ) -> Self {
        Self {
            name,
            unit,
            figure: Figure::OfRun(figure),
        }
    }

    /// What it says of a size, if that was measured, and how that is by the size
    /// before.
    fn cost(self, size: &Size, before: Option<&Size>) -> Option<Cost> {
        Some(Cost {
            column: self,
            each: Spread::of(self.of(size).map(|(_, each)| each))?,
            times_the_size_before: before.and_then(|before| self.times(size, before)),
        })
    }

    /// What it says of each run, with its turn, or of what was counted.
    fn of(self, size: &Size) -> impl Iterator<Item = (u16, f64)> {
        let (of_run, counted) = match self.figure {
            Figure::OfRun(figure) => (Some(figure), None),
            Figure::Counted(figure) => (None, size.instructions.as_ref().map(figure)),
        };
        let runs = of_run.into_iter().flat_map(|figure| {
            let runs = size.runs.iter();
            runs.map(move |run| (run.turn, figure(run) / real(run.deliveries)))
        });
        runs.chain(counted.map(|counted| (0, counted)))
    }

    /// How many times as much as at the size before, in the middle of all turns
    /// that have both.
    fn times(self, size: &Size, before: &Size) -> Option<f64> {
        let before: HashMap<u16, f64> = self.of(before).collect();
        let times = self.of(size).filter_map(|(turn, each)| {
            let before = before.get(&turn).filter(|before| **before > 0.0)?;
            Some(each / before)
        });
        Spread::of(times).map(|times| times.median)
    }
}

impl Report {
    /// Sums up what was measured; sizes of which nothing was are left out.
    pub(super) fn new(machine: Machine, sizes: Vec<Size>) -> Self {
        let mut sizes: Vec<_> = sizes.into_iter().filter(Size::is_measured).collect();
        sizes.sort_by_key(|size| size.connections);
        let before = iter::once(None).chain(sizes.iter().map(Some));
        let rows = sizes.iter().zip(before);
        let rows: Vec<_> = rows.map(|(size, before)| Row::new(size, before)).collect();
        Self {
            machine,
            goals: Goals(rows.iter().flat_map(Row::goals).collect()),
            rows,
        }
    }
}

impl Row {
    fn new(size: &Size, before: Option<&Size>) -> Self {
        let costs = COLUMNS.iter().map(|column| column.cost(size, before));
        Self {
            size: size.clone(),
            costs: costs.collect(),
        }
    }

    fn goals(&self) -> Vec<Goal> {
        let goals = self.costs.iter().flatten().filter_map(|cost| {
            let Column { name, .. } = cost.column;
            Some(Goal {
                what: format!("{}, {name} by that of the size before", self.size),
                at_most: TIMES_THE_SIZE_BEFORE,
                measured: cost.times_the_size_before?,
            })
        });
        goals.collect()
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let names = COLUMNS.map(|column| column.name).join(" | ");
        writeln!(f, "### What a delivery costs\n\n| subscribers | {names} |")?;
        writeln!(f, "|---:|{}", "---:|".repeat(COLUMNS.len()))?;
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        writeln!(f, "\n{}\n{LEGEND}\n{}", self.goals, self.machine)
    }
}

impl Display for Row {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "| {} |", thousands(self.size.connections.into()))?;
        self.costs.iter().try_for_each(|cost| match cost {
            Some(cost) => write!(f, " {cost} |"),
            None => f.write_str(" – |"),
        })
    }
}

impl Display for Cost {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Spread {
            median,
            lowest,
            highest,
        } = self.each;
        write!(f, "{}{}", significant(median), self.column.unit)?;
        if lowest < highest {
            write!(f, " ({}–{})", significant(lowest), significant(highest))?;
        }
        if let Some(times) = self.times_the_size_before {
            write!(f, ", × {}", significant(times))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::Effort;

    fn run(turn: u16, deliveries: u64, cpu_millis: u64) -> Measurement {
        Measurement {
            turn,
            broadcasts: 1,
            deliveries,
            wall: Duration::from_millis(cpu_millis * 3),
            workers_cpu: Duration::from_millis(cpu_millis),
            stack_cpu: Duration::from_millis(cpu_millis * 2),
            effort: Effort {
                pushes: deliveries,
                ..Effort::default()
            },
            ..Measurement::default()
        }
    }

    fn size(connections: u32, instructions: Option<f64>, runs: &[Measurement]) -> Size {
        Size {
            connections,
            instructions: instructions.map(|beside_hashing| Instructions {
                beside_hashing,
                hashing: 15_000.0,
            }),
            runs: runs.to_vec(),
        }
    }

    /// Of a machine that is half as fast in the second turn.
    fn report() -> Report {
        let ten_thousand = [run(1, 20_000, 1_250), run(2, 20_000, 2_500)];
        let thousand = [run(1, 20_000, 1_000), run(2, 20_000, 2_000)];
        let sizes = vec![
            size(10_000, Some(31_200.0), &ten_thousand),
            size(1_000, Some(30_000.0), &thousand),
            size(100_000, None, &[run(2, 100_000, 12_500)]),
            Size::new(1_000_000),
        ];
        Report::new(Machine::default(), sizes)
    }

    #[test]
    fn each_size_is_compared_with_the_one_before() {
        let report = report();
        let sizes: Vec<_> = report.rows.iter().map(|row| row.size.connections).collect();
        assert_eq!(sizes, [1_000, 10_000, 100_000]);
        let times =
            |row: usize, column: usize| report.rows[row].costs[column]?.times_the_size_before;
        assert_eq!(
            [times(0, 2), times(1, 2), times(2, 2)],
            [None, Some(1.25), Some(1.0)]
        );
        assert_eq!(
            [times(0, 1), times(1, 1), times(2, 1)],
            [None, Some(1.04), None]
        );
        let unmet = report.goals.0.iter().filter(|goal| !goal.is_met());
        let unmet: Vec<_> = unmet.map(|goal| goal.what.as_str()).collect();
        assert_eq!(unmet.len(), 3, "{unmet:?}");
    }

    #[test]
    fn costs_as_markdown() {
        insta::assert_snapshot!(report());
    }
}
