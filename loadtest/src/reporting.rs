//! Where a report goes: stdout, a page, a log, and the exit code.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write, stdout},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, ValueEnum};

use crate::{
    hlog::{Header, Log},
    report::{Document, Report},
    slo::Slo,
};

/// Where a report goes, and what its run is held to.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Report")]
pub struct ReportingArgs {
    /// How to write the report to stdout
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    output_format: OutputFormat,

    /// Also write the report as one self-contained page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Also write what was measured to a file that can be merged (an HDR histogram log)
    #[arg(long, value_name = "FILE.hlog")]
    output: Option<PathBuf>,

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
    /// Checks that the files can be written, before a run that would be lost.
    ///
    /// # Errors
    /// [`ReportingError`] names the file.
    pub fn check(&self) -> Result<(), ReportingError> {
        for path in self.html.iter().chain(&self.output) {
            // What is there stays until there is a report to take its place.
            let opened = File::options().create(true).append(true).open(path);
            opened.map_err(|source| error(path, source))?;
        }
        Ok(())
    }

    /// Writes the report everywhere it is wanted, and judges the run.
    ///
    /// # Errors
    /// [`ReportingError`] if a file cannot be written; stdout has the report.
    pub fn write(&self, report: &Report) -> Result<ExitCode, ReportingError> {
        let judgement = self.slo.as_ref().map(|slo| slo.judge(&report.measurements));
        let verdicts = judgement.as_ref().map(|of| of.verdicts.clone());
        let document = Document::new(report, verdicts.unwrap_or_default());
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
        if let Some(path) = &self.output {
            write_log(report, path).map_err(|source| error(path, source))?;
        }
        let status = match judgement {
            Some(judgement) => judgement.status(report.outcome),
            None => report.outcome.status(),
        };
        Ok(ExitCode::from(status))
    }
}

fn write_log(report: &Report, path: &Path) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    Log::new(Header::from(report), &report.measurements.recorded).write(&mut file)?;
    file.flush()
}

fn error(path: &Path, source: io::Error) -> ReportingError {
    ReportingError {
        path: path.to_owned(),
        source,
    }
}

/// A file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub struct ReportingError {
    path: PathBuf,
    source: io::Error,
}
