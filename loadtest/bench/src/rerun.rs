//! This executable, run once more: a process whose CPU and memory are its own,
//! and which a tool can watch.

use std::ffi::OsString;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

/// One run of a subcommand.
pub(crate) struct Rerun {
    arguments: Vec<String>,
    variables: Vec<(&'static str, OsString)>,
}

/// What was written during a run, by the executable and the tool.
pub(crate) struct Said {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Rerun {
    /// With these arguments, and the environment of this process.
    pub(crate) fn with_arguments<T: Into<String>>(arguments: impl IntoIterator<Item = T>) -> Self {
        Self {
            arguments: arguments.into_iter().map(Into::into).collect(),
            variables: Vec::new(),
        }
    }

    /// With more arguments.
    pub(crate) fn and(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Sets a variable of its environment.
    pub(crate) fn set(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// It fails.
    pub(crate) async fn run(&self) -> anyhow::Result<Said> {
        self.end(Command::new(std::env::current_exe()?)).await
    }

    /// Runs it to its end by a tool that takes a command to run.
    ///
    /// # Errors
    /// The tool is not installed, or one of them fails.
    pub(crate) async fn run_under(&self, tool: &str, options: &[&str]) -> anyhow::Result<Said> {
        let mut command = Command::new(tool);
        command.args(options).arg(std::env::current_exe()?);
        self.end(command).await.with_context(|| tool.to_owned())
    }

    async fn end(&self, mut command: Command) -> anyhow::Result<Said> {
        command
            .args(&self.arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .kill_on_drop(true);
        let ended = command.output().await?;
        let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
        ensure!(ended.status.success(), "{}: {stderr}", ended.status);
        Ok(Said {
            stdout: String::from_utf8(ended.stdout)?,
            stderr,
        })
    }
}
