use std::future::poll_fn;

use h2::server;
use http::StatusCode;
use http::uri::PathAndQuery;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::yield_now;

use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// A gateway's end of a connection.
type Gateway = server::Connection<TcpStream, Bytes>;

/// One push over a connection.
struct Push {
    endpoint: Endpoint,
    path: PathAndQuery,
    payload: Bytes,
}

impl Push {
    fn of(payload: impl Into<Bytes>) -> Self {
        Self {
            endpoint: "http://localhost".parse().unwrap(),
            path: "/".parse().unwrap(),
            payload: payload.into(),
        }
    }

    async fn over(&self, http2: &Http2) -> Result<Response<Bytes>, Failure> {
        let post = Post {
            path: &self.path,
            headers: &[],
            payload: &self.payload,
        };
        http2.stream().send(&self.endpoint, post, NOW).await
    }
}

/// Connects to a gateway that allows so many streams; the connection lives as long
/// as its tasks.
async fn connect(streams: u32) -> (Http2, Tasks, Gateway) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connecting = TcpStream::connect(listener.local_addr().unwrap());
    let (socket, accepted) = tokio::join!(connecting, listener.accept());
    let io = TokioIo::new(MaybeHttpsStream::Http(TokioIo::new(socket.unwrap())));
    let tasks = Tasks::default();
    let mut gateway = server::Builder::new();
    gateway.max_concurrent_streams(streams);
    let (http2, gateway) = tokio::join!(
        Http2::open(io, &tasks, NOW),
        gateway.handshake(accepted.unwrap().0)
    );
    (http2.unwrap(), tasks, gateway.unwrap())
}

/// Moves the gateway's end on until the connection is closed.
async fn drive(gateway: &mut Gateway) {
    poll_fn(|context| gateway.poll_closed(context))
        .await
        .unwrap();
}

/// Sends a push to a gateway that answers it as it likes.
async fn exchange(
    push: &Push,
    http2: &Http2,
    gateway: &mut Gateway,
    answer: impl AsyncFnOnce(server::SendResponse<Bytes>),
) -> Result<Response<Bytes>, Failure> {
    let answering = async {
        // What is sent of the payload stays here: it is not let through.
        let (_request, respond) = gateway.accept().await.unwrap().unwrap();
        tokio::join!(answer(respond), drive(gateway));
    };
    tokio::select! {
        answered = push.over(http2) => answered,
        () = answering => panic!("the connection ended first"),
    }
}

fn head(status: u16) -> Response<()> {
    let mut head = Response::new(());
    *head.status_mut() = StatusCode::from_u16(status).unwrap();
    head
}

#[tokio::test]
async fn an_answer_before_the_payload_was_sent_is_an_answer() {
    // More than is let through before any of it is read.
    let push = Push::of(vec![b'x'; 128 * 1024]);
    for says_that_it_ended in [true, false] {
        let (http2, _tasks, mut gateway) = connect(100).await;
        let answer = async |mut respond: server::SendResponse<Bytes>| {
            let mut body = respond.send_response(head(413), false).unwrap();
            let error = Bytes::from_static(b"{}");
            body.send_data(error, says_that_it_ended).unwrap();
            // A reset takes along what has not been written yet.
            for _ in 0..100 {
                yield_now().await;
            }
            body.send_reset(Reason::NO_ERROR);
        };
        let answered = exchange(&push, &http2, &mut gateway, answer).await;
        let answered = answered.unwrap();
        assert_eq!(answered.status(), 413);
        assert_eq!(answered.body(), "{}");
        assert!(http2.is_usable(NOW));
    }
}

#[tokio::test]
async fn a_request_that_was_refused_is_lost_and_its_connection_doubted() {
    let (http2, _tasks, mut gateway) = connect(100).await;
    let refuse = async |mut respond: server::SendResponse<Bytes>| {
        respond.send_reset(Reason::REFUSED_STREAM);
    };
    let answered = exchange(&Push::of("{}"), &http2, &mut gateway, refuse).await;
    assert!(matches!(answered, Err(Failure::Lost(_))), "{answered:?}");
    assert!(!http2.is_usable(NOW));
}

#[tokio::test]
async fn a_push_that_is_dropped_resets_its_stream() {
    let (http2, _tasks, mut gateway) = connect(100).await;
    let push = Push::of("{}");
    let (_request, mut respond) = tokio::select! {
        _ = push.over(&http2) => panic!("nobody answers it"),
        accepted = gateway.accept() => accepted.unwrap().unwrap(),
    };
    let reset = poll_fn(|context| respond.poll_reset(context));
    tokio::select! {
        reset = reset => assert_eq!(reset.unwrap(), Reason::CANCEL),
        () = drive(&mut gateway) => panic!("the connection ended first"),
    }
    assert_eq!(http2.streams(), 0);
    assert!(!http2.is_usable(NOW));
}

#[tokio::test]
async fn there_are_no_more_streams_than_the_gateway_allows() {
    let (http2, _tasks, mut gateway) = connect(3).await;
    let accept = async |mut respond: server::SendResponse<Bytes>| {
        drop(respond.send_response(head(200), true).unwrap());
    };
    let answered = exchange(&Push::of("{}"), &http2, &mut gateway, accept).await;
    assert_eq!(answered.unwrap().status(), 200);
    let mut streams = Vec::new();
    while http2.has_room() {
        streams.push(http2.stream());
    }
    assert_eq!(streams.len(), 3);
}
