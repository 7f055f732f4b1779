//! The HTTP API, as its document describes it.

mod answers;

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::json;

use self::answers::{Contract, Seen};
use super::document::Document;
use crate::stack::{Stack, token};

/// Nothing listens there.
const NOWHERE: &str = "http://127.0.0.1:1";
const SHOP: &str = "https://shop.example";
const JSON: (&str, &str) = ("content-type", "application/json");
const EVENT: (&str, &str) = ("content-type", "application/cloudevents+json");

const ORDER: &str = r#"{"bookId":123,"title":"Emma","quantity":1}"#;
const NOTE: &str = r#"{"type":"note","data":null,"target":"everyone"}"#;
const BATCH: &str = r#"{"notifications":[{"type":"note","data":1,"target":"everyone"}]}"#;

/// One request for each operation, for where its content does not matter.
const ANY: [(&str, &str, &str); 8] = [
    ("orderBook", "/orders", ORDER),
    ("publishNotification", "/notifications", NOTE),
    ("publishBatch", "/notifications:batch", BATCH),
    (
        "showNotification",
        "/notifications/01a1fd30-674c-7046-b08c-00baf7458009",
        "",
    ),
    (
        "cancelNotification",
        "/notifications/01a1fd30-674c-7046-b08c-00baf7458009",
        "",
    ),
    ("showConnection", "/connections/TXzPWdnOjoECGjA%3D", ""),
    ("closeConnection", "/connections/TXzPWdnOjoECGjA%3D", ""),
    ("countListeners", "/topics/news", ""),
];

/// What only API Gateway on AWS answers: 403 to a wrong signature, 503 without
/// capacity.
const NOT_PRODUCED: [(&str, &str); 2] = [("403", "application/json"), ("503", "application/json")];

#[tokio::test]
async fn every_documented_answer_is_given_and_no_other() {
    let mut contract = Contract::new();
    accept_and_refuse(&mut contract).await;
    look_at_what_there_is(&mut contract).await;
    ask_for_a_token(&mut contract).await;
    lose_the_stores(&mut contract).await;
    meet_the_gateway(&mut contract).await;

    let is_produced = |(_, status, kind): &Seen| !NOT_PRODUCED.contains(&(status, kind));
    let documented: BTreeSet<_> = contract
        .documented()
        .into_iter()
        .filter(is_produced)
        .collect();
    let not_given: Vec<_> = documented.difference(&contract.seen).collect();
    assert!(not_given.is_empty(), "never given: {not_given:#?}");
    assert_eq!(contract.seen, documented);
}

/// What comes of bodies, headers and keys.
async fn accept_and_refuse(contract: &mut Contract) {
    let stack = Stack::start(&["--env", "MAX_FRAME_BYTES=1024"]).await;
    let large = "x".repeat(1_024);
    let large_order = json!({"bookId": 1, "title": "é".repeat(500), "quantity": 1});
    let large_note = json!({"type": "note", "data": large, "target": "everyone"});
    let items = json!({"notifications": [{"type": "note"}, large_note, {"type": "t", "data": 1, "target": {"topic": "a"}}]});
    let event = json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": 1, "subject": "a", "myext": true});
    let binary = [
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/s"),
        ("ce-type", "t"),
    ];
    let as_text = [&binary[..], &[("content-type", "text/plain")]].concat();
    let long_key = "k".repeat(256);
    let over_ten_megabytes = "x".repeat(10 * 1024 * 1024 + 1);

    for (id, path, body, other_body, large) in [
        ("orderBook", "/orders", ORDER, "{}", large_order),
        (
            "publishNotification",
            "/notifications",
            NOTE,
            "[]",
            large_note.clone(),
        ),
        (
            "publishBatch",
            "/notifications:batch",
            BATCH,
            r#"{"notifications":[]}"#,
            items,
        ),
    ] {
        let key = ("idempotency-key", id);
        let first = contract.call(&stack, id, path, &[JSON, key], body).await;
        let again = contract.call(&stack, id, path, &[JSON, key], body).await;
        assert_eq!(first.body, again.body);
        let other = body.replacen('1', "2", 1).replace("null", "1");
        let headers = [JSON, key];
        assert_eq!(
            contract
                .call(&stack, id, path, &headers, &other)
                .await
                .status,
            422
        );
        assert_eq!(
            contract.call(&stack, id, path, &[JSON], "no").await.status,
            400
        );
        let headers = [JSON, ("idempotency-key", &long_key)];
        assert_eq!(
            contract.call(&stack, id, path, &headers, body).await.status,
            400
        );
        let headers = [("content-type", "text/plain")];
        assert_eq!(
            contract.call(&stack, id, path, &headers, body).await.status,
            415
        );
        assert_eq!(
            contract
                .call(&stack, id, path, &[JSON], other_body)
                .await
                .status,
            422
        );
        contract
            .call(&stack, id, path, &[JSON], &large.to_string())
            .await;
        let answer = contract
            .call(&stack, id, path, &[JSON], &over_ten_megabytes)
            .await;
        assert_eq!(answer.status, 413);
        // A chunk whose size is no number: the body breaks off.
        let broken = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nnone\r\n"
        );
        let answer = stack.exchange(&broken).await;
        assert_eq!(answer.status, 400);
        contract.check(id, &answer);
    }
    let (id, path) = ("publishNotification", "/notifications");
    for (headers, body) in [
        (&[EVENT] as &[_], event.to_string()),
        (&binary, r#"{"a":1}"#.to_owned()),
        (&binary, String::new()),
        (&as_text, "text".to_owned()),
    ] {
        let answer = contract.call(&stack, id, path, headers, &body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }
}

/// What comes of looking, cancelling and closing.
async fn look_at_what_there_is(contract: &mut Contract) {
    let cors = format!("CORS_ORIGINS={SHOP}");
    // Pushes take their time, so that something is left to cancel.
    let slow = [
        "--faults",
        "slow-call=100%:10000ms",
        "--env",
        "MAX_FAILED=100",
    ];
    let stack = Stack::start(&[&slow[..], &["--env", &cors]].concat()).await;
    let mut subscriber = stack.subscribe("?topics=news").await;
    let who = subscriber.ask(json!({"action": "whoami"})).await;
    let connection = who["connectionId"].as_str().unwrap().replace('=', "%3D");
    let connection = format!("/connections/{connection}");

    let nobody = r#"{"type":"note","data":1,"target":{"topic":"nobody"},"ttlSeconds":60}"#;
    let ended = stack.publish("/notifications", nobody).await;
    stack.settled(&ended).await;
    let begun = stack.order().await;
    for (id, path, status) in [
        ("showNotification", ended.as_str(), 200),
        ("cancelNotification", &ended, 409),
        ("showNotification", &begun, 200),
        ("cancelNotification", &begun, 202),
        ("showNotification", &begun, 200),
        ("countListeners", "/topics/news", 200),
        ("countListeners", "/topics/stocks/AAPL", 200),
        ("countListeners", "/topics/user%3Aauth0%7C1", 200),
        ("countListeners", "/topics/a%20b", 422),
        ("showConnection", &connection, 200),
        ("closeConnection", &connection, 204),
    ] {
        let answer = contract.call(&stack, id, path, &[], "").await;
        assert_eq!(answer.status, status, "{id}: {answer:?}");
    }
    for (id, path, _) in &ANY[3..7] {
        let answer = contract.call(&stack, id, path, &[], "").await;
        assert_eq!(answer.status, 404);
    }
    look_elsewhere(contract, &stack).await;
}

/// What comes of requests that no operation is for.
async fn look_elsewhere(contract: &mut Contract, stack: &Stack) {
    let answer = contract.call_other(stack, "GET", "/order", &[]).await;
    assert_eq!(answer.body["code"], "no_such_route");
    let document = Document::openapi();
    for path in document.at("/paths").as_object().unwrap().keys() {
        let asked = [("origin", SHOP), ("access-control-request-method", "POST")];
        let preflight = contract.call_other(stack, "OPTIONS", path, &asked).await;
        assert_eq!(preflight.status, 204);
        assert_eq!(preflight.headers["access-control-allow-origin"], SHOP);
        let answer = contract.call_other(stack, "PUT", path, &[]).await;
        let allowed = answer.headers["allow"].to_str().unwrap().split(", ");
        let operations = document.operations().filter(|found| found.path == path);
        let documented: BTreeSet<_> = operations.map(|found| found.method).collect();
        assert_eq!(
            allowed.map(ToOwned::to_owned).collect::<BTreeSet<_>>(),
            documented
        );
    }
}

/// What comes of no token, and of one that is not for publishers.
async fn ask_for_a_token(contract: &mut Contract) {
    let stack = Stack::start(&["--auth"]).await;
    let bearer = async |scope| {
        format!(
            "Bearer {}",
            token(&["--user", "u1", "--scope", scope]).await
        )
    };
    let (weak, strong) = (bearer("read").await, bearer("read publish").await);
    for (id, path, body) in ANY {
        for (authorization, status) in [
            (&[] as &[_], Some(401)),
            (&[("authorization", "Bearer a.b.c")], Some(401)),
            (&[("authorization", weak.as_str())], Some(403)),
            (&[("authorization", strong.as_str())], None),
        ] {
            let headers = [authorization, &[JSON]].concat();
            let answer = contract.call(&stack, id, path, &headers, body).await;
            let is_refused =
                [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&answer.status);
            match status {
                Some(status) => assert_eq!(answer.status, status, "{id}"),
                None => assert!(!is_refused, "{id}: {answer:?}"),
            }
        }
    }
}

/// What comes of stores, queues and an API that do not answer.
async fn lose_the_stores(contract: &mut Contract) {
    let dynamodb = format!("AWS_ENDPOINT_URL_DYNAMODB={NOWHERE}");
    let management = format!("MANAGEMENT_ENDPOINT={NOWHERE}/prod");
    let stack = Stack::start(&["--env", &dynamodb, "--env", &management]).await;
    for (id, path, body) in ANY {
        let key = ("idempotency-key", id);
        let answer = contract.call(&stack, id, path, &[JSON, key], body).await;
        assert_eq!(answer.body["code"], "unavailable", "{id}: {answer:?}");
    }
    // Without a key the batch has nothing to record for the whole.
    let answer = contract
        .call(
            &stack,
            "publishBatch",
            "/notifications:batch",
            &[JSON],
            BATCH,
        )
        .await;
    assert_eq!(answer.status, 207);
}

/// What API Gateway itself says: there were too many requests, or there was no
/// answer.
async fn meet_the_gateway(contract: &mut Contract) {
    let throttled = ["--account-rate", "1", "--account-burst", "1"];
    let killed = ["--faults", "kill-function=100%"];
    for (arguments, status) in [(&throttled[..], 429), (&killed, 500)] {
        let stack = Stack::start(arguments).await;
        for (id, path, body) in ANY {
            contract.call_until(&stack, id, path, body, status).await;
        }
    }
}
