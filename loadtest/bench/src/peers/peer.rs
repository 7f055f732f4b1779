//! A handler in a process of its own, as Lambda would run it.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::measurement::{Begun, Ending, Measurement};
use super::scenario::Scenario;
use crate::complaints::Complaints;
use crate::process::Reading;
use crate::stack::Stack;

/// How long a runtime may take to load a handler and its SDK.
const LOAD_WITHIN: Duration = Duration::from_mins(1);

/// As long as a notification's own.
const ID: &str = "00000000-0000-7000-8000-000000000000";

/// A process that has loaded its handler, killed when it is dropped.
pub(crate) struct Peer {
    child: Child,
    pid: u32,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    runtime: String,
    complaints: Complaints,
}

impl Peer {
    /// Starts `command` and waits until it has loaded its handler.
    ///
    /// # Errors
    /// It does not.
    pub(crate) async fn start(mut command: Command) -> anyhow::Result<Self> {
        let starting = format!("cannot start {:?}", command.as_std());
        let complaints = Complaints::new()?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(complaints.stderr()?)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context(starting.clone())?;
        let pid = child.id().context(starting.clone())?;
        let stdin = child.stdin.take().context(starting.clone())?;
        let stdout = child.stdout.take().context(starting.clone())?;
        let mut lines = BufReader::new(stdout).lines();
        let line = timeout(LOAD_WITHIN, lines.next_line()).await;
        let line = line.context(starting.clone())??;
        let line = line.with_context(|| format!("{starting}: {}", complaints.last()))?;
        let said: Value = serde_json::from_str(&line).unwrap_or_default();
        let runtime = said.get("runtime").and_then(Value::as_str);
        Ok(Self {
            child,
            pid,
            stdin,
            lines,
            runtime: runtime.unwrap_or_default().to_owned(),
            complaints,
        })
    }

    /// What runs the handler, and its version.
    pub(crate) fn runtime(&self) -> &str {
        &self.runtime
    }

    /// Hands it an event whose body is to be pushed to everybody, and measures
    /// until it answers. Then the process is stopped, as Lambda freezes one: what
    /// it had left in flight is lost.
    ///
    /// # Errors
    /// The stack does not answer.
    pub(crate) async fn measure(
        mut self,
        stack: &Stack,
        scenario: &Scenario,
        order: &Value,
    ) -> anyhow::Result<Measurement> {
        let event = format!("{}\n", json!({"body": frame(order).to_string()}));
        let begun = Begun::now(stack, [self.pid]).await?;
        self.stdin.write_all(event.as_bytes()).await?;
        let answered = timeout(scenario.time_limit(), self.lines.next_line()).await;
        let ending = match answered {
            Ok(Ok(Some(line))) => Ending::of_answer(&line),
            Ok(Ok(None)) => Ending::Died(self.complaints.last()),
            Ok(Err(error)) => Ending::Died(error.to_string()),
            Err(_) => Ending::Stopped,
        };
        let after = Reading::of([self.pid]);
        self.child.kill().await?;
        begun.ended(stack, scenario, ID, &after, ending).await
    }
}

/// What subscribers get of an order, so that everybody pushes as many bytes.
fn frame(order: &Value) -> Value {
    json!({
        "specversion": "1.0",
        "id": ID,
        "source": "/notifications",
        "type": "book.ordered",
        "time": "2026-01-01T00:00:00.000Z",
        "datacontenttype": "application/json",
        "data": order,
    })
}
