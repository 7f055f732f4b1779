//! How far above the floor the broadcasts were.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::Quota;
use super::audience::Audience;
use super::measurement::Measurement;
use crate::figures::{Unit, optional, significant, thousands, written};
use crate::goal::{Goal, Goals};
use crate::machine::Machine;
use crate::spread::{Spread, real};

/// What a broadcast is held to: its time by the floor where that is short, and
/// where it is long; the part of its requests that is throttled; the memory of
/// each worker in bytes, and how much it may grow.
const SMALL_AUDIENCE: u64 = 20_000;
const TIMES_THE_FLOOR_OF_SMALL: f64 = 1.05;
const TIMES_THE_FLOOR: f64 = 1.02;
const THROTTLED: f64 = 0.01;
const MEMORY_MIB: f64 = 64.0;
const GROWTH: f64 = 1.05;

const LEGEND: &str = "\
Medians, with the lowest and the highest of several runs in brackets; each run has a \
stack of its own, and the runs of different audiences alternate. The gateway enforces \
the account's bucket, which is full at the POST; the workers are warm.

- **floor**: (subscribers − burst) / rate.
- **last delivery**: from the POST to the last frame that a socket received, or the \
last push that the gateway took for a simulated subscriber; **×** is by the floor.
- **throttled**: of all pushes that were tried.
- **memory**: the most that any worker ever had resident; **growth** is the most of the \
last quarter of the broadcast by the most of its second.
- **CPU**: of all workers, and of the stack that stands in for AWS, the opening of its \
sockets included. Stack, workers and load test share the machine.
";

/// Every broadcast. As text it is Markdown.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    machine: Machine,
    quota: Quota,
    rows: Vec<Row>,
    goals: Goals,
}

#[derive(Clone, Debug, Serialize)]
struct Row {
    audience: Audience,
    floor_seconds: f64,
    reached: Spread,
    last_delivery_seconds: Option<Spread>,
    times_the_floor: Option<Spread>,
    /// Of the pushes that were tried.
    throttled_part: Option<Spread>,
    peak_bytes: Spread,
    growth: Option<Spread>,
    workers_cpu_seconds: Spread,
    stack_cpu_seconds: Spread,
    runs: Vec<Measurement>,
}

impl Report {
    /// Sums up what was measured; audiences without a run are left out.
    pub(super) fn new(
        machine: Machine,
        quota: Quota,
        measured: Vec<(Audience, Vec<Measurement>)>,
    ) -> Self {
        let rows = measured
            .into_iter()
            .filter_map(|(audience, runs)| Row::new(audience, quota, runs));
        let rows: Vec<Row> = rows.collect();
        Self {
            machine,
            quota,
            goals: Goals(rows.iter().flat_map(Row::goals).collect()),
            rows,
        }
    }

    /// Whether everybody was reached in every run.
    pub(super) fn is_complete(&self) -> bool {
        let mut rows = self.rows.iter();
        rows.all(|row| {
            let subscribers = row.audience.subscribers();
            row.runs.iter().all(|run| run.reached == subscribers)
        })
    }
}

impl Row {
    fn new(audience: Audience, quota: Quota, runs: Vec<Measurement>) -> Option<Self> {
        let of = |figure: fn(&Measurement) -> f64| Spread::of(runs.iter().map(figure));
        let floor_seconds = audience.floor(quota).as_secs_f64();
        let seconds = || {
            let spans = runs.iter().filter_map(|run| run.last_delivery);
            spans.map(|span| span.as_secs_f64())
        };
        let tried = runs.iter().filter(|run| run.effort.pushes > 0);
        let throttled = tried.map(|run| real(run.effort.throttled) / real(run.effort.pushes));
        Some(Self {
            audience,
            floor_seconds,
            reached: of(|run| real(run.reached))?,
            last_delivery_seconds: Spread::of(seconds()),
            times_the_floor: (floor_seconds > 0.0)
                .then(|| Spread::of(seconds().map(|seconds| seconds / floor_seconds)))
                .flatten(),
            throttled_part: Spread::of(throttled),
            peak_bytes: of(|run| real(run.peak_bytes))?,
            growth: Spread::of(runs.iter().filter_map(|run| run.growth)),
            workers_cpu_seconds: of(|run| run.workers_cpu.as_secs_f64())?,
            stack_cpu_seconds: of(|run| run.stack_cpu.as_secs_f64())?,
            runs,
        })
    }

    fn goals(&self) -> Vec<Goal> {
        let subscribers = self.audience.subscribers();
        let times = match subscribers {
            ..=SMALL_AUDIENCE => TIMES_THE_FLOOR_OF_SMALL,
            _ => TIMES_THE_FLOOR,
        };
        let median = |spread: Option<Spread>| spread.map(|spread| spread.median);
        let figures = [
            ("time by the floor", times, median(self.times_the_floor)),
            (
                "part of the pushes that was throttled",
                THROTTLED,
                median(self.throttled_part),
            ),
            (
                "MiB of memory of a worker",
                MEMORY_MIB,
                // Throughout: in no run more.
                Some(self.peak_bytes.highest / 1_048_576.0),
            ),
            ("growth of it", GROWTH, median(self.growth)),
        ];
        let subscribers = thousands(subscribers);
        let goals = figures.into_iter().filter_map(|(what, at_most, measured)| {
            Some(Goal {
                what: format!("{subscribers} subscribers, {what}"),
                at_most,
                measured: measured?,
            })
        });
        goals.collect()
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (rate, burst) = (self.quota.rate.get(), self.quota.burst.get());
        writeln!(
            f,
            "### Broadcasts at {}/s and a burst of {}\n\n\
             | subscribers | reached | floor | last delivery | × | throttled | memory | growth | CPU of the workers | of the stack |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
            thousands(rate.into()),
            thousands(burst.into()),
        )?;
        for row in &self.rows {
            writeln!(f, "{row}")?;
        }
        writeln!(f, "\n{}\n{LEGEND}\n{}", self.goals, self.machine)
    }
}

impl Display for Row {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "| {} | {} | {} s | {} | {} | {} | {} | {} | {} | {} |",
            self.audience,
            written(&self.reached, &Unit::COUNT),
            significant(self.floor_seconds),
            optional(self.last_delivery_seconds.as_ref(), &Unit::SECONDS),
            optional(self.times_the_floor.as_ref(), &Unit::RATIO),
            optional(self.throttled_part.as_ref(), &Unit::PERCENT),
            written(&self.peak_bytes, &Unit::MEBIBYTES),
            optional(self.growth.as_ref(), &Unit::RATIO),
            written(&self.workers_cpu_seconds, &Unit::SECONDS),
            written(&self.stack_cpu_seconds, &Unit::SECONDS),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::*;
    use crate::tasks::Effort;

    const QUOTA: Quota = Quota {
        rate: NonZeroU32::new(10_000).unwrap(),
        burst: NonZeroU32::new(5_000).unwrap(),
    };
    const SOCKETS: Audience = Audience {
        sockets: 18_000,
        simulated: 2_000,
    };

    fn run(reached: u64, millis: u64) -> Measurement {
        Measurement {
            reached,
            duplicates: 0,
            last_delivery: Some(Duration::from_millis(millis)),
            effort: Effort {
                tasks: 9,
                pushes: reached + 100,
                throttled: 100,
                transient: 0,
            },
            peak_bytes: 32 * 1_048_576,
            growth: Some(1.01),
            workers_cpu: Duration::from_millis(900),
            stack_cpu: Duration::from_millis(1_800),
        }
    }

    fn report(runs: Vec<Measurement>) -> Report {
        let large = Audience {
            sockets: 0,
            simulated: 1_000_000,
        };
        let machine = Machine::default();
        Report::new(machine, QUOTA, vec![(SOCKETS, runs), (large, Vec::new())])
    }

    #[test]
    fn broadcasts_as_markdown() {
        let runs = vec![run(20_000, 1_530), run(20_000, 1_560), run(20_000, 1_800)];
        insta::assert_snapshot!(report(runs));
    }

    #[test]
    fn a_short_floor_leaves_more_room() {
        let met = |millis| report(vec![run(20_000, millis)]).goals.0[0].is_met();
        assert!(met(1_575) && !met(1_576));
    }

    #[test]
    fn everybody_is_to_be_reached_in_every_run() {
        assert!(report(vec![run(20_000, 1_530)]).is_complete());
        assert!(!report(vec![run(20_000, 1_530), run(19_999, 1_530)]).is_complete());
    }
}
