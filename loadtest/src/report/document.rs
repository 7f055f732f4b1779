//! The report as it is published: what is written as JSON, and read by
//! `compare`. Its schema is `schema/report.schema.json`.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Ledger, Report};
use crate::{
    curve::CurveSummary,
    exit::Outcome,
    host::Host,
    latency::{LatencySummary, PercentilePoint},
    recorder::measurements::Counts,
    settings::{Body, Settings},
    slo::Verdict,
    timeline::TimelineSummary,
};

mod address;

/// The version of the document. It changes when a field is taken away or means
/// something else, not when one is added.
pub const SCHEMA_VERSION: u32 = 1;

/// Where and when a report was made.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The version of the load test.
    pub version: String,
    /// The compiler that built it, as `rustc --version` says.
    pub rustc: Option<String>,
    /// The machine that it ran on.
    pub machine: Host,
    /// When the run ended.
    pub finished_at: Timestamp,
}

impl Origin {
    /// This build, on this machine, now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one look at the calendar, after the run; no decision rests on it"
    )]
    pub fn here_and_now() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rustc: option_env!("FANOUT_LOADTEST_RUSTC").map(str::to_owned),
            machine: Host::this(),
            finished_at: to_the_second(Timestamp::now()),
        }
    }
}

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
    /// Why the first refused connect was refused.
    pub first_connect_error: Option<String>,
    /// Why the first failed publish failed.
    pub first_publish_error: Option<String>,
    /// What the system under test says about the latest notification.
    pub ledger: Option<LedgerFound>,
}

/// What measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// The name of the program.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The compiler that built it.
    pub rustc: Option<String>,
}

/// What was asked for. Secrets are left out: of headers only the names are
/// told, and of URLs neither the user nor the values of parameters that look
/// like credentials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AskedFor {
    /// Where subscribers connected.
    pub ws: String,
    /// Where notifications were posted.
    pub publish: String,
    /// How many subscribers were to be opened.
    pub subscribers: u32,
    /// How many a second.
    pub ramp_per_second: f64,
    /// How many notifications were to be published.
    pub notifications: u64,
    /// How many a second.
    pub notifications_per_second: f64,
    /// What was published.
    pub body: BodyKind,
    /// How many bytes the first publish had.
    pub body_bytes: usize,
    /// The names of the headers of a publish.
    pub header_names: Vec<String>,
    /// How long to wait for what is missing.
    pub drain_timeout_ms: u64,
}

/// What was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyKind {
    /// Numbered book orders.
    BookOrder,
    /// The same JSON every time.
    Fixed,
}

/// The system's own account of the latest notification.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LedgerFound {
    /// Where it was looked for.
    pub location: String,
    /// As it was returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Box<RawValue>>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<String>,
}

impl Document {
    /// Publishes a report.
    #[must_use]
    pub fn new(report: &Report, origin: Origin, objectives: Vec<Verdict>) -> Self {
        let measured = &report.measurements;
        Self {
            schema_version: SCHEMA_VERSION,
            finished_at: origin.finished_at,
            tool: Tool {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: origin.version,
                rustc: origin.rustc,
            },
            machine: origin.machine,
            settings: AskedFor::of(&report.settings),
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
            first_connect_error: measured.first_connect_error.clone(),
            first_publish_error: measured.first_publish_error.clone(),
            ledger: report.ledger.as_ref().map(LedgerFound::of),
        }
    }
}

impl AskedFor {
    fn of(settings: &Settings) -> Self {
        Self {
            ws: address::without_secrets(&settings.ws),
            publish: address::without_secrets(&settings.publish),
            subscribers: settings.subscribers,
            ramp_per_second: settings.ramp.as_per_second(),
            notifications: settings.schedule.sends(),
            notifications_per_second: settings.schedule.rate().as_per_second(),
            body: match settings.body {
                Body::BookOrder => BodyKind::BookOrder,
                Body::Fixed(_) => BodyKind::Fixed,
            },
            body_bytes: settings.body.of(0).len(),
            header_names: settings.headers.keys().map(ToString::to_string).collect(),
            drain_timeout_ms: whole_ms(settings.drain_timeout),
        }
    }
}

impl LedgerFound {
    fn of(ledger: &Ledger) -> Self {
        let (location, record, unavailable) = match ledger {
            Ledger::Record { location, record } => (location, Some(record.clone()), None),
            Ledger::Unavailable { location, reason } => (location, None, Some(reason.clone())),
        };
        Self {
            location: location.clone(),
            record,
            unavailable,
        }
    }
}

/// Finer than a second says nothing of when a run ended.
fn to_the_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

fn whole_ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
