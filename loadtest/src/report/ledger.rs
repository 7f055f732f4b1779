//! The system's own account of a notification.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What the system under test says about the latest notification. As JSON it
/// is an object of the `location` and either the `record` or why it is
/// `unavailable`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(into = "Entry", from = "Entry")]
pub enum Ledger {
    /// As it was returned.
    Record {
        /// Where it was fetched.
        location: String,
        /// The JSON document.
        record: Box<RawValue>,
    },
    /// It could not be fetched.
    Unavailable {
        /// Where it was looked for.
        location: String,
        /// Why not.
        reason: String,
    },
}

/// A raw document cannot be read as a variant of an enum.
#[derive(Serialize, Deserialize)]
struct Entry {
    location: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    record: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unavailable: Option<String>,
}

impl From<Ledger> for Entry {
    fn from(ledger: Ledger) -> Self {
        let (location, record, unavailable) = match ledger {
            Ledger::Record { location, record } => (location, Some(record), None),
            Ledger::Unavailable { location, reason } => (location, None, Some(reason)),
        };
        Self {
            location,
            record,
            unavailable,
        }
    }
}

impl From<Entry> for Ledger {
    fn from(entry: Entry) -> Self {
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
