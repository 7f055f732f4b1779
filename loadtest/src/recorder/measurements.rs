//! What a run measured.

use std::time::Duration;

pub use super::counts::Counts;
use super::spread::Spread;
use crate::{
    curve::{CurveSummary, Curves},
    latency::{LatencyHistogram, LatencySummary, PercentilePoint},
    own_load::OwnLoad,
    timeline::{Timeline, TimelineSummary},
};

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
    /// What all of this was summed up from.
    pub recorded: Recorded,
}

/// What was recorded: everything by which runs are put together.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    /// Everything counted.
    pub counts: Counts,
    /// From the intended send to the arrival of each delivery.
    pub latency: LatencyHistogram,
    /// From the actual send to the arrival of each delivery.
    pub service_time: LatencyHistogram,
    /// Latency over the time of the run.
    pub timeline: Timeline,
    /// From the start of the attempt that succeeded to the open socket.
    pub connect_latency: LatencyHistogram,
    /// How each of the first notifications spread.
    pub spread: Spread,
    /// When the first notification left.
    pub first_sent: Option<Duration>,
    /// When the last delivery arrived.
    pub last_arrival: Option<Duration>,
    /// How late the latest send left.
    pub latest_send: Duration,
    /// Why the first refused connect was refused.
    pub first_connect_error: Option<String>,
    /// Why the first failed publish failed.
    pub first_publish_error: Option<String>,
    /// The load that the tool itself put on its machine, of each process.
    pub own: Vec<OwnLoad>,
}

impl Recorded {
    /// Adds what another process recorded in the same run, by the same clock.
    pub fn merge(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        self.latency.merge(&other.latency);
        self.service_time.merge(&other.service_time);
        self.timeline.merge(&other.timeline);
        self.connect_latency.merge(&other.connect_latency);
        self.spread.merge(&other.spread);
        self.first_sent = [self.first_sent, other.first_sent]
            .into_iter()
            .flatten()
            .min();
        self.last_arrival = self.last_arrival.max(other.last_arrival);
        self.latest_send = self.latest_send.max(other.latest_send);
        let first = |ours: &mut Option<String>, theirs: &Option<String>| {
            *ours = ours.take().or_else(|| theirs.clone());
        };
        first(&mut self.first_connect_error, &other.first_connect_error);
        first(&mut self.first_publish_error, &other.first_publish_error);
        self.own.extend_from_slice(&other.own);
    }

    /// Sums up. `curves` are those of every notification, where they are known
    /// beyond the [spread](Self::spread) of the first.
    #[must_use]
    pub fn sum_up(self, curves: &Curves) -> Measurements {
        let busy = self.first_sent.zip(self.last_arrival);
        Measurements {
            counts: self.counts,
            latency_us: self.latency.summary(),
            service_time_us: self.service_time.summary(),
            latency_distribution: self.latency.distribution(),
            service_time_distribution: self.service_time.distribution(),
            timeline: self.timeline.summary(self.first_sent.unwrap_or_default()),
            connect_latency_us: self.connect_latency.summary(),
            fan_out_us: curves.summary(),
            busy: busy.map(|(first, last)| last.saturating_sub(first)),
            latest_send: self.latest_send,
            first_connect_error: self.first_connect_error.clone(),
            first_publish_error: self.first_publish_error.clone(),
            recorded: self,
        }
    }
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
