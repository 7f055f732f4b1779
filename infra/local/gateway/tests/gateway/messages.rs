//! What clients send, and what they get for it.

use bytes::Bytes;
use fanout_local_gateway::{IntegrationError, RateLimit};
use futures::SinkExt as _;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::stage::{Stage, close_code, next, next_json, settings};

#[tokio::test]
async fn a_reply_reaches_the_client_only_over_a_route_response() {
    let mut stage = Stage::start(settings());
    let reply = |text: &str| Ok(json!({"statusCode": 200, "body": text}));
    stage.functions.answer("default", reply("unheard"));
    stage.functions.answer("echo", reply("heard"));
    let (mut socket, id) = stage.connect().await;
    socket.send(Message::text("hello")).await.unwrap();
    let action = r#"{"action":"echo","n":1}"#;
    socket.send(Message::text(action)).await.unwrap();
    assert_eq!(next(&mut socket).await, Message::text("heard"));
    let first = stage.event("default").await;
    assert_eq!(first["body"], "hello");
    assert_eq!(first["requestContext"]["routeKey"], "$default");
    let second = stage.event("echo").await;
    assert_eq!(second["body"], action);
    assert_eq!(second["requestContext"]["connectionId"], json!(id));
    assert_eq!(stage.gateway.statistics().messages_received, 2);
}

#[tokio::test]
async fn a_failing_function_becomes_the_server_error_frame() {
    let mut stage = Stage::start(settings());
    let (mut socket, id) = stage.connect().await;
    let failed = IntegrationError::Failed {
        message: "boom".to_owned(),
    };
    for error in [failed, IntegrationError::Throttled] {
        stage.functions.answer("default", Err(error));
        socket.send(Message::text("hello")).await.unwrap();
        let frame = next_json(&mut socket).await;
        let event = stage.event("default").await;
        let request_id = &event["requestContext"]["requestId"];
        let expected = json!({
            "message": "Internal server error", "connectionId": id, "requestId": request_id,
        });
        assert_eq!(frame, expected);
    }
}

#[tokio::test]
async fn an_unknown_action_without_a_default_is_forbidden() {
    let mut settings = settings();
    settings.websocket_routes.default = None;
    let mut stage = Stage::start(settings);
    let (mut socket, _) = stage.connect().await;
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(next_json(&mut socket).await["message"], "Forbidden");
}

#[tokio::test]
async fn messages_over_the_accounts_rate_are_turned_away() {
    let mut settings = settings();
    settings.account = Some(RateLimit {
        rate_per_second: 0,
        burst: 1,
    });
    let mut stage = Stage::start(settings);
    let (mut socket, id) = stage.connect().await;
    for text in ["let through", "turned away"] {
        socket.send(Message::text(text)).await.unwrap();
    }
    let frame = next_json(&mut socket).await;
    assert_eq!(frame["message"], "Too Many Requests");
    assert_eq!(frame["connectionId"], json!(id));
    assert_eq!(stage.event("default").await["body"], "let through");
    // The same bucket: a push does not get through either.
    assert_eq!(stage.push(&id, "x").await, 429);
    assert_eq!(stage.gateway.statistics().messages_throttled, 1);
}

#[tokio::test]
async fn a_binary_message_closes_with_1003() {
    let mut stage = Stage::start(settings());
    let (mut socket, _) = stage.connect().await;
    let binary = Message::Binary(Bytes::from_static(&[1, 2, 3]));
    socket.send(binary).await.unwrap();
    assert_eq!(close_code(&mut socket).await, 1003);
    let event = stage.event("disconnect").await;
    assert_eq!(event["requestContext"]["disconnectStatusCode"], 1003);
}

#[tokio::test]
async fn a_frame_over_32_kib_closes_with_1009() {
    let mut stage = Stage::start(settings());
    let (mut socket, _) = stage.connect().await;
    let largest = "x".repeat(32 * 1024);
    socket.send(Message::text(largest.clone())).await.unwrap();
    assert_eq!(stage.event("default").await["body"], json!(largest));
    // The whole of it is on its way when the gateway has seen its head only:
    // the close frame has to survive that.
    let too_large = "x".repeat(1024 * 1024);
    let _ = socket.send(Message::text(too_large)).await;
    assert_eq!(close_code(&mut socket).await, 1009);
}

#[tokio::test]
async fn a_message_over_128_kib_in_small_frames_closes_with_1009() {
    let mut stage = Stage::start(settings());
    let (mut socket, _) = stage.connect().await;
    let piece = || Bytes::from(vec![b'x'; 32 * 1024]);
    let frame =
        |kind, is_final| Message::Frame(Frame::message(piece(), OpCode::Data(kind), is_final));
    socket.send(frame(Data::Text, false)).await.unwrap();
    for is_final in [false, false, true] {
        socket.send(frame(Data::Continue, is_final)).await.unwrap();
    }
    let body = stage.event("default").await["body"].clone();
    assert_eq!(body.as_str().unwrap().len(), 128 * 1024);
    socket.send(frame(Data::Text, false)).await.unwrap();
    for _ in 0..4 {
        let _ = socket.send(frame(Data::Continue, false)).await;
    }
    assert_eq!(close_code(&mut socket).await, 1009);
}
