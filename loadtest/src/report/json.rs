//! The document as one JSON object.

use super::document::{Document, SCHEMA_VERSION};

impl Document {
    /// Writes one JSON object over several lines, as
    /// `schema/report.schema.json` describes it.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Every key is a string and every value JSON's own.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Reads what [`Document::to_json`] wrote, also by a later release that
    /// adds to it.
    ///
    /// # Errors
    /// [`ReadError`] if it is not a report, or one of another schema.
    pub fn from_json(json: &str) -> Result<Self, ReadError> {
        #[derive(serde::Deserialize)]
        struct Versioned {
            schema_version: Option<serde_json::Value>,
        }
        let versioned: Versioned = serde_json::from_str(json).map_err(ReadError::NotAReport)?;
        match versioned.schema_version {
            Some(version) if version == SCHEMA_VERSION => {
                serde_json::from_str(json).map_err(ReadError::NotAReport)
            }
            Some(version) => Err(ReadError::UnknownSchema(version.to_string())),
            None => Err(ReadError::NoSchema),
        }
    }
}

/// Why a text cannot be read as a report.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not JSON, or not a report's.
    #[error("not a report")]
    NotAReport(#[source] serde_json::Error),
    /// Written before reports had a version, or by something else.
    #[error("not a report with a schema_version; write one with --output-format json")]
    NoSchema,
    /// Written by a release that means something else by it.
    #[error("unknown schema version {0}: this release reads version {SCHEMA_VERSION}")]
    UnknownSchema(String),
}
