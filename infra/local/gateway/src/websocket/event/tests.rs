use http::Request;
use serde_json::{Value, json};

use super::*;
use crate::connections::Sink;
use crate::connections::outbox::Outbox;
use crate::ids::ConnectionId;

fn connection(authorizer: &Value) -> Connection {
    Connection {
        id: ConnectionId::parse("TXzPWdnOjoECGjA=").unwrap(),
        connected_at: "2026-11-21T07:00:00.125Z".parse().unwrap(),
        source_ip: "203.0.113.7".parse().unwrap(),
        user_agent: Some("wscat/6.0".into()),
        domain_name: "localhost:3001".into(),
        authorizer: authorizer.as_object().cloned(),
        last_active_ms: 0.into(),
        sink: Sink::Socket(Outbox::new(1, 1)),
    }
}

fn head(request: http::request::Builder) -> request::Parts {
    request.body(()).unwrap().into_parts().0
}

#[track_caller]
fn check(name: &str, authorizer: &Value, write: impl FnOnce(&Source<'_>) -> Bytes) {
    let settings = Settings::default();
    let source = Source {
        settings: &settings,
        connection: &connection(authorizer),
        request_id: "JKJaXmPLvHcESHA=",
        at: "2026-11-21T07:00:05.5Z".parse().unwrap(),
    };
    let event: Value = serde_json::from_slice(&write(&source)).unwrap();
    insta::with_settings!({ sort_maps => true }, {
        insta::assert_json_snapshot!(name, event);
    });
}

#[test]
fn a_handshake_becomes_a_connect_event() {
    let request = Request::get("/prod?topics=a,b&topics=c&token=t%3D1")
        .header("host", "localhost:3001")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-protocol", "bearer")
        .header("sec-websocket-protocol", "secret")
        .header("x-forwarded-for", "203.0.113.7");
    let fields = HandshakeFields::of(&head(request));
    check("connect", &Value::Null, |source| source.connect(&fields));
}

#[test]
fn a_handshake_without_a_query_has_no_parameters() {
    let fields = HandshakeFields::of(&head(Request::get("/prod").header("host", "localhost")));
    check("connect_without_query", &Value::Null, |source| {
        source.connect(&fields)
    });
}

#[test]
fn a_message_event_carries_the_authorizers_context_and_no_headers() {
    let authorizer = json!({"principalId": "user-1", "org": "acme"});
    check("message", &authorizer, |source| {
        source.message("whoami", "JKJaXcVjPHcCGEQ=", r#"{"action":"whoami"}"#)
    });
}

#[test]
fn a_disconnect_event_says_why() {
    check("disconnect", &Value::Null, |source| {
        source.disconnect(&Ended::new(1001, "Going away"))
    });
}

#[test]
fn an_authorizer_is_asked_with_the_arn_of_connect() {
    let fields = HandshakeFields::of(&head(Request::get("/prod?token=t").header("host", "h")));
    let arn = "arn:aws:execute-api:us-east-1:123456789012:wsapi00000/prod/$connect";
    check("authorizer", &Value::Null, |source| {
        source.authorize(arn, &fields)
    });
}
