//! Everything that a log holds beside its histograms.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    exit::Outcome,
    latency::micros,
    mark::RunId,
    own_load::OwnLoad,
    recorder::{counts::Counts, measurements::Recorded, spread::Spread},
    report::{AskedFor, Ledger, Origin, Report},
};

/// One process's account of a run. Times ending in `_us` are microseconds of
/// the machine's monotonic clock.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Header {
    /// The run's id; `None` if a listener never heard of it.
    pub run: Option<RunId>,
    /// Where and when it was measured.
    pub origin: Origin,
    /// What was asked for.
    pub settings: AskedFor,
    /// Whether it was ended by a signal.
    pub is_interrupted: bool,
    /// Everything counted.
    pub counts: Counts,
    /// When the first notification left.
    pub first_sent_us: Option<u64>,
    /// When the last delivery arrived.
    pub last_arrival_us: Option<u64>,
    /// How late the latest send left.
    pub latest_send_us: u64,
    /// Why the first refused connect was refused.
    pub first_connect_error: Option<String>,
    /// Why the first failed publish failed.
    pub first_publish_error: Option<String>,
    /// The load of each process.
    pub own: Vec<OwnLoad>,
    /// The system's own account of the latest notification.
    pub ledger: Option<Ledger>,
    /// How each of the first notifications spread.
    pub spread: Spread,
}

impl From<&Report> for Header {
    fn from(report: &Report) -> Self {
        let recorded = &report.measurements.recorded;
        Self {
            run: report.run,
            origin: report.origin.clone(),
            settings: report.settings.clone(),
            is_interrupted: report.outcome == Outcome::Interrupted,
            counts: recorded.counts,
            first_sent_us: recorded.first_sent.map(micros),
            last_arrival_us: recorded.last_arrival.map(micros),
            latest_send_us: micros(recorded.latest_send),
            first_connect_error: recorded.first_connect_error.clone(),
            first_publish_error: recorded.first_publish_error.clone(),
            own: recorded.own.clone(),
            ledger: report.ledger.clone(),
            spread: recorded.spread.clone(),
        }
    }
}

impl Header {
    /// What was recorded, but for the histograms.
    pub(super) fn recorded(&self) -> Recorded {
        Recorded {
            counts: self.counts,
            spread: self.spread.clone(),
            first_sent: self.first_sent_us.map(Duration::from_micros),
            last_arrival: self.last_arrival_us.map(Duration::from_micros),
            latest_send: Duration::from_micros(self.latest_send_us),
            first_connect_error: self.first_connect_error.clone(),
            first_publish_error: self.first_publish_error.clone(),
            own: self.own.clone(),
            ..Recorded::default()
        }
    }
}
