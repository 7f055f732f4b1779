//! The rules that batch requests share.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::error::ApiError;

/// The most entries of a batch.
const MAX_ENTRIES: usize = 10;

/// The input of a batch operation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchInput<E> {
    pub(super) queue_url: Option<String>,
    #[serde(default = "Vec::new")]
    pub(super) entries: Vec<Entry<E>>,
}

/// One entry of a batch, with an id that its result carries.
#[derive(Debug, Deserialize)]
pub(super) struct Entry<E> {
    #[serde(rename = "Id", default)]
    pub(super) id: String,
    #[serde(flatten)]
    pub(super) input: E,
}

/// The output of a batch operation.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchOutput<O> {
    successful: Vec<Successful<O>>,
    failed: Vec<Failed>,
}

#[derive(Debug, Serialize)]
struct Successful<O> {
    #[serde(rename = "Id")]
    id: String,
    #[serde(flatten)]
    output: O,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Failed {
    id: String,
    sender_fault: bool,
    code: &'static str,
    message: String,
}

impl<E> BatchInput<E> {
    /// Checks the batch as a whole; `operation` is its name for messages.
    ///
    /// # Errors
    /// When there are no entries or too many, or their ids are not distinct
    /// words of 1 to 80 letters, digits, hyphens and underscores.
    pub(super) fn check(&self, operation: &str) -> Result<(), ApiError> {
        match self.entries.len() {
            0 => return Err(ApiError::empty_batch(operation)),
            1..=MAX_ENTRIES => {}
            n => return Err(ApiError::too_many_entries(n)),
        }
        let mut ids = HashSet::new();
        for Entry { id, .. } in &self.entries {
            if !is_entry_id(id) {
                return Err(ApiError::invalid_batch_entry_id());
            }
            if !ids.insert(id) {
                return Err(ApiError::batch_entry_ids_not_distinct(id));
            }
        }
        Ok(())
    }

    /// Runs `operation` on each entry. One that fails does not fail the others,
    /// except when the queue is not there at all.
    pub(super) fn run<O>(
        self,
        mut operation: impl FnMut(E) -> Result<O, ApiError>,
    ) -> Result<BatchOutput<O>, ApiError> {
        let mut output = BatchOutput {
            successful: Vec::new(),
            failed: Vec::new(),
        };
        for Entry { id, input } in self.entries {
            match operation(input) {
                Ok(entry) => output.successful.push(Successful { id, output: entry }),
                Err(error) if error == ApiError::no_queue() => return Err(error),
                Err(error) => output.failed.push(Failed {
                    id,
                    sender_fault: error.is_senders_fault(),
                    code: error.code(),
                    message: error.message().to_owned(),
                }),
            }
        }
        Ok(output)
    }
}

fn is_entry_id(id: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (1..=80).contains(&id.len()) && id.chars().all(is_allowed)
}
