//! What a delivery costs at each size, by what it costs at the size before.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

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
behind them how many times the figure of the size before: more than 1 where the cost \
grows faster than the work. Each run has a stack of its own without a quota, and the \
runs of different sizes alternate.

- **time**: from the POST to the last delivery. What every notification takes, \
whoever it is to, is a larger part of a small one's.
- **CPU**: of all workers; of the function that publishes; and of the stack that stands \
in for AWS, whose database works on the same cores.
- **requests**: what the functions ask. What Lambda asks for them, to receive tasks and \
to delete them, is not counted.
";

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
    connections: u32,
    costs: [Cost; 7],
    runs: Vec<Measurement>,
}

/// One figure for each delivery.
#[derive(Clone, Copy, Debug, Serialize)]
struct Cost {
    name: &'static str,
    unit: &'static str,
    each: Spread,
    times_the_size_before: Option<f64>,
}

/// How a run's figure is taken.
type Figure = fn(&Measurement) -> f64;

/// What is counted, with its unit, of all deliveries of a run.
const FIGURES: [(&str, &str, Figure); 7] = [
    ("time", " µs", |run| run.wall.as_secs_f64() * 1e6),
    ("CPU of the workers", " µs", |run| {
        run.workers_cpu.as_secs_f64() * 1e6
    }),
    ("CPU of publish", " µs", |run| {
        run.publish_cpu.as_secs_f64() * 1e6
    }),
    ("CPU of the stack", " µs", |run| {
        run.stack_cpu.as_secs_f64() * 1e6
    }),
    ("@connections requests", "", |run| real(run.effort.pushes)),
    ("DynamoDB requests of 1,000", "", |run| {
        real(run.dynamodb.sum()) * 1e3
    }),
    ("SQS requests of 1,000", "", |run| real(run.sqs.sum()) * 1e3),
];

impl Report {
    /// Sums up what was measured; sizes without a run are left out.
    pub(super) fn new(machine: Machine, measured: Vec<(u32, Vec<Measurement>)>) -> Self {
        let rows = measured
            .into_iter()
            .filter_map(|(connections, runs)| Row::new(connections, runs));
        let mut rows: Vec<Row> = rows.collect();
        rows.sort_by_key(|row| row.connections);
        let mut before: Option<Row> = None;
        for row in &mut rows {
            if let Some(before) = &before {
                row.compare_with(before);
            }
            before = Some(row.clone());
        }
        Self {
            machine,
            goals: Goals(rows.iter().flat_map(Row::goals).collect()),
            rows,
        }
    }
}

impl Row {
    fn new(connections: u32, runs: Vec<Measurement>) -> Option<Self> {
        let costs = FIGURES.map(|(name, unit, figure)| {
            let each = runs.iter().map(|run| figure(run) / real(run.deliveries));
            Some(Cost {
                name,
                unit,
                each: Spread::of(each)?,
                times_the_size_before: None,
            })
        });
        let [time, workers, publish, stack, pushes, dynamodb, sqs] = costs;
        Some(Self {
            connections,
            costs: [time?, workers?, publish?, stack?, pushes?, dynamodb?, sqs?],
            runs,
        })
    }

    fn compare_with(&mut self, before: &Self) {
        for (cost, before) in self.costs.iter_mut().zip(&before.costs) {
            cost.times_the_size_before = cost.each.times(&before.each);
        }
    }

    fn goals(&self) -> Vec<Goal> {
        let goals = self.costs.iter().filter_map(|cost| {
            Some(Goal {
                what: format!(
                    "{} subscribers, {} by that of the size before",
                    thousands(self.connections.into()),
                    cost.name
                ),
                at_most: TIMES_THE_SIZE_BEFORE,
                measured: cost.times_the_size_before?,
            })
        });
        goals.collect()
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let names = FIGURES.map(|(name, _, _)| name).join(" | ");
        writeln!(f, "### What a delivery costs\n\n| subscribers | {names} |")?;
        writeln!(f, "|---:|{}", "---:|".repeat(FIGURES.len()))?;
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        writeln!(f, "\n{}\n{LEGEND}\n{}", self.goals, self.machine)
    }
}

impl Display for Row {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "| {} |", thousands(self.connections.into()))?;
        for cost in &self.costs {
            write!(f, " {cost} |")?;
        }
        Ok(())
    }
}

impl Display for Cost {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Spread {
            median,
            lowest,
            highest,
        } = self.each;
        write!(f, "{}{}", significant(median), self.unit)?;
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
    use std::time::Duration;

    use super::*;
    use crate::tasks::Effort;

    fn run(deliveries: u64, cpu_millis: u64) -> Measurement {
        Measurement {
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

    fn report() -> Report {
        let measured = vec![
            (10_000, vec![run(20_000, 1_260), run(20_000, 1_240)]),
            (1_000, vec![run(20_000, 1_000)]),
            (100_000, Vec::new()),
        ];
        Report::new(Machine::default(), measured)
    }

    #[test]
    fn each_size_is_compared_with_the_one_before() {
        let report = report();
        let sizes: Vec<_> = report.rows.iter().map(|row| row.connections).collect();
        assert_eq!(sizes, [1_000, 10_000]);
        assert_eq!(report.rows[0].costs[1].times_the_size_before, None);
        assert_eq!(report.rows[1].costs[1].times_the_size_before, Some(1.25));
        let unmet: Vec<_> = report
            .goals
            .0
            .iter()
            .filter(|goal| !goal.is_met())
            .map(|goal| goal.what.as_str())
            .collect();
        assert_eq!(unmet.len(), 3, "{unmet:?}");
    }

    #[test]
    fn costs_as_markdown() {
        insta::assert_snapshot!(report());
    }
}
