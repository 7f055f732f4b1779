//! The report of a run, for people and for programs.

use serde_json::value::RawValue;

use crate::{exit::Outcome, recorder::measurements::Measurements, settings::Settings};

mod csv;
pub mod document;
mod html;
mod json;
pub(crate) mod text;

pub use json::ReadError;

/// What was asked for, and what came of it.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was asked for.
    pub settings: Settings,
    /// How it ended.
    pub outcome: Outcome,
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
    /// Writes it for people, without a line break at the end.
    #[must_use]
    pub fn to_text(&self) -> String {
        text::Text(self).to_string()
    }
}

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;
