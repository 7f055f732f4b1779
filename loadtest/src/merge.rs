//! Several processes of one run, put together.

use std::path::PathBuf;

use clap::Args;

use crate::{
    exit::Outcome,
    hlog::{Log, LogError},
    recorder::{
        measurements::Recorded,
        spread::{MAX_ROWS, Row},
    },
    report::{Ledger, Origin, Report},
    reporting::ReportingArgs,
};

/// The options of `merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// The logs that the processes wrote with --output
    #[arg(required = true, value_name = "FILE.hlog")]
    logs: Vec<PathBuf>,

    /// Merge logs of different runs, or of a listener that heard of none
    #[arg(long)]
    force: bool,

    /// Where the report goes
    #[command(flatten)]
    pub reporting: ReportingArgs,
}

impl MergeArgs {
    /// Reads the logs and puts them together.
    ///
    /// # Errors
    /// [`MergeError`] names the log that cannot be read, or the runs.
    pub fn merge(&self) -> Result<Report, MergeError> {
        let logs = self.logs.iter().cloned().map(read);
        merge(&logs.collect::<Result<Vec<_>, _>>()?, self.force)
    }
}

/// Adds up what the processes of one run measured: one that published and any
/// number that listened. What a listener never heard of, it misses.
///
/// # Errors
/// [`MergeError::DifferentRuns`] unless `force`, and logs that cannot be read.
pub fn merge(logs: &[Log], force: bool) -> Result<Report, MergeError> {
    let (first, rest) = logs.split_first().ok_or(MergeError::NoLogs)?;
    let is_of_run = |log: &&Log| log.header.run.is_some() && log.header.run == first.header.run;
    if let Some(other) = rest.iter().find(|log| !is_of_run(log)).filter(|_| !force) {
        let run = |log: &Log| log.header.run.map(|run| run.to_string());
        let name = |log: &Log| run(log).unwrap_or("unknown".to_owned());
        return Err(MergeError::DifferentRuns {
            one: name(first),
            other: name(other),
        });
    }
    let is_publisher = |log: &&Log| log.header.settings.publish.is_some();
    let published = logs.iter().find(is_publisher);
    let lead = published.unwrap_or(first);

    let mut recorded = Recorded::default();
    for log in logs {
        recorded.merge(&log.recorded());
        if let Some(published) = published.filter(|_| !is_publisher(&log)) {
            add_unheard(&mut recorded, published, log);
        }
    }
    let mut settings = lead.header.settings.clone();
    settings.subscribers = logs.iter().fold(0, |sum, log| {
        log.header.settings.subscribers.saturating_add(sum)
    });
    let curves = recorded.spread.curves();
    let is_interrupted = logs.iter().any(|log| log.header.is_interrupted);
    let ledger = lead.header.ledger.clone();
    let ends = logs.iter().map(|log| log.header.origin.finished_at);
    let outcome = Outcome::of(&recorded.counts, is_interrupted);
    Ok(Report {
        settings,
        origin: Origin {
            finished_at: ends.fold(lead.header.origin.finished_at, Ord::max),
            ..lead.header.origin.clone()
        },
        outcome: match ledger {
            Some(Ledger::Unavailable { .. }) => outcome.without_ledger(),
            Some(Ledger::Record { .. }) | None => outcome,
        },
        run: lead.header.run,
        measurements: recorded.sum_up(&curves),
        ledger,
    })
}

/// Notifications of the publisher that none of a listener's sockets received
/// were expected there all the same.
fn add_unheard(recorded: &mut Recorded, published: &Log, listener: &Log) {
    let header = &listener.header;
    let open = header
        .counts
        .connected
        .saturating_sub(header.counts.unexpected_closes);
    let heard = header.spread.rows();
    if heard.len() >= MAX_ROWS {
        return;
    }
    let published = published.header.spread.rows().keys();
    for &sequence in published.filter(|sequence| !heard.contains_key(sequence)) {
        recorded.counts.expected += open;
        let row = Row {
            expected: open,
            ..Row::default()
        };
        recorded.spread.add_row(sequence, row);
    }
}

fn read(path: PathBuf) -> Result<Log, MergeError> {
    match std::fs::read_to_string(&path) {
        Ok(text) => Log::read(&text).map_err(|source| MergeError::NotALog { path, source }),
        Err(source) => Err(MergeError::Io { path, source }),
    }
}

/// Why logs cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// There are none.
    #[error("no logs to merge")]
    NoLogs,
    /// They say different things about different runs.
    #[error("the logs are of different runs, {one} and {other}; --force merges them all the same")]
    DifferentRuns {
        /// The run of the first.
        one: String,
        /// The run of another; `unknown` for a listener that heard nothing and
        /// was not given one.
        other: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A file is not a log.
    #[error("cannot read {}", path.display())]
    NotALog {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: LogError,
    },
}

#[cfg(test)]
mod tests;
