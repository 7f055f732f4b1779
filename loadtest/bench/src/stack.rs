//! A local stack for one run: the tables that everybody reads, and the gateway
//! that counts and times what everybody pushes.

mod build;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use fanout_loadtest::hlog;
use http::{Method, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

pub(crate) use self::build::{Profile, build};
use crate::client::Client;
use crate::complaints::Complaints;

const CONNECTIONS: &str = "connections";
const REGION: &str = "us-east-1";

/// How long a stack may take to start, with a row for each of very many simulated
/// subscribers, and to stop.
const START_WITHIN: Duration = Duration::from_mins(10);
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// A running stack, killed when it is dropped; its functions then end because
/// nobody answers them.
pub(crate) struct Stack {
    child: Child,
    /// Its end of the pipe stays open for as long as it may print.
    _stdout: BufReader<ChildStdout>,
    pid: u32,
    addresses: Addresses,
    client: Client,
    complaints: Complaints,
}

/// Where a stack listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) http: String,
    pub(crate) ws: String,
    pub(crate) dynamodb: String,
    pub(crate) sqs: String,
}

/// What the gateway took of one notification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Connections that it was pushed to.
    pub(crate) reached: u64,
    /// Pushes to connections that had it.
    pub(crate) duplicates: u64,
    /// When the first one was reached, on the machine's monotonic clock.
    pub(crate) first_at: Option<Duration>,
    /// When the last one was.
    pub(crate) last_at: Option<Duration>,
}

impl Stack {
    /// Starts a stack on free ports with these `options`.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) async fn start(executable: &Path, options: &[String]) -> anyhow::Result<Self> {
        let complaints = Complaints::new()?;
        let mut child = Command::new(executable)
            .args(["--http", "127.0.0.1:0", "--ws", "127.0.0.1:0"])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(complaints.stderr()?)
            // Ctrl-C is for this process, which stops it in its time.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", executable.display()))?;
        let pid = child.id().context("the stack has ended")?;
        let stdout = child.stdout.take().context("the stack has no stdout")?;
        let mut stdout = BufReader::new(stdout);
        let mut ready = String::new();
        let reading = timeout(START_WITHIN, stdout.read_line(&mut ready)).await;
        reading.context("the stack does not get ready")??;
        let addresses = addresses_in(&ready)
            .with_context(|| format!("the stack did not start: {}", complaints.last()))?;
        Ok(Self {
            child,
            _stdout: stdout,
            pid,
            addresses,
            client: Client::new(),
            complaints,
        })
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Where it listens.
    pub(crate) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// What it and its functions have logged.
    pub(crate) fn log(&self) -> String {
        self.complaints.all()
    }

    /// The environment of a handler that is to use this stack: what Lambda would
    /// set, and the names of what it works with.
    pub(crate) fn environment(&self) -> [(&'static str, String); 8] {
        [
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "local".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.addresses.dynamodb.clone()),
            ("MANAGEMENT_ENDPOINT", self.management_endpoint()),
            ("CONNECTIONS_TABLE", CONNECTIONS.to_owned()),
        ]
    }

    /// Posts an order of a book and returns the notification's id.
    pub(crate) async fn order(&self, order: &Value) -> anyhow::Result<String> {
        let url = format!("{}/orders", self.addresses.http);
        let headers = [("content-type", "application/json")];
        let sending = self
            .client
            .send(Method::POST, &url, &headers, order.to_string());
        let accepted = sending.await?.success().context("POST /orders")?;
        let id = accepted.get("id").and_then(Value::as_str);
        Ok(id.context("the answer names no id")?.to_owned())
    }

    /// Reads the ledger of a notification.
    pub(crate) async fn ledger(&self, id: &str) -> anyhow::Result<Value> {
        let url = format!("{}/notifications/{id}", self.addresses.http);
        self.client.get(&url).await?.success()
    }

    /// Cancels what was not pushed yet of a notification.
    ///
    /// # Errors
    /// The stack does not answer.
    pub(crate) async fn cancel(&self, id: &str) -> anyhow::Result<()> {
        let url = format!("{}/notifications/{id}", self.addresses.http);
        let deleting = self.client.send(Method::DELETE, &url, &[], String::new());
        let answer = deleting.await?;
        // It has ended already.
        if answer.status != StatusCode::CONFLICT {
            answer.success().context("cannot cancel a notification")?;
        }
        Ok(())
    }

    /// The notification that the gateway took the latest first push of.
    pub(crate) async fn latest(&self) -> anyhow::Result<Option<String>> {
        let document = self.client.get(&self.simulated()).await?.success()?;
        let latest = document.pointer("/notifications/0/id");
        Ok(latest.and_then(Value::as_str).map(str::to_owned))
    }

    /// Counts the connections that are open.
    pub(crate) async fn open(&self) -> anyhow::Result<u64> {
        let url = self.simulated();
        let document = self.client.get(&url).await?.success()?;
        let open = document.get("open").and_then(Value::as_u64);
        open.context("the gateway does not say how many are open")
    }

    /// Asks what was taken of a notification.
    pub(crate) async fn taken(&self, id: &str) -> anyhow::Result<Taken> {
        let url = format!("{}?notification={id}", self.simulated());
        let answer = self.client.get(&url).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(Taken::default());
        }
        taken_in(&answer.success()?).context("the gateway does not say when it took the pushes")
    }

    /// Counts the rows of the connections table.
    pub(crate) async fn rows(&self) -> anyhow::Result<u64> {
        Ok(u64::try_from(self.connection_ids().await?.len())?)
    }

    /// Stops it and its functions.
    pub(crate) async fn stop(mut self) {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        // It has ended if it cannot be told to.
        let _told = pid.map(|pid| kill_process(pid, Signal::TERM));
        if timeout(STOP_WITHIN, self.child.wait()).await.is_err() {
            // Dropped, it would be killed as well, but not waited for.
            let _killed = self.child.kill().await;
        }
    }

    /// Closes connections at the gateway alone, as if their `$disconnect` had
    /// been lost; `seed` decides which.
    ///
    /// # Errors
    /// The stack does not answer.
    pub(crate) async fn close(&self, count: u32, seed: u64) -> anyhow::Result<()> {
        if count == 0 {
            return Ok(());
        }
        let mut ids = self.connection_ids().await?;
        fastrand::Rng::with_seed(seed).shuffle(&mut ids);
        for id in ids.iter().take(usize::try_from(count)?) {
            let id = id.replace('=', "%3D");
            let url = format!("{}/%40connections/{id}", self.management_endpoint());
            loop {
                let authorization = signature("execute-api");
                let headers = [("authorization", authorization.as_str())];
                let deleting = self
                    .client
                    .send(Method::DELETE, &url, &headers, String::new());
                let answer = deleting.await?;
                // The faults strike this call too.
                if answer.status != StatusCode::TOO_MANY_REQUESTS {
                    answer.success().context("cannot close a connection")?;
                    break;
                }
            }
        }
        Ok(())
    }

    async fn connection_ids(&self) -> anyhow::Result<Vec<String>> {
        let mut ids = Vec::new();
        let mut from = Value::Null;
        loop {
            let mut scan = json!({"TableName": CONNECTIONS, "ConsistentRead": true});
            if let (Some(scan), false) = (scan.as_object_mut(), from.is_null()) {
                scan.insert("ExclusiveStartKey".to_owned(), from);
            }
            let mut page = self.dynamodb("Scan", &scan).await?;
            let items = page.get("Items").and_then(Value::as_array);
            let Some(items) = items else {
                bail!("a Scan without Items");
            };
            let page_ids = items
                .iter()
                .filter_map(|item| item.pointer("/connectionId/S")?.as_str());
            ids.extend(page_ids.map(str::to_owned));
            match page.get_mut("LastEvaluatedKey") {
                Some(key) => from = key.take(),
                None => return Ok(ids),
            }
        }
    }

    async fn dynamodb(&self, operation: &str, request: &Value) -> anyhow::Result<Value> {
        let target = format!("DynamoDB_20120810.{operation}");
        let authorization = signature("dynamodb");
        let headers = [
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", target.as_str()),
            ("authorization", authorization.as_str()),
            ("x-amz-date", "20260101T000000Z"),
        ];
        let url = &self.addresses.dynamodb;
        let sending = self
            .client
            .send(Method::POST, url, &headers, request.to_string());
        sending.await?.success().context(target)
    }

    fn simulated(&self) -> String {
        format!("{}/_local/simulated", self.addresses.http)
    }

    fn management_endpoint(&self) -> String {
        self.addresses.ws.replacen("ws://", "http://", 1)
    }
}

/// A signature in form: the stack asks for its scope, and verifies no more.
fn signature(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=local/20260101/{REGION}/{service}/aws4_request, \
         SignedHeaders=host, Signature=0"
    )
}

/// Where the stack listens, in its ready line.
fn addresses_in(ready: &str) -> Option<Addresses> {
    let words = ready.trim_end().strip_prefix("ready ")?;
    let address = |name: &str| {
        let mut words = words.split(' ').filter_map(|word| word.split_once('='));
        words
            .find(|(key, _)| *key == name)
            .map(|(_, address)| address.to_owned())
    };
    Some(Addresses {
        http: address("http")?,
        ws: address("ws")?,
        dynamodb: address("dynamodb")?,
        sqs: address("sqs")?,
    })
}

/// The last reached of `GET /_local/simulated?notification=ID`.
fn taken_in(document: &Value) -> Option<Taken> {
    let count = |name: &str| document.get(name).and_then(Value::as_u64);
    let offsets = document.get("offsetsUs").and_then(Value::as_str);
    let offsets = hlog::decode(offsets?)?;
    let first_at = Duration::from_micros(count("firstAtUs")?);
    Some(Taken {
        reached: count("reached")?,
        duplicates: count("duplicates")?,
        first_at: Some(first_at),
        last_at: Some(first_at + Duration::from_micros(offsets.max())),
    })
}

#[cfg(test)]
mod tests;
