//! The process of an environment.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::Level;
use uuid::Uuid;

use super::log;
use crate::config::{FunctionConfig, HostConfig};

/// How long the output of a process that has ended is waited for: a process
/// that it started may hold it open.
const LAST_OUTPUT: Duration = Duration::from_millis(500);

/// A running process and the readers of its output. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pid: u32,
    output: JoinSet<()>,
}

impl Process {
    /// Starts a function's program, in a process group of its own so that a
    /// Ctrl-C in the terminal does not end it in the middle of an invocation.
    pub(crate) fn start(
        function: &FunctionConfig,
        host: &HostConfig,
        environment: u64,
        runtime_api: SocketAddr,
    ) -> io::Result<Self> {
        let mut command = Command::new(&function.program);
        command
            .args(&function.args)
            .env_clear()
            .envs(variables(function, host, runtime_api))
            .envs(&function.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let pid = child.id().unwrap_or_default();
        let mut output = JoinSet::new();
        if let Some(stdout) = child.stdout.take() {
            let name = function.name.clone();
            output.spawn(log::pass_on(stdout, Level::INFO, name, environment));
        }
        if let Some(stderr) = child.stderr.take() {
            // A panic, most of all: the log is on standard output.
            let name = function.name.clone();
            output.spawn(log::pass_on(stderr, Level::WARN, name, environment));
        }
        Ok(Self { child, pid, output })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether the process has ended, though nobody may have waited for it.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until the process ends. `None`: how it ended is not known.
    ///
    /// # Cancel safety
    /// Can be cancelled and called again.
    pub(crate) async fn wait(&mut self) -> Option<ExitStatus> {
        self.child.wait().await.ok()
    }

    /// Kills the process, unless it has ended, and waits for its end.
    ///
    /// Lambda, too, gives a runtime without extensions no time to say goodbye.
    pub(crate) async fn kill(&mut self) -> Option<ExitStatus> {
        // Fails only where the process has ended.
        let _ = self.child.start_kill();
        self.wait().await
    }

    /// Kills the process, unless it has ended, and passes on the rest of its
    /// output.
    pub(crate) async fn stop(mut self) {
        self.kill().await;
        let read_out = async { while self.output.join_next().await.is_some() {} };
        // The readers are aborted on drop.
        let _ = timeout(LAST_OUTPUT, read_out).await;
    }
}

/// The most memory that a process has held at once, as Linux tells it.
pub(crate) fn peak_memory_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = peak.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// The variables that Lambda sets for an OS-only runtime.
///
/// `_X_AMZN_TRACE_ID` is not among them: the runtime sets it for each event,
/// from a header.
///
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
fn variables(
    function: &FunctionConfig,
    host: &HostConfig,
    runtime_api: SocketAddr,
) -> Vec<(&'static str, String)> {
    let task_root = function.program.parent().unwrap_or(Path::new("/"));
    let handler = function.program.file_name().unwrap_or_default();
    let log_stream = Uuid::new_v4().simple();
    vec![
        ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", function.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        (
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            function.memory_mib.to_string(),
        ),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        (
            "AWS_LAMBDA_LOG_GROUP_NAME",
            format!("/aws/lambda/{}", function.name),
        ),
        (
            "AWS_LAMBDA_LOG_STREAM_NAME",
            format!("[$LATEST]{log_stream}"),
        ),
        ("AWS_REGION", host.region.clone()),
        ("AWS_DEFAULT_REGION", host.region.clone()),
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        ("AWS_SESSION_TOKEN", "local".to_owned()),
        ("_HANDLER", handler.to_string_lossy().into_owned()),
        ("LAMBDA_TASK_ROOT", task_root.to_string_lossy().into_owned()),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin".to_owned()),
        ("TZ", ":UTC".to_owned()),
    ]
}
