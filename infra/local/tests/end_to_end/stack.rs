//! Starts the real executable on free ports and talks to it as users do.

mod process;
mod subscriber;

use std::time::Duration;

use bytes::Bytes;
use futures::future::try_join_all;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Error as WebSocketError;

pub(crate) use self::process::{Process, command, command_alone, command_with_file_limit, signal};
pub(crate) use self::subscriber::Subscriber;

/// How long to wait for what should come: long, because the machine that runs
/// the tests may be slow, and nothing waits for it when all is well. Longer than
/// the visibility timeout, after which a task is delivered again whose worker had
/// no answer in time.
pub(crate) const PATIENCE: Duration = Duration::from_mins(4);

/// What the system may hold for a client that does not read, in bytes.
const SMALL_BUFFER: u32 = 4 * 1024;

/// How long to wait before asking again.
const POLL: Duration = Duration::from_millis(20);

/// A signature in form: the gateway asks for its scope, and verifies no more.
const SIGNATURE: &str = "AWS4-HMAC-SHA256 \
    Credential=local/20260101/us-east-1/execute-api/aws4_request, \
    SignedHeaders=host, Signature=0";

/// The settings that choose what pushes: the main tests run over either.
pub(crate) const PUSH_CLIENTS: [&str; 2] = ["PUSH_CLIENT=own", "PUSH_CLIENT=sdk"];

/// A stack of its own, stopped when it is dropped.
pub(crate) struct Stack {
    pub(crate) process: Process,
    client: Client<HttpConnector, Full<Bytes>>,
    dynamodb: String,
    pub(crate) http: String,
    sqs: String,
    pub(crate) ws: String,
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Stack {
    /// Starts a stack and waits for its ready line.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        Self::of(command(arguments)).await
    }

    /// Starts a stack by a command and waits for its ready line.
    pub(crate) async fn of(command: Command) -> Self {
        let mut process = Process::spawn(command);
        let mut lines = BufReader::new(process.stdout()).lines();
        let ready = timeout(PATIENCE, lines.next_line()).await;
        let ready = ready.expect("no ready line in time").unwrap();
        let ready = ready.expect("the stack ended before it was ready");
        let address = |name: &str| {
            let mut words = ready.split(' ').filter_map(|word| word.split_once('='));
            let found = words.find(|(key, _)| *key == name);
            found
                .unwrap_or_else(|| panic!("no {name} in {ready:?}"))
                .1
                .to_owned()
        };
        assert!(ready.starts_with("ready "), "{ready:?}");
        Self {
            dynamodb: address("dynamodb"),
            http: address("http"),
            sqs: address("sqs"),
            ws: address("ws"),
            client: Client::builder(TokioExecutor::new()).build_http(),
            process,
        }
    }

    /// Stops the stack as Ctrl-C does; returns whether it ended well.
    pub(crate) async fn stop(mut self) -> bool {
        signal("INT", self.process.pid()).await;
        self.process.ended().await.success()
    }

    /// Returns the processes that run a function.
    pub(crate) fn processes_of(&self, function: &str) -> Vec<u32> {
        let parent = self.process.pid().to_string();
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid: &u32| {
            let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}"));
            let (Ok(status), Ok(command)) = (read("stat"), read("cmdline")) else {
                return false;
            };
            // The fields after the name, which may hold blanks: state, parent.
            let fields = status.rsplit_once(") ").map_or("", |(_, fields)| fields);
            let is_child = fields.split(' ').nth(1) == Some(&parent);
            is_child
                && command
                    .trim_end_matches('\0')
                    .ends_with(&format!("function\0{function}"))
        })
        .collect()
    }

    /// Sends a request to the HTTP API.
    pub(crate) async fn request(&self, method: &str, path: &str, body: &str) -> Answer {
        let headers = [("content-type", "application/json")];
        self.request_with(method, path, &headers, body).await
    }

    /// Sends a request with headers of its own.
    pub(crate) async fn request_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.http));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(body.to_owned())).unwrap();
        let answer = self.client.request(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status,
            headers: head.headers,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        }
    }

    /// Sends a request as it is on the wire, and reads the answer to the end of
    /// the connection.
    pub(crate) async fn exchange(&self, request: &str) -> Answer {
        let address = self.http.strip_prefix("http://").unwrap();
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let reading = connection.read_to_string(&mut answer);
        timeout(PATIENCE, reading).await.expect("no end").unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.parse().unwrap(), value.parse().unwrap())
        };
        Answer {
            status: status.parse().unwrap(),
            headers: lines
                .map(header)
                .collect::<Vec<(HeaderName, HeaderValue)>>()
                .into_iter()
                .collect(),
            body: serde_json::from_str(body).unwrap_or(Value::Null),
        }
    }

    /// Orders a book and returns the location of the notification.
    pub(crate) async fn order(&self) -> String {
        self.publish("/orders", r#"{"bookId":123,"title":"Emma","quantity":1}"#)
            .await
    }

    /// Publishes what must be accepted, and returns its location.
    pub(crate) async fn publish(&self, path: &str, body: &str) -> String {
        let answer = self.request("POST", path, body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.headers["location"].to_str().unwrap().to_owned()
    }

    /// Waits until a notification's ledger is settled, and returns it.
    pub(crate) async fn settled(&self, location: &str) -> Value {
        self.settled_as_any_but(&["accepted", "in_progress"], location)
            .await
    }

    /// Waits until a notification that had failed is settled, and returns its
    /// ledger.
    pub(crate) async fn settled_after_all(&self, location: &str) -> Value {
        self.settled_as_any_but(&["accepted", "in_progress", "failed"], location)
            .await
    }

    async fn settled_as_any_but(&self, states: &[&str], location: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ledger = self.ledger(location).await;
            let counts = [
                "accepted",
                "gone",
                "failed",
                "expired",
                "cancelled",
                "pending",
            ];
            let sum: u64 = counts
                .iter()
                .map(|name| ledger[name].as_u64().unwrap())
                .sum();
            assert_eq!(ledger["targeted"], sum, "the ledger adds up: {ledger}");
            if !states.contains(&ledger["state"].as_str().unwrap()) {
                return ledger;
            }
            assert!(Instant::now() < deadline, "not settled: {ledger}");
            sleep(POLL).await;
        }
    }

    /// Reads a notification's ledger, asking again while that is throttled.
    pub(crate) async fn ledger(&self, location: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.request("GET", location, "").await;
            if answer.status != StatusCode::TOO_MANY_REQUESTS {
                assert_eq!(answer.status, 200, "{answer:?}");
                return answer.body;
            }
            assert!(Instant::now() < deadline, "always throttled");
            sleep(POLL).await;
        }
    }

    /// Waits until so many of a notification's pushes were accepted.
    pub(crate) async fn wait_until_accepted(&self, location: &str, accepted: u64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ledger = self.ledger(location).await;
            assert_ne!(ledger["state"], "done", "too late: {ledger}");
            if ledger["accepted"].as_u64().unwrap() >= accepted {
                return;
            }
            assert!(Instant::now() < deadline, "not accepted: {ledger}");
            sleep(POLL).await;
        }
    }

    /// Counts the messages in the dead-letter queue.
    pub(crate) async fn dead_letters(&self) -> u64 {
        let body = serde_json::json!({
            "QueueUrl": format!("{}/000000000000/dead-letters", self.sqs),
            "AttributeNames": ["ApproximateNumberOfMessages"],
        });
        let attributes = self.sqs("GetQueueAttributes", &body).await;
        let count = &attributes["Attributes"]["ApproximateNumberOfMessages"];
        count.as_str().unwrap().parse().unwrap()
    }

    /// Waits until the dead-letter queue holds so many messages: the ledger is
    /// written before one is sent.
    pub(crate) async fn wait_for_dead_letters(&self, count: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.dead_letters().await != count {
            assert!(Instant::now() < deadline, "not {count} dead letters");
            sleep(POLL).await;
        }
    }

    /// Moves the dead letters back to the notifications' queue.
    pub(crate) async fn redrive(&self) {
        let arn = |queue: &str| format!("arn:aws:sqs:us-east-1:000000000000:{queue}");
        let body = serde_json::json!({
            "SourceArn": arn("dead-letters"),
            "DestinationArn": arn("notifications"),
        });
        self.sqs("StartMessageMoveTask", &body).await;
    }

    /// Counts the rows of a table.
    pub(crate) async fn rows_of(&self, table: &str) -> usize {
        let body = serde_json::json!({
            "TableName": table,
            "Select": "COUNT",
            "ConsistentRead": true,
        });
        let target = "DynamoDB_20120810.Scan";
        let count = self.call(&self.dynamodb, "dynamodb", target, &body).await;
        count["Count"].as_u64().unwrap().try_into().unwrap()
    }

    /// Waits until a table has no rows.
    pub(crate) async fn wait_until_empty(&self, table: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.rows_of(table).await > 0 {
            assert!(Instant::now() < deadline, "{table} is not empty");
            sleep(POLL).await;
        }
    }

    /// Calls an operation of SQS.
    async fn sqs(&self, operation: &str, body: &Value) -> Value {
        let target = format!("AmazonSQS.{operation}");
        self.call(&self.sqs, "sqs", &target, body).await
    }

    /// Calls an operation of a service that speaks JSON.
    async fn call(&self, endpoint: &str, service: &str, target: &str, body: &Value) -> Value {
        let request = Request::post(endpoint)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", target)
            .header("authorization", SIGNATURE.replace("execute-api", service))
            .header("x-amz-date", "20260101T000000Z")
            .body(Full::from(body.to_string()))
            .unwrap();
        let answer = self.client.request(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{target}: {body:?}");
        serde_json::from_slice(&body).unwrap_or(Value::Null)
    }

    /// Opens a socket.
    pub(crate) async fn subscribe(&self, query: &str) -> Subscriber {
        self.try_subscribe(query).await.unwrap()
    }

    pub(crate) async fn try_subscribe(&self, query: &str) -> Result<Subscriber, WebSocketError> {
        Subscriber::connect(&format!("{}{query}", self.ws), None).await
    }

    /// Opens a socket with subprotocols; returns the one that was chosen too.
    pub(crate) async fn try_subscribe_speaking(
        &self,
        subprotocols: &str,
    ) -> Result<(Subscriber, Option<String>), WebSocketError> {
        Subscriber::connect_speaking(&self.ws, subprotocols).await
    }

    /// Opens a socket of a client that gets into difficulties soon when it does
    /// not read.
    pub(crate) async fn subscribe_with_small_buffer(&self) -> Subscriber {
        let opened = Subscriber::connect(&self.ws, Some(SMALL_BUFFER));
        opened.await.unwrap()
    }

    /// Opens many sockets.
    pub(crate) async fn subscribe_many(&self, count: usize) -> Vec<Subscriber> {
        let mut subscribers = Vec::with_capacity(count);
        while subscribers.len() < count {
            let at_once = (count - subscribers.len()).min(16);
            let opening = (0..at_once).map(|_| self.try_subscribe(""));
            subscribers.extend(try_join_all(opening).await.unwrap());
        }
        subscribers
    }

    /// Waits until the gateway has noticed that a connection is closed.
    pub(crate) async fn wait_until_disconnected(&self, connection_id: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.is_connected(connection_id).await {
            assert!(Instant::now() < deadline, "{connection_id} is still open");
            sleep(POLL).await;
        }
    }

    /// Asks the `@connections` API whether a connection is open.
    async fn is_connected(&self, connection_id: &str) -> bool {
        let stage = self.ws.replacen("ws://", "http://", 1);
        let id = connection_id.replace('=', "%3D");
        let request = Request::get(format!("{stage}/%40connections/{id}"))
            .header("authorization", SIGNATURE)
            .body(Full::default())
            .unwrap();
        let answer = self.client.request(request).await.unwrap();
        match answer.status().as_u16() {
            // Throttled: ask again.
            200 | 429 => true,
            410 => false,
            other => panic!("@connections answered {other}"),
        }
    }
}

/// Makes a token as users do.
pub(crate) async fn token(arguments: &[&str]) -> String {
    let output = command_alone(&["token"]).args(arguments).output().await;
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    let token = String::from_utf8(output.stdout).unwrap();
    token.strip_suffix('\n').unwrap().to_owned()
}

/// Runs the executable to its end, which must be a failure, and returns what it
/// said.
pub(crate) async fn fail_to_start(arguments: &[&str]) -> String {
    let output = timeout(PATIENCE, command(arguments).output()).await;
    let output = output.expect("it did not end").unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}
