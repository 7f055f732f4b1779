use std::fmt::Write as _;

use aws_sdk_apigatewaymanagement::config::{
    Credentials, Region, SharedAsyncSleep, SharedCredentialsProvider,
};
use aws_smithy_async::rt::sleep::TokioSleep;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

mod sockets;

const ID: &str = "TXzPWdnOjoECGjA=";

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// Pushes to a gateway on this machine, over real sockets.
async fn push_to(gateway: &TcpListener) -> PushOutcome {
    let payload = Bytes::from_static(b"{}");
    api_of(gateway).push(&ID.into(), &payload).await
}

fn api_of(gateway: &TcpListener) -> ManagementApi {
    let credentials = Credentials::new("id", "secret", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .build();
    let endpoint = format!("http://{}/prod", gateway.local_addr().unwrap());
    ManagementApi::new(&config, &endpoint, Duration::from_millis(250))
}

/// Pushes to a gateway that gives one answer.
async fn push_answered(status: u16, headers: &[(&str, &str)]) -> PushOutcome {
    let gateway = listen().await;
    let answer = async {
        let (mut socket, _) = gateway.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n{}") {
            assert_ne!(socket.read_buf(&mut request).await.unwrap(), 0);
        }
        let request = String::from_utf8(request).unwrap();
        let target = "POST /prod/@connections/TXzPWdnOjoECGjA%3D HTTP/1.1\r\n";
        assert!(request.starts_with(target), "{request}");
        assert!(
            request.contains("authorization: AWS4-HMAC-SHA256 "),
            "{request}"
        );
        let mut answer = format!("HTTP/1.1 {status} Answer\r\ncontent-length: 0\r\n");
        for (name, value) in headers {
            write!(answer, "{name}: {value}\r\n").unwrap();
        }
        answer.push_str("\r\n");
        socket.write_all(answer.as_bytes()).await.unwrap();
        socket
    };
    let (outcome, _socket) = tokio::join!(push_to(&gateway), answer);
    outcome
}

async fn check(status: u16, code: &'static str, expected: PushOutcome) {
    let outcome = push_answered(status, &[("x-amzn-errortype", code)]).await;
    assert_eq!(outcome, expected, "{status} {code}");
}

#[tokio::test]
async fn a_success_is_accepted() {
    assert_eq!(push_answered(200, &[]).await, PushOutcome::Accepted);
}

#[tokio::test]
async fn a_dead_connection_is_gone() {
    check(410, "GoneException", PushOutcome::Gone).await;
    assert_eq!(push_answered(410, &[]).await, PushOutcome::Gone);
    check(400, "BadRequestException", PushOutcome::Gone).await;
}

#[tokio::test]
async fn both_kinds_of_429_are_throttling_with_and_without_a_code() {
    let throttled = PushOutcome::Throttled { retry_after: None };
    check(429, "LimitExceededException", throttled).await;
    check(429, "TooManyRequestsException", throttled).await;
    assert_eq!(push_answered(429, &[]).await, throttled);
}

#[tokio::test]
async fn a_throttle_may_say_how_long_to_wait() {
    let retry_after = Some(Duration::from_secs(3));
    assert_eq!(
        push_answered(429, &[("retry-after", "3")]).await,
        PushOutcome::Throttled { retry_after }
    );
}

#[tokio::test]
async fn a_large_payload_is_too_large() {
    check(413, "PayloadTooLargeException", PushOutcome::TooLarge).await;
    assert_eq!(push_answered(413, &[]).await, PushOutcome::TooLarge);
}

#[tokio::test]
async fn a_refused_caller_says_nothing_about_the_connection() {
    for code in [
        "ForbiddenException",
        "AccessDeniedException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
    ] {
        check(403, code, PushOutcome::Forbidden).await;
    }
}

#[tokio::test]
async fn server_errors_are_transient() {
    for status in [500, 502, 503, 504] {
        let transient = PushOutcome::Transient { reason: "server" };
        assert_eq!(push_answered(status, &[]).await, transient, "{status}");
    }
}

#[tokio::test]
async fn other_refusals_are_the_connections_own() {
    let rejected = PushOutcome::Rejected { reason: "status" };
    check(400, "ValidationException", rejected).await;
    assert_eq!(push_answered(404, &[]).await, rejected);
}

#[tokio::test]
async fn a_gateway_that_does_not_answer_times_out() {
    let gateway = listen().await;
    let transient = PushOutcome::Transient { reason: "timeout" };
    assert_eq!(push_to(&gateway).await, transient);
}

#[tokio::test]
async fn a_reset_is_a_transient_dispatch_failure() {
    let gateway = listen().await;
    let (outcome, ()) = tokio::join!(push_to(&gateway), async {
        drop(gateway.accept().await.unwrap());
    });
    assert_eq!(outcome, PushOutcome::Transient { reason: "dispatch" });
}
