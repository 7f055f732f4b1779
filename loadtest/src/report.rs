//! The report of a run, for people and for programs.

pub use self::{
    asked_for::AskedFor,
    document::{Document, SCHEMA_VERSION},
    json::ReadError,
    ledger::Ledger,
    origin::{Origin, Tool},
};
use crate::{
    exit::Outcome,
    mark::RunId,
    own_load::{Bottleneck, OwnLoad},
    recorder::measurements::Measurements,
};

mod asked_for;
mod csv;
mod document;
mod html;
mod json;
mod ledger;
mod origin;
pub(crate) mod text;

/// What was asked for, and what came of it.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was asked for.
    pub settings: AskedFor,
    /// Where and when.
    pub origin: Origin,
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
}

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;
