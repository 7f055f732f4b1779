//! Functions without work: the hops of a notification, and nothing else.
//!
//! `publish` hands a request's body to the queue, and `worker` pushes it to the
//! connections that it names, by the same clients on the same runtime as the
//! functions that they stand in for. No table is read or written.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use clap::Args;
use fanout_core::aws::push_client::{self, PushClient, PushClientError};
use fanout_core::aws::{self, SdkConfig};
use fanout_core::clock::Clock;
use fanout_core::connection::ConnectionId;
use fanout_core::push::{PushOutcome, Pusher};
use fanout_core::settings::Reader;
use futures::future::try_join_all;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};

/// Every function that a local stack starts.
const NAMES: [&str; 5] = ["connect", "disconnect", "message", "publish", "worker"];

/// As long as the real worker gives a push.
const PUSH_TIMEOUT: Duration = Duration::from_secs(3);
/// As many as it has in flight.
const MAX_IN_FLIGHT: usize = 256;

/// Which function runs.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Its name
    name: String,
}

/// Writes a directory for a stack's `--functions`, in which each one is this
/// executable.
///
/// # Errors
/// It cannot be written.
pub(crate) fn write_to(directory: &Path) -> anyhow::Result<()> {
    let this = std::env::current_exe().context("cannot find this executable")?;
    let this = this.to_str().context("the path is not UTF-8")?;
    for name in NAMES {
        let path = directory.join(name);
        let writing = || format!("cannot write {}", path.display());
        fs::write(&path, script(this, name)).with_context(writing)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).with_context(writing)?;
    }
    Ok(())
}

/// Becomes the function.
fn script(executable: &str, name: &str) -> String {
    let executable = executable.replace('\'', r"'\''");
    format!("#!/bin/sh\nexec '{executable}' hollow {name}\n")
}

/// Runs one function until its environment is shut down.
///
/// # Errors
/// An unknown name, an invalid configuration, or a Runtime API that went away.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let ran = match options.name.as_str() {
        "connect" | "disconnect" => lambda_runtime::run(service_fn(let_through)).await,
        "message" => lambda_runtime::run(service_fn(whoami)).await,
        "publish" => {
            let publish = Publish::new().await?;
            let publish = &publish;
            lambda_runtime::run(service_fn(|event| publish.handle(event))).await
        }
        "worker" => {
            let worker = Worker::new().await?;
            let worker = &worker;
            lambda_runtime::run(service_fn(|event| worker.handle(event))).await
        }
        name => bail!("unknown function {name:?}; known are {}", NAMES.join(", ")),
    };
    ran.map_err(|error| anyhow::anyhow!("{}: {error}", options.name))
}

async fn let_through(_event: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(json!({"statusCode": 200}))
}

async fn whoami(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let id = event.payload.pointer("/requestContext/connectionId");
    let frame = json!({"type": "whoami", "connectionId": id});
    Ok(json!({"statusCode": 200, "body": frame.to_string()}))
}

/// Hands what comes to the queue.
struct Publish {
    client: aws_sdk_sqs::Client,
    queue_url: String,
}

/// A request to the HTTP API, as far as it is read.
#[derive(Debug, Deserialize)]
struct Request {
    #[serde(default)]
    body: String,
}

impl Publish {
    async fn new() -> anyhow::Result<Self> {
        let [queue_url] = settings(["NOTIFICATIONS_QUEUE_URL"])?;
        let config = aws::load_config().await;
        Ok(Self {
            client: aws_sdk_sqs::Client::new(&config),
            queue_url,
        })
    }

    async fn handle(&self, event: LambdaEvent<Request>) -> Result<Value, Error> {
        let sending = self.client.send_message().queue_url(&self.queue_url);
        sending.message_body(event.payload.body).send().await?;
        Ok(json!({"statusCode": 202, "body": "{}"}))
    }
}

/// Pushes what it gets to whom that names.
struct Worker<P> {
    pusher: P,
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
    async fn new() -> anyhow::Result<Self> {
        let [endpoint] = settings(["MANAGEMENT_ENDPOINT"])?;
        Ok(Self {
            pusher: pusher(&aws::load_config().await, endpoint)?,
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
        let frame = Bytes::from(body);
        let pushes = connection_ids.into_iter().map(async |id| {
            match self.pusher.push(&ConnectionId::from(id), &frame).await {
                PushOutcome::Accepted => Ok(()),
                outcome => Err(format!("a push ended with {outcome:?}")),
            }
        });
        try_join_all(pushes).await?;
        Ok(())
    }
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
        let worker = Worker { pusher };
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
        write_to(directory.path()).unwrap();
        for name in NAMES {
            let path = directory.path().join(name);
            let script = fs::read_to_string(&path).unwrap();
            assert!(script.ends_with(&format!("' hollow {name}\n")), "{script}");
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o111, 0o111);
        }
        assert!(script("/it's/here", "publish").contains(r"'/it'\''s/here'"));
    }
}
