//! What a process says on stderr, kept for when it fails.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::process::Stdio;

use anyhow::Context as _;

/// How much of it is shown: the end.
const SHOWN_BYTES: u64 = 2_000;

/// A file without a name that a process writes to.
#[derive(Debug)]
pub(crate) struct Complaints(File);

impl Complaints {
    /// Nothing yet.
    ///
    /// # Errors
    /// There can be no such file.
    pub(crate) fn new() -> anyhow::Result<Self> {
        tempfile::tempfile()
            .map(Self)
            .context("cannot keep what is said on stderr")
    }

    /// The stderr of the process.
    pub(crate) fn stderr(&self) -> anyhow::Result<Stdio> {
        Ok(self.0.try_clone()?.into())
    }

    /// The last that it said, as far as that can be read.
    pub(crate) fn last(&mut self) -> String {
        let mut last = Vec::new();
        let written = self.0.metadata().map_or(0, |file| file.len());
        let from = SeekFrom::Start(written.saturating_sub(SHOWN_BYTES));
        if self.0.seek(from).is_ok() {
            // What was read until an error is shown.
            let _read = self.0.read_to_end(&mut last);
        }
        String::from_utf8_lossy(&last).trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_end_is_shown() {
        let mut complaints = Complaints::new().unwrap();
        assert_eq!(complaints.last(), "");
        let long = "x".repeat(5_000);
        writeln!(complaints.0, "{long} no region").unwrap();
        let last = complaints.last();
        assert!(last.ends_with("x no region") && last.len() <= 2_000);
    }
}
