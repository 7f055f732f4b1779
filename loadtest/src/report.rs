//! The report of a run, for people and for programs.

use serde_json::value::RawValue;

use crate::{
    exit::Outcome,
    mark::RunId,
    own_load::{Bottleneck, OwnLoad},
    recorder::measurements::Measurements,
    settings::Settings,
};

mod json;
mod text;

/// What was asked for, and what came of it.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was asked for.
    pub settings: Settings,
    /// How it ended.
    pub outcome: Outcome,
    /// The run; `None` if nothing was heard of it.
    pub run: Option<RunId>,
    /// What was measured.
    pub measurements: Measurements,
    /// What the system under test says about the latest notification, if it
    /// said where to ask.
    pub ledger: Option<Ledger>,
}

/// The system's own account of the latest notification.
#[derive(Debug, Clone)]
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

impl Report {
    /// In what way the tool itself held the measurement up, in any of its
    /// processes.
    pub fn bottlenecks(&self) -> impl Iterator<Item = Bottleneck> {
        let own = self.measurements.recorded.own.iter();
        own.filter_map(OwnLoad::bottleneck)
    }

    /// Writes it for people, without a line break at the end.
    #[must_use]
    pub fn to_text(&self) -> String {
        text::Text(self).to_string()
    }

    /// Writes one JSON object over several lines. Times are whole microseconds
    /// where a name ends in `_us`, milliseconds where it ends in `_ms`.
    #[must_use]
    pub fn to_json(&self) -> String {
        format!("{:#}", json::value(self))
    }
}

#[cfg(test)]
mod tests;
