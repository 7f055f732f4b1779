//! What a client sends, and what it gets.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use crate::stack::{Stack, token};

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
async fn what_a_client_sends_reaches_everyone_itself_included() {
    let stack = Stack::start(&[]).await;
    let mut sender = stack.subscribe("").await;
    let mut others = stack.subscribe_many(3).await;
    let who = sender.ask(json!({"action": "whoami"})).await;
    let message = json!({"text": "hello", "n": [1, null]});
    sender
        .send(json!({"action": "sendmessage", "message": message}))
        .await;
    // The answer and the notification come in either order.
    let frames = [sender.frame().await, sender.frame().await];
    let sent = frames.iter().find(|frame| frame["type"] == "sent");
    let sent = sent.expect("the message was accepted");
    let own = frames.iter().find(|frame| frame["type"] == "message.sent");
    let mut received = vec![own.expect("the sender is reached too").clone()];
    for other in &mut others {
        received.push(other.frame().await);
    }
    for event in received {
        assert_eq!(
            (&event["id"], &event["type"]),
            (&sent["id"], &json!("message.sent"))
        );
        let expected = json!({
            "message": message,
            "connectionId": who["connectionId"],
            "userId": null,
        });
        assert_eq!(event["data"], expected);
    }
    let location = format!("/notifications/{}", sent["id"].as_str().unwrap());
    assert_eq!(stack.settled(&location).await["accepted"], 4);
}

/// More than two minutes' worth of messages: one may begin meanwhile.
const MESSAGES: usize = 30;

#[tokio::test]
async fn a_client_sends_no_more_than_it_may() {
    let stack = Stack::start(&["--env", "SENDMESSAGE_PER_MINUTE=5"]).await;
    let mut sender = stack.subscribe("").await;
    let mut other = stack.subscribe("").await;
    let message = json!({"action": "sendmessage", "message": 1});
    for _ in 0..MESSAGES {
        sender.send(message.clone()).await;
    }
    let (mut sent, mut limited) = (0, 0);
    while sent + limited < MESSAGES {
        let frame = sender.frame().await;
        match frame["type"].as_str().unwrap() {
            "sent" => sent += 1,
            "error" => {
                assert_eq!(frame["code"], "rate_limited");
                let seconds = frame["retryAfterSeconds"].as_u64().unwrap();
                assert!((1..=60).contains(&seconds), "{frame}");
                limited += 1;
            }
            other => assert_eq!(other, "message.sent"),
        }
    }
    assert!((5..=10).contains(&sent), "{sent} were accepted");
    let answer = other.ask_past_notifications(message).await;
    assert_eq!(answer["type"], "sent", "the limit is each client's own");
}

#[tokio::test]
async fn clients_send_nothing_where_that_is_switched_off() {
    let stack = Stack::start(&["--env", "SENDMESSAGE_PER_MINUTE=0"]).await;
    let mut sender = stack.subscribe("").await;
    let message = json!({"action": "sendmessage", "message": 1});
    let answer = sender.ask(message.clone()).await;
    assert_eq!(answer["code"], "sendmessage_off");

    // And where it is not said, to whoever has a token to listen.
    let stack = Stack::start(&["--auth"]).await;
    let token = token(&["--user", "u1"]).await;
    let mut sender = stack.subscribe(&format!("?token={token}")).await;
    assert_eq!(sender.ask(message).await["code"], "sendmessage_off");
}

#[tokio::test]
async fn a_message_that_would_not_be_pushed_is_refused() {
    let stack = Stack::start(&["--env", "MAX_FRAME_BYTES=1024"]).await;
    let mut sender = stack.subscribe("").await;
    let large = json!({"action": "sendmessage", "message": "x".repeat(1_000)});
    assert_eq!(sender.ask(large).await["code"], "too_large");
    let without = json!({"action": "sendmessage"});
    assert_eq!(sender.ask(without).await["code"], "no_message");
    assert_eq!(stack.rows_of("notifications").await, 0);
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
