//! What all runs showed: medians, how far they lie apart, and ratios.

mod text;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::contestant::Contestant;
use super::measurement::Measurement;
use super::scenario::Scenario;
use crate::machine::Machine;
use crate::spread::{Spread, real};

/// What the pipeline is to be at, beside one push after the other and beside the
/// best handler on Node.
const GOAL_TIMES_AS_LONG: f64 = 50.0;
const GOAL_TIMES_THE_CPU: f64 = 5.0;
/// Where the first of them holds.
const GOAL_CONNECTIONS: u32 = 10_000;

/// A comparison. As text it is Markdown.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    pub(crate) machine: Machine,
    /// What ran the handlers, and its version.
    pub(crate) runtimes: Vec<String>,
    /// Who was left out, and why.
    pub(crate) left_out: Vec<String>,
    pub(crate) tables: Vec<Table>,
    pub(crate) goals: Vec<Goal>,
}

/// Everybody at one gateway.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Table {
    pub(crate) scenario: Scenario,
    pub(crate) rows: Vec<Row>,
}

/// One contestant at one gateway.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) contestant: Contestant,
    pub(crate) last_delivery_seconds: Option<Spread>,
    pub(crate) cpu_seconds: Spread,
    pub(crate) cpu_micros_per_delivery: Option<Spread>,
    pub(crate) peak_bytes: Spread,
    pub(crate) reached: Spread,
    pub(crate) rows_deleted: Spread,
    /// Its time to the last delivery by the pipeline's, where both reached
    /// everybody.
    pub(crate) times_as_long: Option<f64>,
    /// Its processor time a delivery by the pipeline's.
    pub(crate) times_the_cpu: Option<f64>,
    pub(crate) runs: Vec<Measurement>,
}

/// Whether the pipeline is as good as it should be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Goal {
    pub(crate) what: &'static str,
    pub(crate) at_least: f64,
    pub(crate) measured: f64,
    pub(crate) is_met: bool,
}

/// The runs of everybody at one gateway.
pub(crate) type Runs = Vec<(Contestant, Vec<Measurement>)>;

impl Report {
    /// Sums up what was measured; contestants without a run are left out.
    pub(crate) fn new(
        machine: Machine,
        runtimes: &BTreeMap<Contestant, String>,
        left_out: Vec<String>,
        measured: Vec<(Scenario, Runs)>,
    ) -> Self {
        let mut versions: Vec<String> = runtimes.values().cloned().collect();
        versions.dedup();
        let tables = measured
            .into_iter()
            .map(|(scenario, runs)| Table::new(scenario, runs));
        let tables: Vec<Table> = tables.filter(|table| !table.rows.is_empty()).collect();
        Self {
            machine,
            runtimes: versions,
            left_out,
            goals: tables.iter().flat_map(goals).collect(),
            tables,
        }
    }

    /// Whether the pipeline reached everybody whenever it ran.
    pub(crate) fn is_pipeline_complete(&self) -> bool {
        let rows = self.tables.iter().flat_map(|table| &table.rows);
        let mut ours = rows.filter(|row| row.contestant == Contestant::Pipeline);
        ours.all(Row::is_complete)
    }
}

impl Table {
    fn new(scenario: Scenario, runs: Runs) -> Self {
        let rows = runs
            .into_iter()
            .filter_map(|(contestant, runs)| Row::new(contestant, runs));
        let mut rows: Vec<Row> = rows.collect();
        let ours = rows
            .iter()
            .find(|row| row.contestant == Contestant::Pipeline);
        if let Some(ours) = ours.cloned() {
            for row in &mut rows {
                row.compare_with(&ours);
            }
        }
        Self { scenario, rows }
    }
}

impl Row {
    fn new(contestant: Contestant, runs: Vec<Measurement>) -> Option<Self> {
        let of = |figure: fn(&Measurement) -> f64| Spread::of(runs.iter().map(figure));
        let last_deliveries = runs.iter().filter_map(|run| run.last_delivery);
        let cpu_micros = runs.iter().filter(|run| run.reached > 0).map(|run| {
            let micros = run.usage.cpu.as_secs_f64() * 1e6;
            micros / real(run.reached)
        });
        Some(Self {
            contestant,
            last_delivery_seconds: Spread::of(last_deliveries.map(|span| span.as_secs_f64())),
            cpu_seconds: of(|run| run.usage.cpu.as_secs_f64())?,
            cpu_micros_per_delivery: Spread::of(cpu_micros),
            peak_bytes: of(|run| real(run.usage.peak_bytes))?,
            reached: of(|run| real(run.reached))?,
            rows_deleted: of(|run| real(run.rows_deleted))?,
            times_as_long: None,
            times_the_cpu: None,
            runs,
        })
    }

    /// Whether everybody who could be was reached in every run.
    pub(crate) fn is_complete(&self) -> bool {
        self.runs.iter().all(Measurement::is_complete)
    }

    fn compare_with(&mut self, ours: &Self) {
        let times = |own: Option<Spread>, ours: Option<Spread>| own?.times(&ours?);
        if self.is_complete() && ours.is_complete() {
            self.times_as_long = times(self.last_delivery_seconds, ours.last_delivery_seconds);
        }
        self.times_the_cpu = times(self.cpu_micros_per_delivery, ours.cpu_micros_per_delivery);
    }
}

/// The goals, at the gateway for which they are set.
fn goals(table: &Table) -> Vec<Goal> {
    let scenario = &table.scenario;
    let delay = Duration::from_millis(10);
    if scenario.is_faulty
        || scenario.connections != GOAL_CONNECTIONS
        || scenario.push_takes != delay
    {
        return Vec::new();
    }
    let sequential = table
        .rows
        .iter()
        .find(|row| row.contestant == Contestant::NodeSequential);
    let on_node = table.rows.iter().filter(|row| row.contestant.is_node());
    let least_cpu = on_node
        .filter_map(|row| row.times_the_cpu)
        .min_by(f64::total_cmp);
    let goals = [
        (
            "the tutorial's time to the last delivery",
            GOAL_TIMES_AS_LONG,
            sequential.and_then(|row| row.times_as_long),
        ),
        (
            "the processor time a delivery of the best on Node",
            GOAL_TIMES_THE_CPU,
            least_cpu,
        ),
    ];
    let measured = goals.into_iter().filter_map(|(what, at_least, measured)| {
        let measured = measured?;
        Some(Goal {
            what,
            at_least,
            measured,
            is_met: measured >= at_least,
        })
    });
    measured.collect()
}

#[cfg(test)]
mod tests;
