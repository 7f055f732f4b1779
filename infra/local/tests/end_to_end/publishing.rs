//! From POST to every socket.

use serde_json::{Value, json};

use crate::stack::{PUSH_CLIENTS, Stack};

#[tokio::test]
async fn an_order_reaches_two_hundred_sockets() {
    for push_client in PUSH_CLIENTS {
        let stack = Stack::start(&["--env", push_client]).await;
        let mut subscribers = stack.subscribe_many(200).await;
        let location = stack.order().await;
        let id = location.strip_prefix("/notifications/").unwrap();
        for subscriber in &mut subscribers {
            let frame = subscriber.frame().await;
            assert_eq!(frame["specversion"], "1.0");
            assert_eq!(frame["id"], id);
            assert_eq!(frame["type"], "book.ordered");
            assert_eq!(
                frame["data"],
                json!({"bookId": 123, "title": "Emma", "quantity": 1})
            );
        }
        let ledger = stack.settled(&location).await;
        assert_eq!(
            (&ledger["state"], &ledger["targeted"]),
            (&json!("done"), &json!(200)),
            "{push_client}"
        );
        assert_eq!(ledger["accepted"], 200);
    }
}

#[tokio::test]
async fn a_large_audience_is_cut_into_slices_and_reached_once() {
    let stack = Stack::start(&["--small-audience", "20", "--env", "SEGMENTS=8"]).await;
    let mut subscribers = stack.subscribe_many(100).await;
    let ledger = stack.settled(&stack.order().await).await;
    assert_eq!(
        (&ledger["targeted"], &ledger["accepted"]),
        (&json!(100), &json!(100))
    );
    for subscriber in &mut subscribers {
        assert_eq!(subscriber.count_arrived().await, 1);
    }
}

#[tokio::test]
async fn a_topic_reaches_those_who_listen_to_it() {
    let stack = Stack::start(&[]).await;
    let mut merchant = stack.subscribe("?topics=news,merchant:42").await;
    let mut other = stack.subscribe("?topics=merchant:7").await;
    let order = r#"{"bookId":1,"title":"Emma","quantity":2,"merchantId":"42"}"#;
    let ledger = stack.settled(&stack.publish("/orders", order).await).await;
    assert_eq!(ledger["targeted"], 1);
    let frame = merchant.frame().await;
    assert_eq!(frame["subject"], "merchant:42");
    assert_eq!(other.count_arrived().await, 0);
}

#[tokio::test]
async fn one_connection_can_be_addressed() {
    let stack = Stack::start(&[]).await;
    let mut addressed = stack.subscribe("").await;
    let mut other = stack.subscribe("").await;
    let id = addressed.ask(json!({"action": "whoami"})).await["connectionId"].clone();
    let body = json!({"type": "hello", "data": [1], "target": {"connection": id}});
    let ledger = stack
        .settled(&stack.publish("/notifications", &body.to_string()).await)
        .await;
    assert_eq!(ledger["accepted"], 1);
    assert_eq!(addressed.frame().await["data"], json!([1]));
    assert_eq!(other.count_arrived().await, 0);
}

#[tokio::test]
async fn malformed_bodies_name_each_field_and_nothing_is_enqueued() {
    let stack = Stack::start(&[]).await;
    let mut subscriber = stack.subscribe("").await;
    let large = json!({"type": "t", "data": "x".repeat(40_000), "target": "everyone"}).to_string();
    let wrong = r#"{"bookId":"one","title":7,"quantity":-1}"#;
    let fields = ["/bookId", "/title", "/quantity"];
    for (path, body, status, pointers) in [
        ("/orders", "", 400, &[] as &[&str]),
        ("/orders", "bookId=1", 400, &[]),
        ("/orders", "{}", 422, &fields),
        ("/orders", wrong, 422, &fields),
        (
            "/notifications",
            r#"{"type":"t","data":1,"target":"all"}"#,
            422,
            &["/target"],
        ),
        ("/notifications", &large, 413, &[]),
    ] {
        let answer = stack.request("POST", path, body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        let named = answer.body["errors"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let named: Vec<_> = named
            .iter()
            .map(|error| error["pointer"].as_str().unwrap())
            .collect();
        assert_eq!(named, pointers, "{answer:?}");
    }
    // A good one afterwards is the only one that arrives.
    stack.settled(&stack.order().await).await;
    assert_eq!(subscriber.count_arrived().await, 1);
}

#[tokio::test]
async fn what_is_not_served_says_what_is() {
    let stack = Stack::start(&[]).await;
    let answer = stack.request("POST", "/order", "{}").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["code"]),
        (404, &json!("no_such_route"))
    );
    let answer = stack.request("DELETE", "/orders", "").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["allow"]),
        (405, &"POST".parse().unwrap())
    );
    let answer = stack.request("GET", "/notifications/none", "").await;
    assert_eq!(
        (answer.status.as_u16(), answer.body.get("errors")),
        (404, None::<&Value>)
    );
}
