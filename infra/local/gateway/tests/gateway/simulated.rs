//! Connections without a socket.

use bytes::Bytes;
use fanout_local_gateway::{RateLimit, Settings, simulated_connection_id};
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::stage::{Stage, settings};

fn simulating(connections: u32) -> Settings {
    Settings {
        simulated_connections: connections,
        ..settings()
    }
}

async fn told(stage: &Stage, query: &str) -> (u16, Value) {
    let uri = format!("http://{}/_local/simulated{query}", stage.http);
    let request = Request::get(uri).body(Full::default()).unwrap();
    let reply = stage.send(request).await;
    let document = serde_json::from_slice(reply.body()).unwrap();
    (reply.status().as_u16(), document)
}

#[tokio::test]
async fn pushes_to_simulated_connections_are_taken_and_told() {
    let stage = Stage::start(simulating(3));
    let (a, b) = (r#"{"id":"a"}"#, r#"{"id":"b"}"#);
    for (index, text) in [(0, a), (2, a), (2, a), (1, b)] {
        assert_eq!(stage.push(&simulated_connection_id(index), text).await, 200);
    }
    assert_eq!(stage.push(&simulated_connection_id(3), a).await, 410);
    let (status, all) = told(&stage, "").await;
    assert_eq!(status, 200);
    assert_eq!(
        (&all["subscribers"], &all["pushes"]),
        (&json!(3), &json!(4))
    );
    assert_eq!(all["notifications"][0]["id"], "b");
    let (status, one) = told(&stage, "?notification=a").await;
    assert_eq!(status, 200);
    assert_eq!(
        (&one["reached"], &one["duplicates"]),
        (&json!(2), &json!(1))
    );
    assert!(one["offsetsUs"].as_str().unwrap().starts_with("HIST"));
    assert_eq!(told(&stage, "?notification=c").await.0, 404);
    assert_eq!(stage.gateway.statistics().pushes_accepted, 4);
}

#[tokio::test]
async fn a_simulated_connection_is_described_until_it_is_deleted() {
    let stage = Stage::start(simulating(1));
    let id = simulated_connection_id(0);
    let reply = stage.call("GET", &id, Bytes::new()).await;
    let described: Value = serde_json::from_slice(reply.body()).unwrap();
    assert_eq!(described["identity"]["userAgent"], "simulated");
    let reply = stage.call("DELETE", &id, Bytes::new()).await;
    assert_eq!(reply.status(), 204);
    for method in ["GET", "POST", "DELETE"] {
        let reply = stage.call(method, &id, Bytes::new()).await;
        assert_eq!(reply.status(), 410, "{method}");
    }
}

#[tokio::test]
async fn pushes_to_simulated_connections_use_up_the_accounts_quota() {
    let one_request = RateLimit {
        rate_per_second: 1,
        burst: 1,
    };
    let stage = Stage::start(Settings {
        account: Some(one_request),
        ..simulating(1)
    });
    let id = simulated_connection_id(0);
    assert_eq!(stage.push(&id, "{}").await, 200);
    assert_eq!(stage.push(&id, "{}").await, 429);
    // What is told is outside of it.
    assert_eq!(told(&stage, "").await.1["pushes"], 1);
}

#[tokio::test]
async fn without_simulated_connections_there_is_nothing_to_tell() {
    let stage = Stage::start(settings());
    assert_eq!(told(&stage, "").await.0, 404);
}
