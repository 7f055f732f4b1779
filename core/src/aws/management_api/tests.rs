//! The view of single sockets. What pushes come to is tested with the other
//! client's.

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use super::*;
use crate::aws::tests::{listen, read_request, sdk_of};

const ID: &str = "TXzPWdnOjoECGjA=";

/// Gives one answer to one request without a body.
async fn answer(gateway: &TcpListener, method: &str, status: u16, code: &str, body: &str) {
    let (mut socket, _) = gateway.accept().await.unwrap();
    let request = read_request(&mut socket, "\r\n\r\n").await;
    let target = format!("{method} /prod/@connections/TXzPWdnOjoECGjA%3D HTTP/1.1\r\n");
    assert!(request.starts_with(&target), "{request}");
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} Answer\r\nx-amzn-errortype: {code}\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    socket.write_all(answer.as_bytes()).await.unwrap();
}

async fn inspect(status: u16, code: &str, body: &str) -> Result<Option<Socket>, StoreError> {
    let gateway = listen().await;
    let (api, id) = (sdk_of(&gateway), ID.into());
    let answering = answer(&gateway, "GET", status, code, body);
    tokio::join!(api.inspect(&id), answering).0
}

async fn close(status: u16, code: &str) -> Result<bool, StoreError> {
    let gateway = listen().await;
    let (api, id) = (sdk_of(&gateway), ID.into());
    let answering = answer(&gateway, "DELETE", status, code, "");
    tokio::join!(api.close(&id), answering).0
}

#[tokio::test]
async fn an_open_socket_is_described() {
    let body = r#"{
        "connectedAt": "2026-11-21T08:00:00.250Z",
        "lastActiveAt": "2026-11-21T08:00:01Z",
        "identity": {"sourceIp": "192.0.2.1", "userAgent": "browser"}
    }"#;
    let socket = inspect(200, "", body).await.unwrap().unwrap();
    let expected = Socket {
        connected_at: Some("2026-11-21T08:00:00.250Z".parse().unwrap()),
        last_active_at: Some("2026-11-21T08:00:01Z".parse().unwrap()),
        source_ip: Some("192.0.2.1".to_owned()),
        user_agent: Some("browser".to_owned()),
    };
    assert_eq!(socket, expected);
    let socket = inspect(200, "", "{}").await.unwrap().unwrap();
    assert_eq!((socket.connected_at, socket.source_ip), (None, None));
}

#[tokio::test]
async fn an_open_socket_is_closed() {
    assert!(close(204, "").await.unwrap());
}

#[tokio::test]
async fn a_socket_that_is_gone_is_none_and_no_error() {
    for (status, code) in [
        (410, "GoneException"),
        (410, ""),
        (400, "BadRequestException"),
    ] {
        assert_eq!(inspect(status, code, "").await.unwrap(), None, "{status}");
        assert!(!close(status, code).await.unwrap(), "{status}");
    }
}

#[tokio::test]
async fn whatever_else_is_refused_says_nothing_about_the_socket() {
    for (status, code) in [
        (403, "ForbiddenException"),
        (429, "LimitExceededException"),
        (429, ""),
        (500, ""),
    ] {
        assert!(inspect(status, code, "").await.is_err(), "{status}");
        assert!(close(status, code).await.is_err(), "{status}");
    }
}
