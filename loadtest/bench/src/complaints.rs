//! What a process says on stderr, kept for when it fails.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::process::Stdio;

use anyhow::Context as _;

/// How much of it is shown: the end.
const SHOWN_BYTES: u64 = 2_000;
/// How much of it is read at most.
const READ_BYTES: u64 = 16 * 1_024 * 1_024;

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
    pub(crate) fn last(&self) -> String {
        self.end(SHOWN_BYTES).trim().to_owned()
    }

    /// All that it said; of very much the end.
    pub(crate) fn all(&self) -> String {
        self.end(READ_BYTES)
    }

    /// Reads by offsets: the process writes at the place that a seek would move.
    fn end(&self, bytes: u64) -> String {
        let written = self.0.metadata().map_or(0, |file| file.len());
        let mut at = written.saturating_sub(bytes);
        let mut end = Vec::new();
        let mut chunk = [0; 8 * 1_024];
        // What was read until an error is shown.
        while let Ok(read @ 1..) = self.0.read_at(&mut chunk, at) {
            end.extend_from_slice(chunk.get(..read).unwrap_or_default());
            at += u64::try_from(read).unwrap_or_default();
        }
        String::from_utf8_lossy(&end).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_end_is_shown() {
        let complaints = Complaints::new().unwrap();
        assert_eq!(complaints.last(), "");
        let long = "x".repeat(5_000);
        writeln!(&complaints.0, "{long} no region").unwrap();
        let last = complaints.last();
        assert!(last.ends_with("x no region") && last.len() <= 2_000);
        writeln!(&complaints.0, "at its own place").unwrap();
        assert!(complaints.all().ends_with("no region\nat its own place\n"));
        assert_eq!(complaints.all().len(), 5_028);
    }
}
