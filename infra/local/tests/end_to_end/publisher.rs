//! What a publisher can do beside publishing once.

use std::collections::BTreeSet;

use futures::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};

use crate::stack::{Answer, Stack};

const ORDER: &str = r#"{"bookId":123,"title":"Emma","quantity":1}"#;
const KEY: &str = "idempotency-key";

async fn order_with_key(stack: &Stack, key: &str, body: &str) -> Answer {
    let headers = [("content-type", "application/json"), (KEY, key)];
    stack.request_with("POST", "/orders", &headers, body).await
}

#[tokio::test]
async fn the_same_request_made_again_is_the_same_notification() {
    let stack = Stack::start(&[]).await;
    let mut subscriber = stack.subscribe("").await;
    // All at once: some find the first one between its two steps.
    let answers = (0..8).map(|_| order_with_key(&stack, "k", ORDER));
    let answers = join_all(answers).await;
    for answer in &answers {
        assert_eq!(answer.status, 202, "{answer:?}");
        assert_eq!(answer.body, answers[0].body);
    }
    let location = answers[0].headers["location"].to_str().unwrap();
    assert_eq!(stack.settled(location).await["accepted"], 1);

    let other = order_with_key(&stack, "k", r#"{"bookId":1,"title":"T","quantity":1}"#).await;
    assert_eq!(
        (other.status.as_u16(), &other.body["code"]),
        (422, &json!("idempotency_key_reused"))
    );
    let another_key = order_with_key(&stack, "l", ORDER).await;
    assert_ne!(another_key.body["id"], answers[0].body["id"]);
    stack
        .settled(another_key.headers["location"].to_str().unwrap())
        .await;
    assert_eq!(subscriber.count_arrived().await, 2);
}

#[tokio::test]
async fn a_publisher_that_tries_again_orders_once_whatever_dies() {
    let faults = ["--faults", "kill-function=20%", "--fault-seed", "7"];
    let timing = ["--worker-timeout", "2s", "--visibility-timeout", "2s"];
    let stack = Stack::start(&[faults, timing].concat()).await;
    let mut subscriber = loop {
        // `$connect` may be killed as well.
        if let Ok(subscriber) = stack.try_subscribe("").await {
            break subscriber;
        }
    };
    let mut ordered = BTreeSet::new();
    let mut attempts = 0;
    for n in 0..40 {
        let answer = loop {
            attempts += 1;
            let answer = order_with_key(&stack, &format!("order-{n}"), ORDER).await;
            if answer.status == StatusCode::ACCEPTED {
                break answer;
            }
            assert!(answer.status.is_server_error(), "{answer:?}");
        };
        ordered.insert(answer.body["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(ordered.len(), 40);
    assert!(attempts > 40, "nothing was killed");
    let mut arrived = BTreeSet::new();
    while arrived.len() < ordered.len() {
        let frame = subscriber.frame().await;
        arrived.insert(frame["id"].as_str().unwrap().to_owned());
    }
    // An order whose first request was killed did not become another one.
    assert_eq!(arrived, ordered);
}

#[tokio::test]
async fn what_was_not_pushed_can_be_cancelled_and_is_counted() {
    let pace = [
        "--env",
        "PUSH_RATE_PER_SECOND=50",
        "--env",
        "PUSH_BURST=20",
        "--env",
        "CHECKPOINT_MS=100",
        "--small-audience",
        "200",
    ];
    let stack = Stack::start(&pace).await;
    let mut subscribers = stack.subscribe_many(200).await;
    let location = stack.order().await;
    stack.wait_until_accepted(&location, 25).await;
    let answer = stack.request("DELETE", &location, "").await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert!(answer.body["cancelRequestedAt"].is_string());

    let ledger = stack.settled(&location).await;
    let count = |name: &str| ledger[name].as_u64().unwrap();
    assert_eq!(
        (&ledger["state"], count("targeted")),
        (&json!("cancelled"), 200)
    );
    assert_eq!(count("accepted") + count("cancelled"), 200);
    assert!(count("cancelled") > 0, "{ledger}");
    let mut arrived = 0;
    for subscriber in &mut subscribers {
        arrived += subscriber.count_arrived().await as u64;
    }
    assert_eq!(arrived, count("accepted"), "who was cancelled got nothing");

    let again = stack.request("DELETE", &location, "").await;
    assert_eq!(
        (again.status.as_u16(), &again.body["code"]),
        (409, &json!("already_ended"))
    );
}

#[tokio::test]
async fn a_ledger_shows_how_fast_and_how_long() {
    let pace = ["--env", "PUSH_RATE_PER_SECOND=50", "--env", "PUSH_BURST=10"];
    let checkpoints = ["--env", "CHECKPOINT_MS=100", "--small-audience", "100"];
    let stack = Stack::start(&[pace, checkpoints].concat()).await;
    let _subscribers = stack.subscribe_many(100).await;
    let location = stack.order().await;
    stack.wait_until_accepted(&location, 20).await;
    let ledger = stack.ledger(&location).await;
    assert_eq!(ledger["state"], "in_progress");
    assert!(ledger["ratePerSecond"].as_u64().unwrap() > 0, "{ledger}");
    assert!(ledger["estimatedSecondsLeft"].is_u64(), "{ledger}");
    let ledger = stack.settled(&location).await;
    assert!(ledger["completedAt"].as_str() > ledger["startedAt"].as_str());
    assert_eq!(ledger.get("estimatedSecondsLeft"), None);
}

#[tokio::test]
async fn a_batch_reaches_its_audiences_and_names_what_is_wrong() {
    let stack = Stack::start(&[]).await;
    let mut subscriber = stack.subscribe("?topics=a").await;
    let to = |target: Value| json!({"type": "t", "data": 1, "target": target});
    let mut notifications = vec![to(json!({"topic": "a"})); 99];
    notifications.push(to(json!("nobody")));
    let body = json!({"notifications": notifications}).to_string();
    let answer = stack.request("POST", "/notifications:batch", &body).await;
    assert_eq!(answer.status, 207, "{answer:?}");
    let results = answer.body["results"].as_array().unwrap();
    for accepted in &results[..99] {
        assert_eq!(accepted["status"], 202, "{accepted}");
        let location = accepted["location"].as_str().unwrap();
        assert_eq!(stack.settled(location).await["accepted"], 1);
    }
    assert_eq!(results[99]["errors"][0]["pointer"], "/target");
    assert_eq!(subscriber.count_arrived().await, 99);
}

#[tokio::test]
async fn a_connection_can_be_looked_at_and_closed() {
    let stack = Stack::start(&[]).await;
    let mut subscriber = stack.subscribe("?topics=a,b").await;
    let who = subscriber.ask(json!({"action": "whoami"})).await;
    let id = who["connectionId"].as_str().unwrap();
    let path = format!("/connections/{}", id.replace('=', "%3D"));
    let shown = stack.request("GET", &path, "").await;
    assert_eq!(shown.status, 200, "{shown:?}");
    assert_eq!(
        (&shown.body["connectionId"], &shown.body["topics"]),
        (&json!(id), &json!(["a", "b"]))
    );
    assert_eq!(shown.body["sourceIp"], "127.0.0.1");
    assert!(shown.body["connectedAt"].is_string());
    let listening = stack.request("GET", "/topics/a", "").await;
    assert_eq!(listening.body, json!({"topic": "a", "connections": 1}));

    let closed = stack.request("DELETE", &path, "").await;
    assert_eq!(closed.status, 204, "{closed:?}");
    let end = subscriber.next().await;
    assert!(end.is_close(), "{end:?}");
    for method in ["GET", "DELETE"] {
        let gone = stack.request(method, &path, "").await;
        assert_eq!(
            (gone.status.as_u16(), &gone.body["code"]),
            (404, &json!("no_such_connection"))
        );
    }
    let listening = stack.request("GET", "/topics/a", "").await;
    assert_eq!(listening.body["connections"], 0);
}

#[tokio::test]
async fn cloud_events_are_taken_in_both_modes() {
    let stack = Stack::start(&[]).await;
    let mut subscriber = stack.subscribe("?topics=shop").await;
    let structured = json!({
        "specversion": "1.0", "id": "1", "source": "/shop", "type": "sold", "subject": "shop",
        "data": {"n": 1},
    });
    let headers = [("content-type", "application/cloudevents+json")];
    let body = structured.to_string();
    let answer = stack.request_with("POST", "/notifications", &headers, &body);
    assert_eq!(answer.await.status, 202);
    let mut frame = subscriber.frame().await;
    assert_eq!(frame["datacontenttype"], "application/json");
    assert!(frame["time"].is_string());
    let event = frame.as_object_mut().unwrap();
    event.retain(|name, _| structured.get(name).is_some());
    assert_eq!(frame, structured);

    let headers = [
        ("content-type", "text/plain"),
        ("ce-specversion", "1.0"),
        ("ce-id", "2"),
        ("ce-source", "/shop"),
        ("ce-type", "sold"),
        ("ce-subject", "shop"),
        ("ce-trace", "abc"),
    ];
    let answer = stack.request_with("POST", "/notifications", &headers, "hello");
    assert_eq!(answer.await.status, 202);
    let frame = subscriber.frame().await;
    assert_eq!(
        (&frame["id"], &frame["data"], &frame["trace"]),
        (&json!("2"), &json!("hello"), &json!("abc"))
    );
}

#[tokio::test]
async fn pages_of_other_origins_may_publish_where_that_is_configured() {
    let shop = "https://shop.example";
    let stack = Stack::start(&["--env", &format!("CORS_ORIGINS={shop}")]).await;
    let headers = [
        ("origin", shop),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    let preflight = stack.request_with("OPTIONS", "/orders", &headers, "").await;
    assert_eq!(preflight.status, 204);
    let allowed = &preflight.headers["access-control-allow-headers"];
    assert!(allowed.to_str().unwrap().contains("content-type"));
    let headers = [("origin", shop), ("content-type", "application/json")];
    let answer = stack.request_with("POST", "/orders", &headers, ORDER).await;
    assert_eq!(answer.headers["access-control-allow-origin"], shop);
}
