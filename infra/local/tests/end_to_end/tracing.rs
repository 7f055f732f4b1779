//! One trace from the publisher's request to every task of its notification.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::stack::{PATIENCE, Stack};

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
const HEADER: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
const ORDER: &str = r#"{"bookId":123,"title":"Emma","quantity":1}"#;

/// Stands where X-Ray's daemon stands on AWS.
struct Daemon(UdpSocket);

impl Daemon {
    async fn start() -> Self {
        Self(UdpSocket::bind("127.0.0.1:0").await.unwrap())
    }

    fn variable(&self) -> String {
        let address = self.0.local_addr().unwrap();
        format!("AWS_XRAY_DAEMON_ADDRESS={address}")
    }

    async fn next(&self) -> Value {
        let mut datagram = vec![0; 65_536];
        let received = timeout(PATIENCE, self.0.recv(&mut datagram)).await;
        let bytes = received.expect("no segment arrived").unwrap();
        let text = str::from_utf8(&datagram[..bytes]).unwrap();
        let (header, document) = text.split_once('\n').unwrap();
        assert_eq!(header, r#"{"format": "json", "version": 1}"#);
        serde_json::from_str(document).unwrap()
    }
}

#[tokio::test]
async fn a_broadcast_is_found_by_the_trace_of_its_request() {
    let daemon = Daemon::start().await;
    let stack = Stack::start(&[
        "--small-audience",
        "2",
        "--env",
        &daemon.variable(),
        "--env",
        "METRICS_NAMESPACE=Fanout/test",
        "--log",
        "info,lambda=debug",
    ])
    .await;
    let subscribers = stack.subscribe_many(5).await;
    let headers = [
        ("content-type", "application/json"),
        ("x-amzn-trace-id", HEADER),
    ];
    let answer = stack.request_with("POST", "/orders", &headers, ORDER).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.body["id"].as_str().unwrap();
    let location = answer.headers["location"].to_str().unwrap();
    let ledger = stack.settled(location).await;
    assert_eq!(ledger["accepted"], json!(subscribers.len()));

    // The root's task, which is cut, and those of all slices are of the trace.
    let trace = format!("trace_id=\"{ROOT}\"");
    stack.process.logged("audience cut").await;
    let mut segments = 0;
    let mut invocations = BTreeSet::new();
    let mut pushes = 0;
    while pushes < 5 {
        let segment = daemon.next().await;
        assert_eq!(segment["name"], "fan out", "{segment}");
        let annotations = json!({"message_trace_id": ROOT, "notification_id": id});
        assert_eq!(segment["annotations"], annotations);
        // Of the worker's own trace, to which X-Ray links the message's.
        let own = segment["trace_id"].as_str().unwrap();
        assert_ne!(own, ROOT);
        invocations.insert(own.to_owned());
        segments += 1;
        for pushed in segment["subsegments"].as_array().into_iter().flatten() {
            assert_eq!(pushed["name"], "PostToConnection");
            pushes += pushed["metadata"]["fanout"]["pushes"].as_u64().unwrap();
        }
    }
    assert!(segments > 1, "slices are tasks of their own");
    assert!(invocations.len() > 1, "{invocations:?}");

    let lines = stack.process.lines_with(&trace);
    let of = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!(of("notification accepted"), 1, "{lines:?}");
    assert_eq!(of("audience cut"), 1, "{lines:?}");
    assert!(of("task ended") > 0, "{lines:?}");
    assert!(lines.iter().all(|line| line.contains(id)), "{lines:?}");
    let metrics = format!("\"trace_id\":\"{ROOT}\"");
    stack.process.logged(&metrics).await;
}

#[tokio::test]
async fn a_request_without_a_trace_gets_one() {
    let stack = Stack::start(&["--log", "info"]).await;
    let _subscriber = stack.subscribe("").await;
    let location = stack.order().await;
    stack.settled(&location).await;
    let accepted = stack.process.logged("notification accepted").await;
    let ended = stack.process.logged("task ended").await;
    let root = |line: &str| {
        let (_, trace) = line.split_once("trace_id=\"").unwrap();
        trace.split('"').next().unwrap().to_owned()
    };
    assert_eq!(root(&accepted), root(&ended));
    assert_eq!(root(&ended).len(), ROOT.len());
}
