//! What every measurement of whole stacks is asked for, and how it runs.

use std::fmt::Display;
use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::ensure;
use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::interrupt;
use crate::stack::{self, Profile, Stack};

/// How many workers are at slices at once, unless that is asked for.
const SLICE_WORKERS: u16 = 2;

/// So that a slow machine has no more to count: no push is given up.
const UNHURRIED: [&str; 2] = ["PUSH_TIMEOUT_MS=20000", "DEADLINE_MARGIN_MS=25000"];

/// How it is measured.
#[derive(Clone, Debug, Args)]
pub(crate) struct Harness {
    /// How often each run is repeated, in turn with the others
    #[arg(long, value_name = "N", default_value_t = 3,
        value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) rounds: u16,
    #[command(flatten)]
    pub(crate) stack: LocalStack,
    /// How the figures are written to stdout
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    output_format: OutputFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OutputFormat {
    /// Markdown
    Text,
    /// One JSON object with every run
    Json,
}

impl Harness {
    /// Measures until it has its report or is interrupted, and writes the report
    /// to stdout; interrupted, what there is of it.
    ///
    /// # Errors
    /// What the measuring fails with; nobody reads the report; or it was
    /// interrupted.
    pub(crate) async fn report<R: Display + Serialize>(
        &self,
        measure: impl AsyncFnOnce(&CancellationToken) -> anyhow::Result<R>,
    ) -> anyhow::Result<R> {
        interrupt::until_twice(async |interrupt| {
            let report = measure(&interrupt).await?;
            self.print(&report)?;
            ensure!(!interrupt.is_cancelled(), "interrupted");
            Ok(report)
        })
        .await
    }

    fn print(&self, report: &(impl Display + Serialize)) -> anyhow::Result<()> {
        let written = match self.output_format {
            OutputFormat::Text => report.to_string(),
            OutputFormat::Json => format!("{}\n", serde_json::to_string_pretty(report)?),
        };
        stdout().write_all(written.as_bytes())?;
        Ok(())
    }
}

/// Which local stack is started.
#[derive(Clone, Debug, Args)]
pub(crate) struct LocalStack {
    /// The executable of the local stack [default: built with --release; for
    /// counts, as this one was]
    #[arg(long, value_name = "FILE")]
    stack: Option<PathBuf>,
}

impl LocalStack {
    /// Its executable, built if none was given.
    ///
    /// # Errors
    /// It cannot be built.
    pub(crate) async fn executable(&self) -> anyhow::Result<PathBuf> {
        self.executable_in(Profile::Release).await
    }

    /// Its executable, which is to be built as this one was; built so if none was
    /// given.
    ///
    /// # Errors
    /// It cannot be built.
    pub(crate) async fn executable_like_this(&self) -> anyhow::Result<PathBuf> {
        self.executable_in(Profile::OF_THIS).await
    }

    async fn executable_in(&self, profile: Profile) -> anyhow::Result<PathBuf> {
        match &self.stack {
            Some(executable) => Ok(executable.clone()),
            None => stack::build("fanout-local", profile).await,
        }
    }
}

/// How the workers of a stack are set.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Workers {
    /// Workers at once on slices of large audiences [default: 1 for scale, 2 otherwise]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=16))]
    slice_workers: Option<u16>,
    /// Settings for the functions, as on AWS; may be repeated
    #[arg(long = "env", value_name = "NAME=VALUE")]
    variables: Vec<String>,
}

impl Workers {
    /// The same, with so many on slices unless others were asked for.
    pub(crate) fn or_on_slices(&self, slice_workers: u16) -> Self {
        Self {
            slice_workers: self.slice_workers.or(Some(slice_workers)),
            variables: self.variables.clone(),
        }
    }

    /// The same with all the time that they may take, to be counted, and so long
    /// between checkpoints.
    pub(crate) fn unhurried(&self, checkpoint_every: Duration) -> Self {
        let mut unhurried = self.clone();
        let variables = UNHURRIED.iter().map(|&variable| variable.to_owned());
        let checkpoint = format!("CHECKPOINT_MS={}", checkpoint_every.as_millis());
        let variables = variables.chain([checkpoint]);
        unhurried.variables.splice(..0, variables);
        unhurried
    }

    /// The options of a stack with these workers.
    pub(crate) fn stack_options(&self) -> Vec<String> {
        let mut options = stack_options(&[
            [
                "--slice-worker-concurrency",
                &self.slice_workers.unwrap_or(SLICE_WORKERS).to_string(),
            ],
            // Long enough for a slice of a million.
            ["--worker-timeout", "15m"],
        ]);
        for variable in &self.variables {
            options.extend(stack_options(&[["--env", variable]]));
        }
        options
    }
}

/// The options of a stack, as it takes them: each with its value.
pub(crate) fn stack_options(options: &[[&str; 2]]) -> Vec<String> {
    let words = options.as_flattened().iter();
    words.map(|word| (*word).to_owned()).collect()
}

/// Starts a stack, measures, and stops it; `None` if it was interrupted.
///
/// # Errors
/// The stack does not start, or what the measurement fails with.
pub(crate) async fn on_a_stack<T>(
    executable: &Path,
    options: &[String],
    interrupt: &CancellationToken,
    measure: impl AsyncFnOnce(&Stack) -> anyhow::Result<T>,
) -> anyhow::Result<Option<T>> {
    let starting = Stack::start(executable, options);
    let stack = tokio::select! {
        started = starting => started?,
        () = interrupt.cancelled() => return Ok(None),
    };
    let measured = tokio::select! {
        measured = measure(&stack) => measured.map(Some),
        () = interrupt.cancelled() => Ok(None),
    };
    stack.stop().await;
    measured
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        workers: Workers,
    }

    #[test]
    fn workers_are_set_by_the_options_of_a_stack() {
        let arguments = ["bench", "--slice-workers", "4", "--env", "MAX_IN_FLIGHT=64"];
        let workers = Cli::try_parse_from(arguments).unwrap().workers;
        let expected = "--slice-worker-concurrency 4 --worker-timeout 15m --env MAX_IN_FLIGHT=64";
        assert_eq!(workers.stack_options().join(" "), expected);
        // What was asked for comes last, and holds.
        let unhurried = workers
            .unhurried(Duration::from_secs(5))
            .stack_options()
            .join(" ");
        assert!(
            unhurried.contains("--env CHECKPOINT_MS=5000 "),
            "{unhurried}"
        );
        assert!(
            unhurried.ends_with(" --env MAX_IN_FLIGHT=64"),
            "{unhurried}"
        );
    }
}
