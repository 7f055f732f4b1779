//! Functions without work: the hops of a notification, and nothing else.
//!
//! `publish` hands a request's body to the queue, and `worker` pushes it to the
//! connections that it names, by the same clients on the same runtime as the
//! functions that they stand in for. No table is read or written.
//!
//! With tables, they also ask these as often as the real functions before the first
//! push, at the same moments and by the same operations, but for as little as can be:
//! `connect` stores an id, `publish` what it got, and `worker` a lease without a
//! condition, while it reads the ids, to which it then pushes.

use std::time::Duration;

use anyhow::{Context as _, bail};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use bytes::Bytes;
use clap::{Args, ValueEnum};
use fanout_core::aws::push_client::{self, PushClient, PushClientError};
use fanout_core::aws::{self, SdkConfig};
use fanout_core::clock::Clock;
use fanout_core::connection::ConnectionId;
use fanout_core::notification::NotificationId;
use fanout_core::push::{PushOutcome, Pusher};
use fanout_core::settings::Reader;
use futures::future::{try_join, try_join_all};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::yield_now;

use crate::functions::{Functions, NAMES};

/// As long as the real worker gives a push.
const PUSH_TIMEOUT: Duration = Duration::from_secs(3);
/// As many as it has in flight.
const MAX_IN_FLIGHT: usize = 256;

/// As many connections as the real worker reads of an audience, to see whether it
/// is small.
const SURVEYED: i32 = 1_001;

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
    /// The tables, as often as the real functions do, for as little as can be.
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

/// Functions for a stack, each of which is this executable.
///
/// # Errors
/// They cannot be written.
pub(crate) fn functions(asks: Asks) -> anyhow::Result<Functions> {
    let this = std::env::current_exe().context("cannot find this executable")?;
    let this = this.to_str().context("the path is not UTF-8")?;
    Functions::running(|name| {
        let words = [this, "hollow", name, "--asks", asks.name()];
        words.map(str::to_owned).to_vec()
    })
}

/// Runs one function until its environment is shut down.
///
/// # Errors
/// An unknown name, an invalid configuration, or a Runtime API that went away.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let ran = match (options.name.as_str(), options.asks) {
        ("connect", Asks::Tables) => {
            let tables = &Tables::new(&aws::load_config().await)?;
            lambda_runtime::run(service_fn(|event| connect(tables, event))).await
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
async fn connect(tables: &Tables, event: LambdaEvent<Connecting>) -> Result<Value, Error> {
    let Connecting { request_context } = event.payload;
    tables.store(request_context.connection_id).await?;
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
}

async fn whoami(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let id = event.payload.pointer("/requestContext/connectionId");
    let frame = json!({"type": "whoami", "connectionId": id});
    Ok(json!({"statusCode": 200, "body": frame.to_string()}))
}

/// Hands what comes to the queue, and records it where there are tables.
struct Publish {
    client: aws_sdk_sqs::Client,
    queue_url: String,
    tables: Option<Tables>,
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
            tables: asks.tables(&config)?,
        })
    }

    async fn handle(&self, event: LambdaEvent<Request>) -> Result<Value, Error> {
        let Request { body } = event.payload;
        let recording = Box::pin(record(self.tables.as_ref(), body.clone()));
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

/// Records a frame where there are tables, once the message is on its way.
async fn record(tables: Option<&Tables>, frame: String) -> Result<(), Error> {
    let Some(tables) = tables else { return Ok(()) };
    yield_now().await;
    tables.record(frame).await
}

/// Pushes what it gets to whom that names, or to whom the tables do.
struct Worker<P> {
    pusher: P,
    tables: Option<Tables>,
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
            tables: asks.tables(&config)?,
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
        let connection_ids = match &self.tables {
            Some(tables) => Box::pin(look_up(tables)).await?,
            None => connection_ids,
        };
        let connection_ids: Vec<_> = connection_ids.into_iter().map(ConnectionId::from).collect();
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
async fn look_up(tables: &Tables) -> Result<Vec<String>, Error> {
    let reading = async {
        // The lease's request is on its way before the page's is made ready.
        yield_now().await;
        tables.read().await
    };
    let ((), ids) = try_join(Box::pin(tables.lease()), Box::pin(reading)).await?;
    Ok(ids)
}

impl Asks {
    /// The tables, if they are asked.
    fn tables(self, config: &SdkConfig) -> anyhow::Result<Option<Tables>> {
        match self {
            Self::Nothing => Ok(None),
            Self::Tables => Tables::new(config).map(Some),
        }
    }
}

/// The tables of a stack, asked for as little as their keys allow.
struct Tables {
    client: aws_sdk_dynamodb::Client,
    connections: String,
    notifications: String,
}

impl Tables {
    fn new(config: &SdkConfig) -> anyhow::Result<Self> {
        let [connections, notifications] = settings(["CONNECTIONS_TABLE", "NOTIFICATIONS_TABLE"])?;
        Ok(Self {
            client: aws_sdk_dynamodb::Client::new(config),
            connections,
            notifications,
        })
    }

    async fn store(&self, connection_id: String) -> Result<(), Error> {
        let storing = self.client.put_item().table_name(&self.connections);
        let storing = storing.item("connectionId", AttributeValue::S(connection_id));
        storing.send().await?;
        Ok(())
    }

    async fn record(&self, frame: String) -> Result<(), Error> {
        let [id, part] = new_key("notification");
        let recording = self.client.put_item().table_name(&self.notifications);
        let recording = recording.item("notificationId", id).item("part", part);
        let recording = recording.item("frame", AttributeValue::S(frame));
        recording.send().await?;
        Ok(())
    }

    async fn lease(&self) -> Result<(), Error> {
        let [id, part] = new_key("root");
        let leasing = self.client.update_item().table_name(&self.notifications);
        let leasing = leasing.key("notificationId", id).key("part", part);
        let leasing = leasing.update_expression("SET leaseUntil = :until");
        let until = AttributeValue::N("0".to_owned());
        leasing
            .expression_attribute_values(":until", until)
            .send()
            .await?;
        Ok(())
    }

    /// Reads the ids of all connections.
    async fn read(&self) -> Result<Vec<String>, Error> {
        let reading = self.client.scan().table_name(&self.connections);
        let reading = reading.consistent_read(true).limit(SURVEYED);
        let page = reading.send().await?;
        let rows = page.items.into_iter().flatten();
        let ids = rows.filter_map(|mut row| match row.remove("connectionId")? {
            AttributeValue::S(id) => Some(id),
            _ => None,
        });
        Ok(ids.collect())
    }
}

/// The key of a row of its own in the table of notifications.
fn new_key(part: &str) -> [AttributeValue; 2] {
    let id = NotificationId::generate(Clock::System.now());
    [id.to_string(), part.to_owned()].map(AttributeValue::S)
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
            tables: None,
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
}
