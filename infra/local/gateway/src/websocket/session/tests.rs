use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::future::{OptionFuture, join};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::*;
use crate::clock::Clock;
use crate::connections::outbox::{Outbox, Refused};
use crate::ids::ConnectionId;
use crate::integration::IntegrationError;
use crate::settings::{Settings, WebSocketRoutes};

const MINUTE: Duration = Duration::from_mins(1);

/// Takes a second for each message and notes when it began.
#[derive(Clone)]
struct Slow {
    begun: Arc<Mutex<Vec<(Duration, String)>>>,
    started: Instant,
}

impl Integration for Slow {
    async fn invoke(
        &self,
        _: &str,
        event: Bytes,
        _: Option<&str>,
    ) -> Result<Bytes, IntegrationError> {
        let event: Value = serde_json::from_slice(&event).unwrap();
        let body = event["body"].as_str().unwrap().to_owned();
        let begun = (self.started.elapsed(), body);
        self.begun.lock().unwrap().push(begun);
        sleep(Duration::from_secs(1)).await;
        Ok(json!({"statusCode": 200}).to_string().into())
    }
}

/// An open socket: the client's end, and the task at the gateway's end.
struct Open {
    client: WebSocketStream<DuplexStream>,
    connection: Arc<Connection>,
    shared: Arc<Shared<Slow>>,
    ended: JoinHandle<Ended>,
    function: Slow,
}

async fn open(settings: Settings) -> Open {
    let settings = Settings {
        websocket_routes: WebSocketRoutes {
            default: Some("message".to_owned()),
            ..WebSocketRoutes::default()
        },
        ..settings
    };
    let function = Slow {
        begun: Arc::default(),
        started: Instant::now(),
    };
    let clock = Clock::starting_at(jiff::Timestamp::UNIX_EPOCH);
    let shared = Arc::new(Shared::new(settings, function.clone(), clock));
    let connection = Arc::new(Connection {
        id: ConnectionId::random(),
        connected_at: shared.clock.now(),
        source_ip: [127, 0, 0, 1].into(),
        user_agent: None,
        domain_name: "localhost".into(),
        authorizer: None,
        last_active_ms: 0.into(),
        sink: Sink::Socket(Outbox::new(4, 1_000_000)),
    });
    shared.connections.insert(Arc::clone(&connection));
    let (near, far) = duplex(256);
    let client = WebSocketStream::from_raw_socket(far, Role::Client, None).await;
    let ended = tokio::spawn({
        let (shared, connection) = (Arc::clone(&shared), Arc::clone(&connection));
        async move {
            let wire = Wire::new(near, Vec::new(), &shared.settings).await;
            let mut dispatcher = Dispatcher::new(Arc::clone(&shared), Arc::clone(&connection));
            let (ended, farewell) = run(&shared, &connection, wire, &mut dispatcher).await;
            let farewell = OptionFuture::from(farewell.map(Farewell::say));
            join(farewell, dispatcher.drain()).await;
            ended
        }
    });
    Open {
        client,
        connection,
        shared,
        ended,
        function,
    }
}

async fn close_code(client: &mut WebSocketStream<DuplexStream>) -> u16 {
    loop {
        if let Message::Close(frame) = client.next().await.unwrap().unwrap() {
            return frame.unwrap().code.into();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_socket_is_closed_after_ten_minutes() {
    let started = Instant::now();
    let mut open = open(Settings::default()).await;
    assert_eq!(close_code(&mut open.client).await, 1001);
    assert_eq!(started.elapsed(), 10 * MINUTE);
    drop(open.client);
    assert_eq!(open.ended.await.unwrap(), Ended::new(1001, "Going away"));
    assert_eq!(open.shared.connections.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn traffic_in_either_direction_keeps_a_socket_open() {
    let started = Instant::now();
    let mut open = open(Settings::default()).await;
    sleep(9 * MINUTE).await;
    open.client.send(Message::text("from me")).await.unwrap();
    sleep(9 * MINUTE).await;
    open.connection.push(Bytes::from_static(b"to you")).unwrap();
    assert_eq!(
        open.client.next().await.unwrap().unwrap(),
        Message::text("to you")
    );
    sleep(9 * MINUTE).await;
    let question = Bytes::from_static(b"?");
    open.client
        .send(Message::Ping(question.clone()))
        .await
        .unwrap();
    let answer = open.client.next().await.unwrap().unwrap();
    assert_eq!(answer, Message::Pong(question));
    assert_eq!(close_code(&mut open.client).await, 1001);
    assert_eq!(started.elapsed(), (9 + 9 + 9 + 10) * MINUTE);
}

#[tokio::test(start_paused = true)]
async fn a_busy_socket_is_closed_at_its_greatest_age() {
    let started = Instant::now();
    let open = open(Settings::default()).await;
    let (mut sender, mut receiver) = open.client.split();
    let chatter = tokio::spawn(async move {
        while sender.send(Message::text("still here")).await.is_ok() {
            sleep(MINUTE).await;
        }
    });
    let last = receiver.next().await.unwrap().unwrap();
    assert!(matches!(last, Message::Close(Some(frame)) if u16::from(frame.code) == 1001));
    assert_eq!(started.elapsed(), 120 * MINUTE);
    chatter.abort();
}

#[tokio::test(start_paused = true)]
async fn messages_reach_the_function_one_at_a_time_and_in_order() {
    let mut open = open(Settings::default()).await;
    for text in ["one", "two", "three"] {
        open.client.send(Message::text(text)).await.unwrap();
    }
    open.client.close(None).await.unwrap();
    // What had arrived is still handled after the close.
    open.ended.await.unwrap();
    let at = |seconds, text: &str| (Duration::from_secs(seconds), text.to_owned());
    assert_eq!(
        *open.function.begun.lock().unwrap(),
        [at(0, "one"), at(1, "two"), at(2, "three")]
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_refused_and_catches_up_in_order() {
    let mut open = open(Settings::default()).await;
    let mut accepted = 0_u32;
    // Yielding lets the socket's task write as far as the pipe takes it.
    loop {
        let text = format!("{accepted:0>100}");
        match open.connection.push(text.into()) {
            Ok(()) => accepted += 1,
            Err(refused) => {
                assert_eq!(refused, Refused::Full);
                break;
            }
        }
        sleep(Duration::from_millis(1)).await;
    }
    assert!((4..100).contains(&accepted), "{accepted} accepted");
    for number in 0..accepted {
        let expected = Message::text(format!("{number:0>100}"));
        assert_eq!(open.client.next().await.unwrap().unwrap(), expected);
    }
    assert!(open.connection.push(Bytes::from_static(b"more")).is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_was_accepted_is_written_before_a_requested_close() {
    let mut open = open(Settings::default()).await;
    for text in ["one", "two"] {
        open.connection
            .push(Bytes::from_static(text.as_bytes()))
            .unwrap();
    }
    assert!(open.connection.close(CloseRequest::Deleted));
    let late = open.connection.push(Bytes::from_static(b"late"));
    assert_eq!(late, Err(Refused::Closed));
    for text in ["one", "two"] {
        let received = open.client.next().await.unwrap().unwrap();
        assert_eq!(received, Message::text(text));
    }
    assert_eq!(close_code(&mut open.client).await, 1000);
    drop(open.client);
    assert_eq!(open.ended.await.unwrap(), Ended::new(1000, ""));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_vanishes_is_noticed() {
    let open = open(Settings::default()).await;
    drop(open.client);
    assert_eq!(open.ended.await.unwrap(), Ended::abnormal());
    assert_eq!(open.shared.connections.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_close_by_the_client_is_answered_and_its_code_kept() {
    let mut open = open(Settings::default()).await;
    let frame = CloseFrame {
        code: 4_000.into(),
        reason: "enough".into(),
    };
    open.client.close(Some(frame)).await.unwrap();
    assert_eq!(close_code(&mut open.client).await, 4_000);
    drop(open.client);
    assert_eq!(open.ended.await.unwrap(), Ended::new(4_000, "enough"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_answers_the_close_is_dropped_after_two_seconds() {
    let open = open(Settings::default()).await;
    let started = Instant::now();
    open.connection.close(CloseRequest::ShuttingDown);
    assert_eq!(open.ended.await.unwrap(), Ended::new(1001, "Going away"));
    assert_eq!(started.elapsed(), Duration::from_secs(2));
}
