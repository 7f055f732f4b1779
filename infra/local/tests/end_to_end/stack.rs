//! Starts the real executable on free ports and talks to it as users do.

use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use futures::future::try_join_all;
use futures::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long to wait for what should come: long, because the machine that runs
/// the tests may be slow, and nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_mins(1);

/// A signature in form: the gateway asks for its scope, and verifies no more.
const SIGNATURE: &str = "AWS4-HMAC-SHA256 \
    Credential=local/20260101/us-east-1/execute-api/aws4_request, \
    SignedHeaders=host, Signature=0";

/// A stack of its own, stopped when it is dropped.
pub(crate) struct Stack {
    child: Child,
    client: Client<HttpConnector, Full<Bytes>>,
    http: String,
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

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fanout-local"));
    command
        .args(["--http", "127.0.0.1:0", "--ws", "127.0.0.1:0"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    command
}

impl Stack {
    /// Starts a stack and waits for its ready line.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let mut child = command(arguments).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
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
            http: address("http"),
            sqs: address("sqs"),
            ws: address("ws"),
            client: Client::builder(TokioExecutor::new()).build_http(),
            child,
        }
    }

    /// Stops the stack as Ctrl-C does; returns whether it ended well.
    pub(crate) async fn stop(mut self) -> bool {
        self.signal("INT", self.pid()).await;
        let ended = timeout(PATIENCE, self.child.wait()).await;
        ended
            .expect("the stack did not stop in time")
            .unwrap()
            .success()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("the stack is running")
    }

    /// Sends a signal to a process of this stack.
    pub(crate) async fn signal(&self, signal: &str, pid: u32) {
        let mut kill = Command::new("kill");
        let sent = kill.args(["-s", signal, &pid.to_string()]).status().await;
        assert!(sent.unwrap().success());
    }

    /// Returns the processes that run a function.
    pub(crate) fn processes_of(&self, function: &str) -> Vec<u32> {
        let parent = self.pid().to_string();
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
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.http))
            .header("content-type", "application/json")
            .body(Full::from(body.to_owned()))
            .unwrap();
        let answer = self.client.request(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status,
            headers: head.headers,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
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
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ledger = self.request("GET", location, "").await.body;
            let counts = ["accepted", "gone", "failed", "expired", "pending"];
            let sum: u64 = counts
                .iter()
                .map(|name| ledger[name].as_u64().unwrap())
                .sum();
            assert_eq!(ledger["targeted"], sum, "the ledger adds up: {ledger}");
            if !["accepted", "in_progress"].contains(&ledger["state"].as_str().unwrap()) {
                return ledger;
            }
            assert!(Instant::now() < deadline, "not settled: {ledger}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until so many of a notification's pushes were accepted.
    pub(crate) async fn wait_until_accepted(&self, location: &str, accepted: u64) {
        loop {
            let ledger = self.request("GET", location, "").await.body;
            assert_ne!(ledger["state"], "done", "too late: {ledger}");
            if ledger["accepted"].as_u64().unwrap() >= accepted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
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

    /// Calls an operation of SQS.
    pub(crate) async fn sqs(&self, operation: &str, body: &Value) -> Value {
        let request = Request::post(&self.sqs)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("AmazonSQS.{operation}"))
            .header("authorization", SIGNATURE.replace("execute-api", "sqs"))
            .body(Full::from(body.to_string()))
            .unwrap();
        let answer = self.client.request(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{operation}: {body:?}");
        serde_json::from_slice(&body).unwrap_or(Value::Null)
    }

    /// Opens a socket.
    pub(crate) async fn subscribe(&self, query: &str) -> Subscriber {
        self.try_subscribe(query).await.unwrap()
    }

    pub(crate) async fn try_subscribe(&self, query: &str) -> Result<Subscriber, WebSocketError> {
        let (socket, _) = connect_async(format!("{}{query}", self.ws)).await?;
        Ok(Subscriber { socket })
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

    /// Asks the `@connections` API whether a connection is open.
    pub(crate) async fn is_connected(&self, connection_id: &str) -> bool {
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

/// One open socket.
pub(crate) struct Subscriber {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Subscriber {
    pub(crate) async fn send(&mut self, message: Value) {
        self.socket
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }

    /// Returns the next message.
    pub(crate) async fn next(&mut self) -> Message {
        let next = timeout(PATIENCE, self.socket.next()).await;
        next.expect("nothing arrived in time")
            .expect("the socket ended")
            .unwrap()
    }

    /// Returns the next frame, which must be JSON.
    pub(crate) async fn frame(&mut self) -> Value {
        let message = self.next().await;
        serde_json::from_str(message.to_text().unwrap()).unwrap()
    }

    /// Sends an action and returns its reply.
    pub(crate) async fn ask(&mut self, message: Value) -> Value {
        self.send(message).await;
        self.frame().await
    }

    /// Returns how many frames are there already, by a ping that is answered
    /// after them.
    pub(crate) async fn count_arrived(&mut self) -> usize {
        self.send(serde_json::json!({"action": "ping"})).await;
        let mut arrived = 0;
        while self.frame().await["type"] != "pong" {
            arrived += 1;
        }
        arrived
    }

    /// Vanishes without a closing handshake.
    pub(crate) fn vanish(self) {
        drop(self.socket);
    }
}

/// Runs the executable to its end, which must be a failure, and returns what it
/// said.
pub(crate) async fn fail_to_start(arguments: &[&str]) -> String {
    let mut child = command(arguments).stderr(Stdio::piped()).spawn().unwrap();
    let status = timeout(PATIENCE, child.wait())
        .await
        .expect("it runs")
        .unwrap();
    assert!(!status.success());
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .await
        .unwrap();
    said
}
