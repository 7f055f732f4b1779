//! A connection, and a gateway at its other end that does as it is told.

use http::HeaderName;
use http::uri::PathAndQuery;
use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};

use super::*;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const REQUEST: &str = "POST /a HTTP/1.1\r\nhost: push.example\r\ncontent-length: 2\r\n\r\n{}";

/// A connection and its other end, with room for so many bytes on the way.
fn connected(room: usize) -> (Http1<DuplexStream>, DuplexStream) {
    let (io, gateway) = duplex(room);
    (Http1::new(io), gateway)
}

async fn send(
    connection: &mut Http1<DuplexStream>,
    headers: &[(HeaderName, Option<&HeaderValue>)],
    payload: &Bytes,
) -> Result<Response<Bytes>, Failure> {
    let path = PathAndQuery::from_static("/a");
    let host = HeaderValue::from_static("push.example");
    let post = Post {
        path: &path,
        headers,
        payload,
    };
    connection.send(&host, post).await
}

async fn ask(connection: &mut Http1<DuplexStream>) -> Result<Response<Bytes>, Failure> {
    send(connection, &[], &Bytes::from_static(b"{}")).await
}

/// Reads a request of [`ask`]'s.
async fn asked(gateway: &mut DuplexStream) {
    let mut request = vec![0; REQUEST.len()];
    gateway.read_exact(&mut request).await.unwrap();
    assert_eq!(String::from_utf8(request).unwrap(), REQUEST);
}

#[tokio::test]
async fn one_request_follows_another() {
    let (mut connection, mut gateway) = connected(1_000);
    for _ in 0..3 {
        let (answer, ()) = tokio::join!(ask(&mut connection), async {
            asked(&mut gateway).await;
            gateway.write_all(OK).await.unwrap();
        });
        assert_eq!(answer.unwrap().status(), 200);
        assert!(connection.is_free());
    }
}

#[tokio::test]
async fn headers_without_a_value_are_left_out() {
    let (mut connection, mut gateway) = connected(1_000);
    let value = HeaderValue::from_static("b");
    let headers = [
        (HeaderName::from_static("a"), Some(&value)),
        (HeaderName::from_static("c"), None),
    ];
    let payload = Bytes::new();
    let (answer, request) = tokio::join!(send(&mut connection, &headers, &payload), async {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            gateway.read_buf(&mut request).await.unwrap();
        }
        gateway.write_all(OK).await.unwrap();
        String::from_utf8(request).unwrap()
    });
    answer.unwrap();
    let expected = "POST /a HTTP/1.1\r\nhost: push.example\r\na: b\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(request, expected);
}

#[tokio::test]
async fn nothing_is_sent_where_a_connection_was_closed() {
    let (mut connection, gateway) = connected(1_000);
    drop(gateway);
    let failed = ask(&mut connection).await;
    assert!(
        matches!(failed, Err(Failure::Unsent(Fault::Closed))),
        "{failed:?}"
    );
    assert!(!connection.is_free());
}

#[tokio::test]
async fn nothing_is_sent_where_something_is_to_be_read() {
    let (mut connection, mut gateway) = connected(1_000);
    gateway.write_all(OK).await.unwrap();
    let failed = ask(&mut connection).await;
    assert!(
        matches!(failed, Err(Failure::Unsent(Fault::Unasked))),
        "{failed:?}"
    );
    assert!(!connection.is_free());
    drop(connection);
    let mut sent = Vec::new();
    gateway.read_to_end(&mut sent).await.unwrap();
    assert!(sent.is_empty());
}

#[tokio::test]
async fn behind_a_surplus_there_is_no_other_request() {
    let (mut connection, mut gateway) = connected(1_000);
    let (answer, ()) = tokio::join!(ask(&mut connection), async {
        asked(&mut gateway).await;
        gateway.write_all(&[OK, OK].concat()).await.unwrap();
    });
    answer.unwrap();
    assert!(!connection.is_free());
}

#[tokio::test]
async fn a_request_that_is_dropped_leaves_no_free_connection() {
    let (mut connection, mut gateway) = connected(1_000);
    tokio::select! {
        _ = ask(&mut connection) => panic!("nobody answers it"),
        () = asked(&mut gateway) => {}
    }
    assert!(!connection.is_free());
}

#[tokio::test]
async fn a_large_payload_and_a_gateway_that_echoes_do_not_wait_for_each_other() {
    let (mut connection, mut gateway) = connected(64);
    let payload = Bytes::from(vec![b'x'; 128 * 1024]);
    let head = "POST /a HTTP/1.1\r\nhost: push.example\r\ncontent-length: 131072\r\n\r\n";
    let (answer, ()) = tokio::join!(send(&mut connection, &[], &payload), async {
        let (mut part, mut left) = ([0; 50], head.len() + payload.len());
        while left > 0 {
            left -= gateway.read(&mut part).await.unwrap();
            let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
            gateway.write_all(interim).await.unwrap();
        }
        gateway.write_all(OK).await.unwrap();
    });
    assert!(connection.is_free());
    assert_eq!(answer.unwrap().status(), 200);
}

#[tokio::test]
async fn an_answer_may_come_before_all_was_sent() {
    let (mut connection, mut gateway) = connected(1_000);
    let payload = Bytes::from(vec![b'x'; 128 * 1024]);
    let refusal = b"HTTP/1.1 413 Large\r\ncontent-length: 0\r\n\r\n";
    let (answer, _gateway) = tokio::join!(send(&mut connection, &[], &payload), async {
        gateway.read_exact(&mut [0; 100]).await.unwrap();
        gateway.write_all(refusal).await.unwrap();
        gateway
    });
    assert_eq!(answer.unwrap().status(), 413);
    assert!(!connection.is_free());
}

#[tokio::test]
async fn an_answer_counts_though_writing_failed_for_it() {
    let (mut connection, mut gateway) = connected(1_000);
    let payload = Bytes::from(vec![b'x'; 128 * 1024]);
    for ending in ["content-length: 0\r\n\r\n", "\r\n"] {
        // What is moved into it is dropped at its end.
        let answering = async move {
            gateway.read_exact(&mut [0; 100]).await.unwrap();
            let refusal = format!("HTTP/1.1 413 Large\r\n{ending}");
            gateway.write_all(refusal.as_bytes()).await.unwrap();
        };
        let (answer, ()) = tokio::join!(send(&mut connection, &[], &payload), answering);
        assert_eq!(answer.unwrap().status(), 413);
        assert!(!connection.is_free());
        (connection, gateway) = connected(1_000);
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_lost_or_cut() {
    let (mut connection, mut gateway) = connected(1_000);
    for (part, is_cut) in [
        ("", false),
        ("HTTP/1.1 2", false),
        ("HTTP/1.1 410 Gone\r\ncontent-length: 2\r\n\r\n{", true),
    ] {
        let answering = async move {
            asked(&mut gateway).await;
            gateway.write_all(part.as_bytes()).await.unwrap();
        };
        let (failed, ()) = tokio::join!(ask(&mut connection), answering);
        match failed {
            Err(Failure::Cut(Fault::Closed)) => assert!(is_cut),
            Err(Failure::Lost(Fault::Closed)) => assert!(!is_cut),
            other => panic!("{other:?}"),
        }
        assert!(!connection.is_free());
        (connection, gateway) = connected(1_000);
    }
}

#[tokio::test]
async fn what_is_held_does_not_grow() {
    let (mut connection, mut gateway) = connected(64);
    let (head, body) = ("y".repeat(4_000), "z".repeat(4_000));
    let long = format!("HTTP/1.1 410 Gone\r\nx: {head}\r\ncontent-length: 4000\r\n\r\n{body}");
    for _ in 0..100 {
        let (answer, ()) = tokio::join!(ask(&mut connection), async {
            asked(&mut gateway).await;
            gateway.write_all(long.as_bytes()).await.unwrap();
        });
        assert_eq!(answer.unwrap().body().len(), 4_000);
    }
    let room = connection.incoming.capacity();
    assert!(room <= 2 * head::MOST_HEAD, "{room}");
    assert!(connection.outgoing.capacity() <= 128);
}
