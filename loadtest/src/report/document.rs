//! The report as it is published: what is written as JSON, and read by
//! `compare`. Its schema is `schema/report.schema.json`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AskedFor, Ledger, Report, Tool};
use crate::{
    curve::CurveSummary,
    exit::Outcome,
    latency::{LatencySummary, PercentilePoint, whole_ms},
    machine::host::Host,
    mark::RunId,
    own_load::OwnLoad,
    recorder::counts::Counts,
    slo::Verdict,
    timeline::TimelineSummary,
};

/// The version of the document. It changes when a field is taken away or means
/// something else, not when one is added.
pub const SCHEMA_VERSION: u32 = 1;

/// A report. Names that end in `_us`, `_ms` or `_per_second` say their unit;
/// what was not measured is `None`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Document {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// When the run ended.
    pub finished_at: Timestamp,
    /// What measured.
    pub tool: Tool,
    /// Where it measured.
    pub machine: Host,
    /// The run; `None` if nothing was heard of it.
    pub run: Option<RunId>,
    /// What was asked for.
    pub settings: AskedFor,
    /// How it ended.
    pub outcome: Outcome,
    /// How each objective came out.
    pub objectives: Vec<Verdict>,
    /// Everything counted.
    pub counts: Counts,
    /// Deliveries expected and not received.
    pub missing: u64,
    /// The part of the expected deliveries that was received, in hundredths of
    /// a percent.
    pub reach_basis_points: Option<u64>,
    /// From the intended send to the arrival of each delivery.
    pub latency_us: Option<LatencySummary>,
    /// From the actual send to the arrival of each delivery.
    pub service_time_us: Option<LatencySummary>,
    /// From the start of the attempt that succeeded to the open socket.
    pub connect_latency_us: Option<LatencySummary>,
    /// How `latency_us` is distributed.
    pub latency_distribution: Vec<PercentilePoint>,
    /// How `service_time_us` is distributed.
    pub service_time_distribution: Vec<PercentilePoint>,
    /// How notifications spread over their subscribers.
    pub fan_out_us: CurveSummary,
    /// Deliveries and their latency over the time of the run.
    pub timeline: TimelineSummary,
    /// From the first send to the last arrival.
    pub busy_ms: Option<u64>,
    /// Deliveries a second in that time.
    pub deliveries_per_second: Option<f64>,
    /// How late the latest send left.
    pub latest_send_late_by_ms: u64,
    /// The load that the load test put on its machine, of each process.
    pub own_load: Vec<OwnLoad>,
    /// In what way the load test itself held the measurement up.
    pub bottlenecks: Vec<String>,
    /// Why the first refused connect was refused.
    pub first_connect_error: Option<String>,
    /// Why the first failed publish failed.
    pub first_publish_error: Option<String>,
    /// What the system under test says about the latest notification.
    pub ledger: Option<Ledger>,
}

impl Document {
    /// Publishes a report.
    #[must_use]
    pub fn new(report: &Report, objectives: Vec<Verdict>) -> Self {
        let (origin, measured) = (report.origin.clone(), &report.measurements);
        Self {
            schema_version: SCHEMA_VERSION,
            finished_at: origin.finished_at,
            tool: origin.tool,
            machine: origin.machine,
            run: report.run,
            settings: report.settings.clone(),
            outcome: report.outcome,
            objectives,
            counts: measured.counts,
            missing: measured.counts.missing(),
            reach_basis_points: measured.counts.reach_basis_points(),
            latency_us: measured.latency_us,
            service_time_us: measured.service_time_us,
            connect_latency_us: measured.connect_latency_us,
            latency_distribution: measured.latency_distribution.clone(),
            service_time_distribution: measured.service_time_distribution.clone(),
            fan_out_us: measured.fan_out_us,
            timeline: measured.timeline.clone(),
            busy_ms: measured.busy.map(whole_ms),
            deliveries_per_second: measured.deliveries_per_second(),
            latest_send_late_by_ms: whole_ms(measured.latest_send),
            own_load: measured.recorded.own.clone(),
            bottlenecks: report.bottlenecks().map(|of| of.to_string()).collect(),
            first_connect_error: measured.first_connect_error.clone(),
            first_publish_error: measured.first_publish_error.clone(),
            ledger: report.ledger.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
