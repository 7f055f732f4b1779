//! Everything that a log holds beside its histograms.

use std::time::Duration;

use http::Uri;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::LogError;
use crate::{
    exit::Outcome,
    latency::micros,
    own_load::OwnLoad,
    recorder::{counts::Counts, measurements::Recorded, spread::Spread},
    report::{Ledger, Report},
    schedule::Schedule,
    settings::Settings,
    units::{format_duration, parse_duration},
};

/// One process's account of a run. Times ending in `_us` are microseconds of
/// the machine's monotonic clock.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Header {
    /// The run's id; `None` if a listener never heard of it.
    pub run: Option<String>,
    /// What was asked for.
    pub settings: Asked,
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
    pub ledger: Option<LedgerEntry>,
    /// How each of the first notifications spread.
    pub spread: Spread,
}

/// What was asked for, in the words of the command line. Headers and tokens
/// are not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Where subscribers connect.
    pub ws: String,
    /// Where notifications are posted; `None` for a process that listens.
    pub publish: Option<String>,
    /// How many subscribers to open.
    pub subscribers: u32,
    /// How fast to open them.
    pub ramp: String,
    /// How fast to publish.
    pub rate: String,
    /// How many notifications.
    pub notifications: u64,
    /// How long to wait for what is missing.
    pub drain_timeout: String,
}

/// A [`Ledger`] as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LedgerEntry {
    location: String,
    record: Option<Box<RawValue>>,
    unavailable: Option<String>,
}

impl From<&Report> for Header {
    fn from(report: &Report) -> Self {
        let settings = &report.settings;
        let recorded = &report.measurements.recorded;
        Self {
            run: report.run.map(|run| run.to_string()),
            settings: Asked {
                ws: settings.ws.to_string(),
                publish: settings.publish.as_ref().map(ToString::to_string),
                subscribers: settings.subscribers,
                ramp: settings.ramp.to_string(),
                rate: settings.schedule.rate().to_string(),
                notifications: settings.schedule.sends(),
                drain_timeout: format_duration(settings.drain_timeout),
            },
            is_interrupted: report.outcome == Outcome::Interrupted,
            counts: recorded.counts,
            first_sent_us: recorded.first_sent.map(micros),
            last_arrival_us: recorded.last_arrival.map(micros),
            latest_send_us: micros(recorded.latest_send),
            first_connect_error: recorded.first_connect_error.clone(),
            first_publish_error: recorded.first_publish_error.clone(),
            own: recorded.own.clone(),
            ledger: report.ledger.as_ref().map(LedgerEntry::from),
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

impl Asked {
    /// The settings, as far as they are in the log.
    ///
    /// # Errors
    /// [`LogError::Settings`] if they are not in words that are known here.
    pub fn settings(&self) -> Result<Settings, LogError> {
        let read = || -> Option<Settings> {
            let url = |text: &String| text.parse::<Uri>().ok();
            let publish = match &self.publish {
                Some(text) => Some(url(text)?),
                None => None,
            };
            let rate = self.rate.parse().ok()?;
            Some(Settings {
                subscribers: self.subscribers,
                ramp: self.ramp.parse().ok()?,
                schedule: Schedule::counting(rate, self.notifications),
                drain_timeout: parse_duration(&self.drain_timeout).ok()?,
                ..Settings::new(url(&self.ws)?, publish)
            })
        };
        read().ok_or(LogError::Settings)
    }
}

impl From<&Ledger> for LedgerEntry {
    fn from(ledger: &Ledger) -> Self {
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

impl From<LedgerEntry> for Ledger {
    fn from(entry: LedgerEntry) -> Self {
        let location = entry.location;
        match entry.record {
            Some(record) => Self::Record { location, record },
            None => Self::Unavailable {
                location,
                reason: entry.unavailable.unwrap_or_default(),
            },
        }
    }
}
