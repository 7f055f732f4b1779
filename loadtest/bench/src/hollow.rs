//! Functions without work: the hops of a notification, and nothing else.
//!
//! `publish` hands a request's body to the queue, and `worker` pushes it to the
//! connections that it names, by the same clients on the same runtime as the
//! functions that they stand in for. No table is read or written.
//!
//! With tables, they also ask these what the real functions ask before the first
//! push, at the same moments: `connect` stores a connection, `publish` records,
//! and `worker` takes the lease and reads who is there, whom it then pushes to.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use bytes::Bytes;
use clap::{Args, ValueEnum};
use fanout_core::audience::{Audience as _, Slice};
use fanout_core::aws::dynamodb::{self, Store, Tables};
use fanout_core::aws::push_client::{self, PushClient, PushClientError};
use fanout_core::aws::{self, SdkConfig};
use fanout_core::clock::Clock;
use fanout_core::connection::{Connection, ConnectionId};
use fanout_core::ledger::{Lease, Ledger as _};
use fanout_core::notification::{Notification, NotificationId, Target};
use fanout_core::notifications::Notifications as _;
use fanout_core::push::{PushOutcome, Pusher};
use fanout_core::settings::Reader;
use fanout_core::store::Registry as _;
use fanout_core::task::Part;
use futures::future::{try_join, try_join_all};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::yield_now;

/// Every function that a local stack starts.
const NAMES: [&str; 5] = ["connect", "disconnect", "message", "publish", "worker"];

/// As long as the real worker gives a push.
const PUSH_TIMEOUT: Duration = Duration::from_secs(3);
/// As many as it has in flight.
const MAX_IN_FLIGHT: usize = 256;

/// How long a row is kept.
const KEPT_FOR: Duration = Duration::from_hours(2);
/// As many connections as the real worker reads of an audience, to see whether it
/// is small.
const SURVEYED: u32 = 1_001;

/// Which function runs.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Its name
    name: String,
    /// What it does beside handing on
    #[arg(long, value_enum, default_value_t)]
    asks: Asks,
}

/// What empty functions ask for on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Asks {
    /// Nobody for anything.
    #[default]
    Nothing,
    /// The tables, for what the real functions ask them.
    Tables,
}

impl Asks {
    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Tables => "tables",
        }
    }
}

/// Writes a directory for a stack's `--functions`, in which each one is this
/// executable.
///
/// # Errors
/// It cannot be written.
pub(crate) fn write_to(directory: &Path, asks: Asks) -> anyhow::Result<()> {
    let this = std::env::current_exe().context("cannot find this executable")?;
    let this = this.to_str().context("the path is not UTF-8")?;
    for name in NAMES {
        let path = directory.join(name);
        let writing = || format!("cannot write {}", path.display());
        fs::write(&path, script(this, name, asks)).with_context(writing)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).with_context(writing)?;
    }
    Ok(())
}

/// Becomes the function.
fn script(executable: &str, name: &str, asks: Asks) -> String {
    let executable = executable.replace('\'', r"'\''");
    let asks = asks.name();
    format!("#!/bin/sh\nexec '{executable}' hollow {name} --asks {asks}\n")
}

/// Runs one function until its environment is shut down.
///
/// # Errors
/// An unknown name, an invalid configuration, or a Runtime API that went away.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let ran = match (options.name.as_str(), options.asks) {
        ("connect", Asks::Tables) => {
            let store = &store(&aws::load_config().await)?;
            lambda_runtime::run(service_fn(|event| connect(store, event))).await
        }
        ("connect" | "disconnect", _) => lambda_runtime::run(service_fn(let_through)).await,
        ("message", _) => lambda_runtime::run(service_fn(whoami)).await,
        ("publish", asks) => {
            let publish = Publish::new(asks).await?;
            let publish = &publish;
            lambda_runtime::run(service_fn(|event| publish.handle(event))).await
        }
        ("worker", asks) => {
            let worker = Worker::new(asks).await?;
            let worker = &worker;
            lambda_runtime::run(service_fn(|event| worker.handle(event))).await
        }
        (name, _) => bail!("unknown function {name:?}; known are {}", NAMES.join(", ")),
    };
    ran.map_err(|error| anyhow::anyhow!("{}: {error}", options.name))
}

async fn let_through(_event: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(json!({"statusCode": 200}))
}

/// Stores a connection.
async fn connect(store: &Store, event: LambdaEvent<Connecting>) -> Result<Value, Error> {
    let Connecting { request_context } = event.payload;
    let connected_at = Timestamp::from_millisecond(request_context.connected_at)?;
    let connection = Connection {
        id: request_context.connection_id.into(),
        connected_at,
        expires_at: connected_at + SignedDuration::try_from(KEPT_FOR)?,
        user_id: None,
        org_id: None,
        topics: Vec::new(),
    };
    store.open(&connection).await?;
    Ok(json!({"statusCode": 200}))
}

/// A handshake, as far as it is read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Connecting {
    request_context: ConnectContext,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConnectContext {
    connection_id: String,
    connected_at: i64,
}

async fn whoami(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let id = event.payload.pointer("/requestContext/connectionId");
    let frame = json!({"type": "whoami", "connectionId": id});
    Ok(json!({"statusCode": 200, "body": frame.to_string()}))
}

/// Hands what comes to the queue, and records it where there is a store.
struct Publish {
    client: aws_sdk_sqs::Client,
    queue_url: String,
    store: Option<Store>,
}

/// A request to the HTTP API, as far as it is read.
#[derive(Debug, Deserialize)]
struct Request {
    #[serde(default)]
    body: String,
}

impl Publish {
    async fn new(asks: Asks) -> anyhow::Result<Self> {
        let [queue_url] = settings(["NOTIFICATIONS_QUEUE_URL"])?;
        let config = aws::load_config().await;
        Ok(Self {
            client: aws_sdk_sqs::Client::new(&config),
            queue_url,
            store: asks.store(&config)?,
        })
    }

    async fn handle(&self, event: LambdaEvent<Request>) -> Result<Value, Error> {
        let Request { body } = event.payload;
        let recording = Box::pin(record(self.store.as_ref(), body.clone()));
        // A batch of one, as the real function sends it.
        let message = SendMessageBatchRequestEntry::builder()
            .id("0")
            .message_body(body)
            .build()?;
        let sending = self.client.send_message_batch().queue_url(&self.queue_url);
        let sending = sending.entries(message).send();
        let sending = Box::pin(async { Ok(sending.await?) });
        try_join(sending, recording).await?;
        Ok(json!({"statusCode": 202, "body": "{}"}))
    }
}

/// Records a frame where there is a store, once the message is on its way.
async fn record(store: Option<&Store>, frame: String) -> Result<(), Error> {
    let Some(store) = store else { return Ok(()) };
    yield_now().await;
    let time = Clock::System.now();
    let notification = Notification {
        id: NotificationId::generate(time),
        time,
        target: Target::Everyone,
        frame,
        expires_at: None,
        trace: None,
    };
    Ok(store.record(&notification).await?)
}

/// Pushes what it gets to whom that names, or to whom a store does.
struct Worker<P> {
    pusher: P,
    store: Option<Store>,
}

/// A batch of messages, as far as it is read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch {
    records: Vec<Record>,
}

#[derive(Debug, Deserialize)]
struct Record {
    body: String,
}

/// Whom a body names.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Addressed {
    connection_ids: Vec<String>,
}

impl Worker<PushClient> {
    async fn new(asks: Asks) -> anyhow::Result<Self> {
        let [endpoint] = settings(["MANAGEMENT_ENDPOINT"])?;
        let config = aws::load_config().await;
        Ok(Self {
            pusher: pusher(&config, endpoint)?,
            store: asks.store(&config)?,
        })
    }
}

/// What the real worker pushes with.
fn pusher(config: &SdkConfig, endpoint: String) -> Result<PushClient, PushClientError> {
    let settings = push_client::Settings {
        endpoint,
        attempt_timeout: PUSH_TIMEOUT,
        max_in_flight: MAX_IN_FLIGHT,
    };
    PushClient::new(config, &settings, Clock::System)
}

impl<P: Pusher> Worker<P> {
    async fn handle(&self, event: LambdaEvent<Batch>) -> Result<Value, Error> {
        let records = event.payload.records.into_iter();
        try_join_all(records.map(|record| self.push(record.body))).await?;
        Ok(json!({"batchItemFailures": []}))
    }

    async fn push(&self, body: String) -> Result<(), Error> {
        let Addressed { connection_ids } = serde_json::from_str(&body)?;
        let connection_ids = match &self.store {
            Some(store) => Box::pin(look_up(store)).await?,
            None => connection_ids.into_iter().map(Into::into).collect(),
        };
        let frame = Bytes::from(body);
        let pushes =
            connection_ids
                .iter()
                .map(async |id| match self.pusher.push(id, &frame).await {
                    PushOutcome::Accepted => Ok(()),
                    outcome => Err(format!("a push ended with {outcome:?}")),
                });
        try_join_all(pushes).await?;
        Ok(())
    }
}

/// Takes a lease and reads who is there, both at once.
async fn look_up(store: &Store) -> Result<Vec<ConnectionId>, Error> {
    let now = Clock::System.now();
    let lease = Lease {
        notification_id: NotificationId::generate(now),
        part: Part::root(),
        owner: now.to_string(),
    };
    let until = now + SignedDuration::try_from(KEPT_FOR)?;
    let reading = async {
        // The lease's request is on its way before the page's is made ready.
        yield_now().await;
        let everyone = Slice::Everyone { segment: 0, of: 1 };
        store.page(&everyone, None, SURVEYED).await
    };
    let leasing = Box::pin(store.begin(&lease, now, until));
    let (_, page) = try_join(leasing, Box::pin(reading)).await?;
    let recipients = page.recipients.into_iter();
    Ok(recipients.map(|one| one.connection_id).collect())
}

impl Asks {
    /// The tables, if they are asked.
    fn store(self, config: &SdkConfig) -> anyhow::Result<Option<Store>> {
        match self {
            Self::Nothing => Ok(None),
            Self::Tables => store(config).map(Some),
        }
    }
}

fn store(config: &SdkConfig) -> anyhow::Result<Store> {
    let names = [
        "CONNECTIONS_TABLE",
        "SUBSCRIPTIONS_TABLE",
        "NOTIFICATIONS_TABLE",
    ];
    let [connections, subscriptions, notifications] = settings(names)?;
    let settings = dynamodb::Settings {
        tables: Tables {
            connections,
            subscriptions,
            notifications,
        },
        topic_shards: 1,
        retention: KEPT_FOR,
    };
    Ok(Store::new(config, settings, Clock::System))
}

/// Reads texts from the environment.
fn settings<const N: usize>(names: [&str; N]) -> anyhow::Result<[String; N]> {
    let mut reader = Reader::of_process();
    let texts = names.map(|name| reader.text(name));
    Ok(reader.finish(texts)?)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Pushed(Mutex<Vec<(String, Bytes)>>);

    impl Pusher for Pushed {
        async fn push(&self, connection: &ConnectionId, payload: &Bytes) -> PushOutcome {
            let mut pushed = self.0.lock().unwrap();
            pushed.push((connection.to_string(), payload.clone()));
            PushOutcome::Accepted
        }
    }

    #[tokio::test]
    async fn a_body_is_pushed_to_the_connections_that_it_names() {
        let body = r#"{"title":"1","connectionIds":["a","b"]}"#;
        let batch = json!({"Records": [{"messageId": "m", "body": body}]});
        let batch = serde_json::from_value(batch).unwrap();
        let event = LambdaEvent::new(batch, lambda_runtime::Context::default());
        let pusher = Pushed::default();
        let worker = Worker {
            pusher,
            store: None,
        };
        let answer = worker.handle(event).await.unwrap();
        assert_eq!(answer, json!({"batchItemFailures": []}));
        let taken = worker.pusher.0.into_inner().unwrap();
        let to: Vec<_> = taken.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(to, ["a", "b"]);
        assert!(taken.iter().all(|(_, frame)| frame == body));
    }

    #[tokio::test]
    async fn a_client_is_told_its_connection_id() {
        let event = json!({"requestContext": {"connectionId": "a="}, "body": "?"});
        let event = LambdaEvent::new(event, lambda_runtime::Context::default());
        let answer = whoami(event).await.unwrap();
        let frame: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(frame, json!({"type": "whoami", "connectionId": "a="}));
    }

    #[test]
    fn every_function_is_this_executable() {
        let directory = tempfile::tempdir().unwrap();
        for asks in [Asks::Nothing, Asks::Tables] {
            write_to(directory.path(), asks).unwrap();
            for name in NAMES {
                let path = directory.path().join(name);
                let script = fs::read_to_string(&path).unwrap();
                let end = format!("' hollow {name} --asks {}\n", asks.name());
                assert!(script.ends_with(&end), "{script}");
                let mode = fs::metadata(&path).unwrap().permissions().mode();
                assert_eq!(mode & 0o111, 0o111);
            }
        }
        let script = script("/it's/here", "publish", Asks::Nothing);
        assert!(script.contains(r"'/it'\''s/here'"));
    }
}
