//! The Runtime API on the wire.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

async fn serve() -> (SocketAddr, mpsc::Receiver<Call>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (router, calls) = router();
    tokio::spawn(axum::serve(listener, router).into_future());
    (address, calls)
}

/// Sends a request and returns the head and the body of the response.
async fn request(address: SocketAddr, method: &str, path: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head = format!(
        "{method} /2018-06-01/runtime/{path} HTTP/1.1\r\nhost: {address}\r\n\
         content-length: {length}\r\nconnection: close\r\n\
         lambda-runtime-function-error-type: Runtime.Named\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

#[tokio::test]
async fn a_poll_is_answered_with_the_event_and_its_headers() {
    let (address, mut calls) = serve().await;
    let polling = request(address, "GET", "invocation/next", "");
    let ((head, body), ()) = tokio::join!(polling, async {
        let Some(Call::Next { event }) = calls.recv().await else {
            panic!("expected a poll");
        };
        let request = Event {
            request_id: "id-1".to_owned(),
            deadline_ms: 1_700_000_000_123,
            function_arn: "arn:aws:lambda:us-east-1:000000000000:function:f".to_owned(),
            trace_id: "Root=1-0-0".to_owned(),
            payload: Bytes::from_static(b"{\"a\":1}"),
        };
        event.send(request).unwrap();
    });
    assert!(head.starts_with("http/1.1 200"), "{head}");
    for header in [
        "lambda-runtime-aws-request-id: id-1",
        "lambda-runtime-deadline-ms: 1700000000123",
        "lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:000000000000:function:f",
        "lambda-runtime-trace-id: root=1-0-0",
        "content-type: application/json",
    ] {
        assert!(
            head.lines().any(|line| line == header),
            "{header} in {head}"
        );
    }
    assert_eq!(body, "{\"a\":1}");
}

#[tokio::test]
async fn an_answer_is_acknowledged_or_refused() {
    let (address, mut calls) = serve().await;
    for (acknowledgement, status, expected) in [
        (Acknowledgement::Accepted, "202", json!({"status": "OK"})),
        (
            Acknowledgement::InvalidRequestId,
            "400",
            json!({"errorType": "InvalidRequestID", "errorMessage": "Invalid request ID"}),
        ),
        (
            Acknowledgement::InvalidStateTransition,
            "403",
            json!({"errorType": "InvalidStateTransition",
                   "errorMessage": "State transition is not allowed"}),
        ),
    ] {
        let answering = request(address, "POST", "invocation/id-1/response", "\"done\"");
        let ((head, body), ()) = tokio::join!(answering, async {
            let Some(Call::Answer {
                request_id,
                answer,
                ack,
            }) = calls.recv().await
            else {
                panic!("expected an answer");
            };
            assert_eq!(
                (request_id.as_str(), &answer.unwrap()[..]),
                ("id-1", &b"\"done\""[..])
            );
            ack.send(acknowledgement).unwrap();
        });
        assert_eq!(head.split(' ').nth(1), Some(status), "{head}");
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected);
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_read_to_its_end_and_refused() {
    let (address, mut calls) = serve().await;
    let body = "x".repeat(MAX_RESPONSE_BYTES + 1);
    let answering = request(address, "POST", "invocation/id-1/response", &body);
    let ((head, _), ()) = tokio::join!(answering, async {
        let Some(Call::Answer { answer, ack, .. }) = calls.recv().await else {
            panic!("expected an answer");
        };
        assert!(matches!(
            answer,
            Err(InvokeError::ResponseTooLarge { bytes: 6_291_557 })
        ));
        ack.send(Acknowledgement::of(&answer)).unwrap();
    });
    assert!(head.starts_with("http/1.1 413"), "{head}");
}

#[tokio::test]
async fn a_reported_error_has_its_type_and_message() {
    let (address, mut calls) = serve().await;
    for (body, expected) in [
        (
            r#"{"errorType":"Own","errorMessage":"no book"}"#,
            "Own: no book",
        ),
        (r#"{"errorMessage":"no book"}"#, "Runtime.Named: no book"),
        ("no JSON", "Runtime.Named: no JSON"),
    ] {
        let reporting = request(address, "POST", "init/error", body);
        let ((head, _), ()) = tokio::join!(reporting, async {
            let Some(Call::InitError { error, ack }) = calls.recv().await else {
                panic!("expected an error");
            };
            assert_eq!(error.to_string(), expected);
            ack.send(Acknowledgement::Accepted).unwrap();
        });
        assert!(head.starts_with("http/1.1 202"), "{head}");
    }
}

#[tokio::test]
async fn a_call_at_the_wrong_time_is_refused() {
    let (address, mut calls) = serve().await;
    for (method, path, status) in [
        ("GET", "invocation/next", "403"),
        ("POST", "invocation/id-1/error", "400"),
        ("POST", "init/error", "403"),
    ] {
        let calling = request(address, method, path, "");
        let ((head, _), ()) = tokio::join!(calling, async {
            calls.recv().await.unwrap().refuse();
        });
        assert_eq!(head.split(' ').nth(1), Some(status), "{head}");
    }
}
