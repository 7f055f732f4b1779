//! What a client sends, and what it gets.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use crate::stack::Stack;

#[tokio::test]
async fn actions_are_answered_and_mistakes_leave_the_connection_open() {
    let stack = Stack::start(&[]).await;
    let mut subscriber = stack.subscribe("?topics=b,a").await;
    let who = subscriber.ask(json!({"action": "whoami"})).await;
    assert_eq!(
        (&who["type"], &who["userId"]),
        (&json!("whoami"), &Value::Null)
    );
    assert_eq!(who["topics"], json!(["a", "b"]));
    assert_eq!(
        subscriber.ask(json!({"action": "GET_CONNECTION_ID"})).await,
        who
    );

    let echo = json!({"action": "echo", "z": [1, null], "a": {"deep": true}});
    assert_eq!(subscriber.ask(echo.clone()).await, echo);
    for (message, code) in [
        (json!({"action": "dance"}), "unknown_action"),
        (json!({"no": "action"}), "no_action"),
        (json!([1, 2]), "no_action"),
    ] {
        let error = subscriber.ask(message).await;
        assert_eq!(
            (&error["type"], &error["code"]),
            (&json!("error"), &json!(code))
        );
    }
    let pong = subscriber.ask(json!({"action": "ping"})).await;
    assert_eq!(pong, json!({"type": "pong"}));
}

#[tokio::test]
async fn a_refused_connection_gets_the_status_and_the_reason() {
    let stack = Stack::start(&[]).await;
    let Err(Error::Http(refused)) = stack.try_subscribe("?topics=a%20b").await else {
        panic!("the connection was not refused");
    };
    assert_eq!(refused.status(), 400);
    let reason = String::from_utf8(refused.into_body().unwrap()).unwrap();
    assert!(
        reason.contains("topics: a topic's name is made of"),
        "{reason}"
    );
    let ledger = stack.settled(&stack.order().await).await;
    assert_eq!(ledger["targeted"], 0, "nothing was stored");
}

#[tokio::test]
async fn another_stage_is_refused() {
    let stack = Stack::start(&["--stage", "live"]).await;
    assert!(stack.ws.ends_with("/live"));
    stack.subscribe("").await;
    let Err(Error::Http(refused)) = stack.try_subscribe("x").await else {
        panic!("the connection was not refused");
    };
    assert_eq!(refused.status(), 403);
}
