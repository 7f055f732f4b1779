//! The `@connections` API on the wire.

use bytes::Bytes;
use fanout_local_faults::FaultPlan;
use fanout_local_gateway::RateLimit;
use futures::SinkExt as _;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::stage::{Stage, close_code, next, settings};

#[track_caller]
fn check(reply: &Response<Bytes>, status: u16, error_type: Option<&str>, body: &str) {
    let found = reply.headers().get("x-amzn-errortype");
    let found = found.map(|value| value.to_str().unwrap());
    assert_eq!((reply.status().as_u16(), found), (status, error_type));
    assert_eq!(reply.body(), body);
    assert_eq!(reply.headers()["x-amzn-requestid"].len(), 36);
}

#[tokio::test]
async fn pushes_arrive_in_the_order_they_were_accepted() {
    let mut stage = Stage::start(settings());
    let (mut socket, id) = stage.connect().await;
    for number in 0..200 {
        let reply = stage.call("POST", &id, number.to_string().into()).await;
        check(&reply, 200, None, "");
        // Reading along keeps the queue short.
        assert_eq!(next(&mut socket).await, Message::text(number.to_string()));
    }
    for text in ["a", "b", "c"] {
        assert_eq!(stage.push(&id, text).await, 200);
    }
    for text in ["a", "b", "c"] {
        assert_eq!(next(&mut socket).await, Message::text(text));
    }
    assert_eq!(stage.gateway.statistics().pushes_accepted, 203);
}

#[tokio::test]
async fn the_largest_payload_arrives_whole_and_one_byte_more_is_refused() {
    let mut stage = Stage::start(settings());
    let (mut socket, id) = stage.connect().await;
    let largest = "x".repeat(128 * 1024);
    let reply = stage.call("POST", &id, largest.clone().into()).await;
    check(&reply, 200, None, "");
    assert_eq!(next(&mut socket).await, Message::text(largest.clone()));
    let reply = stage.call("POST", &id, (largest + "x").into()).await;
    let error_type = Some("PayloadTooLargeException");
    check(&reply, 413, error_type, r#"{"message":"Message too long"}"#);
}

#[tokio::test]
async fn an_unknown_connection_is_gone_and_a_malformed_id_a_bad_request() {
    let stage = Stage::start(settings());
    for method in ["POST", "GET", "DELETE"] {
        let reply = stage.call(method, "TXzPWdnOjoECGjA=", Bytes::new()).await;
        check(&reply, 410, Some("GoneException"), "");
        let reply = stage.call(method, "undefined", Bytes::new()).await;
        let body = r#"{"message":"Invalid connectionId: undefined"}"#;
        check(&reply, 400, Some("BadRequestException"), body);
    }
}

#[tokio::test]
async fn a_call_without_a_signature_or_to_another_stage_is_forbidden() {
    let mut stage = Stage::start(settings());
    let (_socket, id) = stage.connect().await;
    let id = id.replace('=', "%3D");
    let send = async |path: &str, signature: &str| {
        let request = Request::post(format!("http://{}{path}{id}", stage.websocket));
        let request = request.header("authorization", signature);
        stage.send(request.body(Full::default()).unwrap()).await
    };
    let signed = "AWS4-HMAC-SHA256 Credential=A/20261121/us-east-1/execute-api/aws4_request";
    let reply = send("/prod/@connections/", "").await;
    let error_type = Some("MissingAuthenticationTokenException");
    let body = r#"{"message":"Missing Authentication Token"}"#;
    check(&reply, 403, error_type, body);
    let reply = send("/dev/@connections/", signed).await;
    let body = r#"{"message":"Forbidden"}"#;
    check(&reply, 403, Some("ForbiddenException"), body);
    // Both spellings of the path are the same.
    assert_eq!(send("/prod/@connections/", signed).await.status(), 200);
    assert_eq!(send("/prod/%40connections/", signed).await.status(), 200);
}

#[tokio::test]
async fn calls_over_the_accounts_rate_are_throttled() {
    let mut settings = settings();
    settings.account = Some(RateLimit {
        rate_per_second: 0,
        burst: 2,
    });
    let mut stage = Stage::start(settings);
    let (_socket, id) = stage.connect().await;
    assert_eq!(stage.push(&id, "one").await, 200);
    assert_eq!(stage.call("GET", &id, Bytes::new()).await.status(), 200);
    let reply = stage.call("POST", &id, "two".into()).await;
    let body = r#"{"message":"Too Many Requests"}"#;
    check(&reply, 429, Some("LimitExceededException"), body);
    assert_eq!(stage.gateway.statistics().calls_throttled, 1);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_refused_while_others_are_served() {
    let mut stage = Stage::start(settings());
    let (_asleep, slow_id) = stage.connect().await;
    let (mut awake, id) = stage.connect().await;
    let payload = Bytes::from(vec![b'x'; 100 * 1024]);
    let mut accepted = 0;
    // The kernel's buffers of both sides fill up first.
    let refused = loop {
        let reply = stage.call("POST", &slow_id, payload.clone()).await;
        if reply.status() != 200 {
            break reply;
        }
        accepted += 1;
        assert!(accepted < 1_000, "never refused");
        tokio::task::yield_now().await;
    };
    let body = r#"{"message":"Too Many Requests"}"#;
    check(&refused, 429, Some("LimitExceededException"), body);
    assert_eq!(stage.gateway.statistics().pushes_backpressured, 1);
    assert_eq!(stage.push(&id, "hello").await, 200);
    assert_eq!(next(&mut awake).await, Message::text("hello"));
}

#[tokio::test]
async fn a_connection_can_be_described() {
    let mut stage = Stage::start(settings());
    let headers = [("user-agent", "wscat/6.0")];
    let (_socket, _) = stage.try_connect("/prod", &headers).await.unwrap();
    let event = stage.event("connect").await;
    let id = event["requestContext"]["connectionId"].as_str().unwrap();
    let reply = stage.call("GET", id, Bytes::new()).await;
    assert_eq!(reply.status(), 200);
    let description: Value = serde_json::from_slice(reply.body()).unwrap();
    assert_eq!(description["identity"]["sourceIp"], "127.0.0.1");
    assert_eq!(description["identity"]["userAgent"], "wscat/6.0");
    let time =
        |field: &str| -> jiff::Timestamp { description[field].as_str().unwrap().parse().unwrap() };
    assert!(time("connectedAt") <= time("lastActiveAt"));
    let connected_at = event["requestContext"]["connectedAt"].as_i64().unwrap();
    assert_eq!(time("connectedAt").as_millisecond(), connected_at);
}

#[tokio::test]
async fn a_deleted_connection_closes_with_1000_and_is_gone() {
    let mut stage = Stage::start(settings());
    let (mut socket, id) = stage.connect().await;
    assert_eq!(stage.push(&id, "last words").await, 200);
    let reply = stage.call("DELETE", &id, Bytes::new()).await;
    check(&reply, 204, None, "");
    assert_eq!(stage.push(&id, "too late").await, 410);
    assert_eq!(next(&mut socket).await, Message::text("last words"));
    assert_eq!(close_code(&mut socket).await, 1000);
    let event = stage.event("disconnect").await;
    assert_eq!(event["requestContext"]["disconnectStatusCode"], 1000);
    assert_eq!(stage.gateway.statistics().pushes_gone, 1);
}

#[tokio::test]
async fn faults_strike_pushes_while_the_socket_lives() {
    for (plan, status, error_type) in [
        ("throttle=1", 429, "LimitExceededException"),
        ("false-gone=1", 410, "GoneException"),
        ("server-error=1", 500, "InternalServerErrorException"),
    ] {
        let mut settings = settings();
        settings.faults = FaultPlan::parse(plan, 1).unwrap();
        let mut stage = Stage::start(settings);
        let (mut socket, id) = stage.connect().await;
        let reply = stage.call("POST", &id, "hello".into()).await;
        let found = reply.headers()["x-amzn-errortype"].to_str().unwrap();
        assert_eq!((reply.status().as_u16(), found), (status, error_type));
        socket.send(Message::text("still here")).await.unwrap();
        assert_eq!(stage.event("default").await["body"], "still here");
    }
}

#[tokio::test]
async fn a_slow_call_is_held_back_and_holds_up_nobody_else() {
    let mut settings = settings();
    settings.faults = FaultPlan::parse("slow-call=1:3600000ms", 1).unwrap();
    let mut stage = Stage::start(settings);
    let (_socket, id) = stage.connect().await;
    let reply = tokio::select! {
        status = stage.push(&id, "held back") => panic!("answered {status}"),
        reply = stage.call("GET", &id, Bytes::new()) => reply,
    };
    assert_eq!(reply.status(), 200);
    assert_eq!(stage.gateway.statistics().pushes_accepted, 0);
}
