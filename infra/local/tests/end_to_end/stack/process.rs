//! The executable as a process.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::{PATIENCE, POLL};

const EXECUTABLE: &str = env!("CARGO_BIN_EXE_fanout-local");

/// A running process and what it said on standard error. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    logging: JoinHandle<()>,
}

/// Makes the command of a stack on free ports.
pub(crate) fn command(arguments: &[&str]) -> Command {
    on_free_ports(Command::new(EXECUTABLE), arguments)
}

/// Makes a command that starts no stack.
pub(crate) fn command_alone(arguments: &[&str]) -> Command {
    let mut command = Command::new(EXECUTABLE);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Makes the command of a stack that may open so many files.
pub(crate) fn command_with_file_limit(files: u64, arguments: &[&str]) -> Command {
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(format!("ulimit -n {files} && exec \"$0\" \"$@\""))
        .arg(EXECUTABLE);
    on_free_ports(shell, arguments)
}

fn on_free_ports(mut command: Command, arguments: &[&str]) -> Command {
    command
        .args(["--http", "127.0.0.1:0", "--ws", "127.0.0.1:0"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Sends a signal to a process.
pub(crate) async fn signal(name: &str, pid: u32) {
    let mut kill = Command::new("kill");
    let sent = kill.args(["-s", name, &pid.to_string()]).status().await;
    assert!(sent.unwrap().success());
}

impl Process {
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let log = Arc::default();
        let stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        Self {
            child,
            logging: tokio::spawn(read_log(stderr, Arc::clone(&log))),
            log,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("the process is running")
    }

    pub(super) fn stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().unwrap()
    }

    /// Waits until a line with this text has been logged, and returns it.
    pub(crate) async fn logged(&self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = {
                let log = self.log.lock().unwrap();
                log.iter().find(|line| line.contains(text)).cloned()
            };
            if let Some(line) = found {
                return line;
            }
            assert!(Instant::now() < deadline, "never logged {text:?}");
            sleep(POLL).await;
        }
    }

    /// Returns the lines with this text that have been logged by now.
    pub(crate) fn lines_with(&self, text: &str) -> Vec<String> {
        let log = self.log.lock().unwrap();
        let found = log.iter().filter(|line| line.contains(text));
        found.cloned().collect()
    }

    /// Whether a line with this text has been logged by now.
    pub(crate) fn has_logged(&self, text: &str) -> bool {
        let log = self.log.lock().unwrap();
        log.iter().any(|line| line.contains(text))
    }

    /// Waits until the process has ended, and all it said has been read.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let ended = async {
            let status = self.child.wait().await.unwrap();
            (&mut self.logging).await.unwrap();
            status
        };
        let ended = timeout(PATIENCE, ended).await;
        ended.expect("the process did not end in time")
    }
}

/// Keeps the lines of a log, and shows them where the test fails.
async fn read_log(mut lines: Lines<BufReader<ChildStderr>>, log: Arc<Mutex<Vec<String>>>) {
    while let Some(line) = lines.next_line().await.unwrap() {
        eprintln!("{line}");
        log.lock().unwrap().push(line);
    }
}
