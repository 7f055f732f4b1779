//! What a push comes to: the same for both clients, whatever the gateway does.

use tokio::io::AsyncWriteExt as _;

use super::*;

const ID: &str = "TXzPWdnOjoECGjA=";
/// How long a push may take that is not answered.
const IMPATIENCE: Duration = Duration::from_millis(250);
const DISPATCH: PushOutcome = PushOutcome::Transient { reason: "dispatch" };
const RESPONSE: PushOutcome = PushOutcome::Transient { reason: "response" };
const TIMED_OUT: PushOutcome = PushOutcome::Transient { reason: "timeout" };
const SERVER: PushOutcome = PushOutcome::Transient { reason: "server" };
const REJECTED: PushOutcome = PushOutcome::Rejected { reason: "status" };
const THROTTLED: PushOutcome = PushOutcome::Throttled { retry_after: None };

/// What a gateway does once it has sent its answer.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Waits,
    Closes,
}

async fn push(client: &Client) -> PushOutcome {
    client.push(&ID.into(), &Bytes::from_static(b"{}")).await
}

/// Checks what both clients make of an answer as it is on the wire.
async fn check_bytes(answer: &str, then: Then, expected: PushOutcome) {
    let gateway = listen().await;
    let timeout = if expected == TIMED_OUT {
        IMPATIENCE
    } else {
        PATIENCE
    };
    for client in Client::both(&gateway, timeout) {
        let answering = async {
            let (mut socket, _) = gateway.accept().await.unwrap();
            let request = read_request(&mut socket, "\r\n\r\n{}").await;
            let target = "POST /prod/@connections/TXzPWdnOjoECGjA%3D HTTP/1.1\r\n";
            assert!(request.starts_with(target), "{request}");
            let signed = "authorization: AWS4-HMAC-SHA256 Credential=id/";
            assert!(request.contains(signed), "{request}");
            assert!(request.contains("content-length: 2\r\n"), "{request}");
            let content_type = "content-type: application/octet-stream\r\n";
            assert!(request.contains(content_type), "{request}");
            socket.write_all(answer.as_bytes()).await.unwrap();
            (then == Then::Waits).then_some(socket)
        };
        let (outcome, _socket) = tokio::join!(push(&client), answering);
        assert_eq!(outcome, expected, "{answer}");
    }
}

async fn check(status: u16, headers: &str, body: &str, expected: PushOutcome) {
    let length = body.len();
    let answer =
        format!("HTTP/1.1 {status} Answer\r\n{headers}content-length: {length}\r\n\r\n{body}");
    check_bytes(&answer, Then::Waits, expected).await;
}

/// Checks an error that is named in each place where it may be.
async fn check_named(status: u16, code: &str, expected: PushOutcome) {
    let message = r#"{"message":"m"}"#;
    let header = format!("x-amzn-errortype: {code}:http://internal.amazon.com/\r\n");
    check(status, &header, "", expected).await;
    check(status, &header, message, expected).await;
    let body = format!(r#"{{"code":"{code}","message":"m"}}"#);
    check(status, "", &body, expected).await;
    let body = format!(r#"{{"__type":"aws#{code}"}}"#);
    check(status, "", &body, expected).await;
}

#[tokio::test]
async fn a_success_is_accepted() {
    check(200, "", "", PushOutcome::Accepted).await;
    check(200, "", "{}", PushOutcome::Accepted).await;
    check_bytes(
        "HTTP/1.1 204 Answer\r\n\r\n",
        Then::Waits,
        PushOutcome::Accepted,
    )
    .await;
}

#[tokio::test]
async fn a_dead_connection_is_gone() {
    check_named(410, "GoneException", PushOutcome::Gone).await;
    check(410, "", "", PushOutcome::Gone).await;
    check_named(400, "BadRequestException", PushOutcome::Gone).await;
}

#[tokio::test]
async fn both_kinds_of_429_are_throttling_with_and_without_a_code() {
    check_named(429, "LimitExceededException", THROTTLED).await;
    check_named(429, "TooManyRequestsException", THROTTLED).await;
    check(429, "", "", THROTTLED).await;
}

#[tokio::test]
async fn a_throttle_may_say_how_long_to_wait() {
    let retry_after = Some(Duration::from_secs(3));
    let throttled = PushOutcome::Throttled { retry_after };
    check(429, "retry-after: 3\r\n", "", throttled).await;
    let a_date = "retry-after: Wed, 21 Oct 2026 07:28:00 GMT\r\n";
    check(429, a_date, "", THROTTLED).await;
}

#[tokio::test]
async fn a_large_payload_is_too_large() {
    check_named(413, "PayloadTooLargeException", PushOutcome::TooLarge).await;
    check(413, "", "", PushOutcome::TooLarge).await;
}

#[tokio::test]
async fn a_refused_caller_says_nothing_about_the_connection() {
    for code in [
        "ForbiddenException",
        "AccessDeniedException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
    ] {
        check_named(403, code, PushOutcome::Forbidden).await;
    }
    check(401, "", "", PushOutcome::Forbidden).await;
}

#[tokio::test]
async fn server_errors_are_transient() {
    for status in [500, 502, 503, 504] {
        check(status, "", "", SERVER).await;
    }
    check_named(500, "InternalServerErrorException", SERVER).await;
}

#[tokio::test]
async fn other_refusals_are_the_connections_own() {
    check_named(400, "ValidationException", REJECTED).await;
    check(404, "", "", REJECTED).await;
    check(302, "location: /elsewhere\r\n", "", REJECTED).await;
}

#[tokio::test]
async fn a_long_body_does_not_hide_what_the_head_says() {
    let gone = "x-amzn-errortype: GoneException\r\n";
    check(410, gone, &"x".repeat(100_000), PushOutcome::Gone).await;
    check(503, "", &"x".repeat(100_000), SERVER).await;
}

#[tokio::test]
async fn an_answer_of_unknown_length_ends_with_its_connection() {
    let answer = "HTTP/1.1 400 Answer\r\n\r\n{\"code\":\"BadRequestException\"}";
    check_bytes(answer, Then::Closes, PushOutcome::Gone).await;
    let answer = "HTTP/1.1 410 Answer\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n\r\n";
    check_bytes(answer, Then::Waits, PushOutcome::Gone).await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_none() {
    let broken = "HTTP/1.1 410 Answer\r\ncontent-length: 100\r\n\r\n{";
    check_bytes(broken, Then::Closes, RESPONSE).await;
    check_bytes("HTTP/1.1 410 An", Then::Closes, DISPATCH).await;
    check_bytes("", Then::Closes, DISPATCH).await;
}

#[tokio::test]
async fn what_is_not_http_is_no_answer() {
    check_bytes("SSH-2.0-OpenSSH_9.2\r\n\r\n", Then::Waits, DISPATCH).await;
}

#[tokio::test]
async fn a_gateway_that_does_not_answer_times_out() {
    check_bytes("", Then::Waits, TIMED_OUT).await;
    check_bytes("HTTP/1.1 410 An", Then::Waits, TIMED_OUT).await;
    let stuck = "HTTP/1.1 410 Answer\r\ncontent-length: 100\r\n\r\n{";
    check_bytes(stuck, Then::Waits, TIMED_OUT).await;
}

#[tokio::test]
async fn a_gateway_that_does_not_accept_times_out() {
    let gateway = listen().await;
    for client in Client::both(&gateway, IMPATIENCE) {
        assert_eq!(push(&client).await, TIMED_OUT);
    }
}

#[tokio::test]
async fn a_reset_is_a_transient_dispatch_failure() {
    let gateway = listen().await;
    for client in Client::both(&gateway, PATIENCE) {
        let (outcome, ()) = tokio::join!(push(&client), async {
            drop(gateway.accept().await.unwrap());
        });
        assert_eq!(outcome, DISPATCH);
    }
}

#[tokio::test]
async fn where_nobody_listens_is_a_transient_dispatch_failure() {
    let gateway = listen().await;
    let clients = Client::both(&gateway, PATIENCE);
    drop(gateway);
    for client in clients {
        assert_eq!(push(&client).await, DISPATCH);
    }
}

#[tokio::test]
async fn a_socket_that_was_closed_while_it_rested_costs_no_push() {
    let gateway = listen().await;
    for client in Client::both(&gateway, PATIENCE) {
        for _ in 0..3 {
            let (outcome, ()) = tokio::join!(push(&client), async {
                let (mut socket, _) = gateway.accept().await.unwrap();
                read_request(&mut socket, "{}").await;
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                socket.write_all(answer).await.unwrap();
            });
            assert_eq!(outcome, PushOutcome::Accepted);
            // The runtime is told of what happened to its sockets.
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_push_that_was_given_up_leaves_the_next_one_its_own_answer() {
    let gateway = listen().await;
    for client in Client::both(&gateway, PATIENCE) {
        let arriving = async {
            let (mut socket, _) = gateway.accept().await.unwrap();
            read_request(&mut socket, "{}").await;
            socket
        };
        let mut late = tokio::select! {
            _ = push(&client) => panic!("nobody answers it"),
            socket = arriving => socket,
        };
        // Nobody reads it: the connection is closed, or about to be.
        let gone = b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n";
        drop(late.write_all(gone).await);
        let (outcome, ()) = tokio::join!(push(&client), async {
            let (mut socket, _) = gateway.accept().await.unwrap();
            read_request(&mut socket, "{}").await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            socket.write_all(answer).await.unwrap();
        });
        assert_eq!(outcome, PushOutcome::Accepted);
    }
}

#[tokio::test]
async fn an_id_that_can_be_in_no_path_is_refused() {
    let gateway = listen().await;
    for client in Client::both(&gateway, PATIENCE) {
        let outcome = client.push(&"".into(), &Bytes::from_static(b"{}")).await;
        assert_eq!(outcome, PushOutcome::Rejected { reason: "request" });
    }
}
