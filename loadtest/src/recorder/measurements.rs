//! What a run measured.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    curve::CurveSummary,
    latency::{LatencySummary, PercentilePoint},
    timeline::TimelineSummary,
};

/// Everything that is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Subscribers that were open at some time.
    pub connected: u64,
    /// Attempts to connect that were refused and made again.
    pub connect_retries: u64,
    /// Subscribers that could not connect.
    pub connect_failures: u64,
    /// Sockets that closed although nobody here closed them.
    pub unexpected_closes: u64,
    /// Notifications that left.
    pub sent: u64,
    /// Notifications whose publish was accepted.
    pub accepted: u64,
    /// Notifications whose publish failed.
    pub publish_errors: u64,
    /// Notifications whose publish was not answered before the run ended.
    pub unanswered: u64,
    /// Notifications that left late, by the tool's own fault.
    pub late_sends: u64,
    /// Deliveries expected: for each accepted notification, the subscribers
    /// that were open when it left.
    pub expected: u64,
    /// Deliveries received, each counted once.
    pub received: u64,
    /// Deliveries received again.
    pub duplicates: u64,
    /// Frames that are not notifications.
    pub other_frames: u64,
    /// Notifications that no publish of this run can be shown to have caused.
    pub unattributed: u64,
    /// Notifications dropped from memory with subscribers still missing.
    pub given_up: u64,
}

impl Counts {
    /// Deliveries expected and not received.
    #[must_use]
    pub const fn missing(&self) -> u64 {
        self.expected.saturating_sub(self.received)
    }

    /// The part of the expected deliveries that was received, in hundredths of
    /// a percent and rounded down, so that only all of them is 100 %. `None`
    /// if nothing was expected.
    #[must_use]
    pub fn reach_basis_points(&self) -> Option<u64> {
        let received = u128::from(self.received) * 10_000;
        let reach = received.checked_div(u128::from(self.expected))?;
        u64::try_from(reach).ok()
    }
}

/// The figures of a run. Fields ending in `_us` are in microseconds.
#[derive(Debug, Clone)]
pub struct Measurements {
    /// Everything counted.
    pub counts: Counts,
    /// From the intended send to the arrival of each delivery.
    pub latency_us: Option<LatencySummary>,
    /// From the actual send to the arrival of each delivery.
    pub service_time_us: Option<LatencySummary>,
    /// How `latency_us` is distributed.
    pub latency_distribution: Vec<PercentilePoint>,
    /// How `service_time_us` is distributed.
    pub service_time_distribution: Vec<PercentilePoint>,
    /// Deliveries and their latency over the time of the run.
    pub timeline: TimelineSummary,
    /// From the start of the attempt that succeeded to the open socket.
    pub connect_latency_us: Option<LatencySummary>,
    /// How notifications spread over their subscribers.
    pub fan_out_us: CurveSummary,
    /// From the first send to the last arrival.
    pub busy: Option<Duration>,
    /// How late the latest send left.
    pub latest_send: Duration,
    /// Why the first refused connect was refused.
    pub first_connect_error: Option<String>,
    /// Why the first failed publish failed.
    pub first_publish_error: Option<String>,
}

impl Measurements {
    /// Deliveries a second between the first send and the last arrival.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "shown to people; deliveries stay far below 2^52"
    )]
    pub fn deliveries_per_second(&self) -> Option<f64> {
        self.busy
            .filter(|busy| !busy.is_zero())
            .map(|busy| self.counts.received as f64 / busy.as_secs_f64())
    }
}
