//! Where a report goes: stdout, a page, and the exit code.

use std::{
    fs::{self, File},
    io::{self, Write, stdout},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, ValueEnum};

use crate::{
    exit,
    report::{
        Report,
        document::{Document, Origin},
    },
    slo::Slo,
};

/// The options of `run` that are about its report.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Report")]
pub struct ReportingArgs {
    /// How to write the report to stdout
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    output_format: OutputFormat,

    /// Also write the report as one self-contained page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// What the run is held to, such as 'p99<500ms,reach=100%'; sets the exit code
    #[arg(long, value_name = "OBJECTIVES")]
    slo: Option<Slo>,
}

/// How the report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people.
    Text,
    /// One JSON object, as loadtest/schema/report.schema.json describes it.
    Json,
    /// A header and one row, for a spreadsheet of many runs.
    Csv,
}

impl ReportingArgs {
    /// Checks that the page can be written, before a run that would be lost.
    ///
    /// # Errors
    /// [`ReportingError`] names the file.
    pub fn check(&self) -> Result<(), ReportingError> {
        let Some(path) = &self.html else {
            return Ok(());
        };
        // What is there stays until there is a report to take its place.
        let opened = File::options().create(true).append(true).open(path);
        opened.map(drop).map_err(|source| error(path, source))
    }

    /// Writes the report of a run that ended in `origin` everywhere it is
    /// wanted, and judges it.
    ///
    /// # Errors
    /// [`ReportingError`] if the page cannot be written; stdout has the report.
    pub fn write(&self, report: &Report, origin: Origin) -> Result<ExitCode, ReportingError> {
        let judgement = self.slo.as_ref().map(|slo| slo.judge(&report.measurements));
        let verdicts = judgement.as_ref().map(|of| of.verdicts.clone());
        let document = Document::new(report, origin, verdicts.unwrap_or_default());
        let text = match (self.output_format, &judgement) {
            (OutputFormat::Text, None) => report.to_text(),
            (OutputFormat::Text, Some(judgement)) => format!("{}\n\n{judgement}", report.to_text()),
            (OutputFormat::Json, _) => document.to_json(),
            (OutputFormat::Csv, _) => document.to_csv(),
        };
        // Nobody is left to tell if stdout is closed.
        let _closed = writeln!(stdout(), "{text}");
        if let Some(path) = &self.html {
            fs::write(path, document.to_html()).map_err(|source| error(path, source))?;
        }
        let status = match judgement {
            Some(judgement) => judgement.status(report.outcome),
            None => report.outcome.status(),
        };
        Ok(exit::code(status))
    }
}

fn error(path: &Path, source: io::Error) -> ReportingError {
    ReportingError {
        path: path.to_owned(),
        source,
    }
}

/// The page cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub struct ReportingError {
    path: PathBuf,
    source: io::Error,
}
