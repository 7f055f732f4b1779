use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use fanout_core::connection::ConnectionId;
use fanout_core::memory::{MemoryQueues, MemoryStore};
use fanout_core::queue::Lane;
use fanout_core::store::Forget as _;
use futures::future::join_all;
use jiff::Timestamp;

use super::*;
use crate::metrics::tests::{Written, recording};
use crate::websocket::tests::event;

const CONNECTED_AT: i64 = 1_700_000_000_000;
const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
const ID: &str = "TXzPWdnOjoECGjA=";

/// A registry that can be slow to agree, or broken.
#[derive(Clone, Debug)]
struct Awkward {
    store: MemoryStore,
    /// How often it says that a connection is not as it was read.
    crossings: Arc<AtomicU32>,
    /// Whether a transaction is running: another one is refused meanwhile.
    is_busy: Arc<AtomicBool>,
    /// How long an answer takes.
    latency: Duration,
    is_broken: bool,
}

impl Awkward {
    fn check(&self) -> Result<(), StoreError> {
        let error = StoreError {
            operation: "do anything",
            detail: "broken".to_owned(),
        };
        if self.is_broken { Err(error) } else { Ok(()) }
    }
}

impl Registry for Awkward {
    async fn open(&self, connection: &Connection) -> Result<(), StoreError> {
        self.store.open(connection).await
    }

    async fn find(&self, id: &ConnectionId) -> Result<Option<Connection>, StoreError> {
        self.check()?;
        let found = self.store.find(id).await;
        tokio::time::sleep(self.latency).await;
        found
    }

    async fn relisten(
        &self,
        as_read: &Connection,
        topics: &[Topic],
    ) -> Result<Relistened, StoreError> {
        let left = self
            .crossings
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        if left.is_ok() || self.is_busy.swap(true, Ordering::SeqCst) {
            return Ok(Relistened::Stale);
        }
        tokio::time::sleep(self.latency).await;
        let relistened = self.store.relisten(as_read, topics).await;
        self.is_busy.store(false, Ordering::SeqCst);
        relistened
    }

    async fn count_message(
        &self,
        sender: &Recipient,
        window: i64,
        most: u32,
    ) -> Result<Counted, StoreError> {
        self.check()?;
        self.store.count_message(sender, window, most).await
    }
}

/// The function, with one connection of the user `u1` that listens to
/// `stocks/AAPL`.
struct Stage {
    message: Message<Awkward, MemoryStore, MemoryQueues>,
    /// What the authorizer said.
    authorizer: Value,
    /// What was told.
    written: Written,
}

impl Stage {
    async fn new() -> Self {
        let clock = Clock::starting_at(Timestamp::from_millisecond(CONNECTED_AT).unwrap());
        let store = MemoryStore::new(clock, 4);
        let connection = Connection {
            id: ID.into(),
            connected_at: Timestamp::from_millisecond(CONNECTED_AT).unwrap(),
            expires_at: Timestamp::MAX,
            user_id: Some("u1".to_owned()),
            org_id: None,
            topics: vec!["stocks/AAPL".parse().unwrap()],
        };
        store.open(&connection).await.unwrap();
        let (metrics, written) = recording(clock);
        Self {
            message: Message {
                registry: Awkward {
                    store: store.clone(),
                    crossings: Arc::default(),
                    is_busy: Arc::default(),
                    latency: Duration::ZERO,
                    is_broken: false,
                },
                publisher: Publisher {
                    notifications: store,
                    queue: MemoryQueues::default(),
                    clock,
                    source: "/notifications".to_owned(),
                    max_frame_bytes: 1_024,
                },
                subscribers: Subscribers::Jwt,
                max_topics: 3,
                messages_per_minute: 2,
                metrics,
            },
            authorizer: json!({"principalId": "u1", "userId": "u1", "topics": "stocks/* news"}),
            written,
        }
    }

    async fn answer_to_text(&self, body: &Value) -> Value {
        let mut event = event("$default", &json!({"body": body}));
        let context = json!({
            "connectionId": ID,
            "connectedAt": CONNECTED_AT,
            "requestTimeEpoch": CONNECTED_AT,
            "authorizer": self.authorizer,
        });
        event.request_context = serde_json::from_value(context).unwrap();
        let response = self
            .message
            .handle(&event, TRACE.parse().ok())
            .await
            .unwrap();
        assert_eq!(response.status_code, 200);
        serde_json::from_slice(&response.body.unwrap()).unwrap()
    }

    async fn answer_to(&self, message: Value) -> Value {
        self.answer_to_text(&json!(message.to_string())).await
    }

    /// Sends what must be refused, and returns the code.
    async fn refusal_of(&self, message: Value) -> String {
        let answer = self.answer_to(message).await;
        assert_eq!(answer["type"], "error", "{answer}");
        assert!(answer["detail"].is_string());
        answer["code"].as_str().unwrap().to_owned()
    }

    async fn topics(&self) -> Vec<String> {
        let found = self.message.registry.store.find(&ID.into()).await.unwrap();
        found
            .unwrap()
            .topics
            .into_iter()
            .map(String::from)
            .collect()
    }

    async fn vanish(&self) {
        let gone = Recipient {
            connection_id: ID.into(),
            connected_at: Timestamp::from_millisecond(CONNECTED_AT).unwrap(),
        };
        let store = &self.message.registry.store;
        store.forget(&[gone], None).await.unwrap();
    }
}

fn subscribe(topics: &[&str]) -> Value {
    json!({"action": "subscribe", "topics": topics})
}

fn unsubscribe(topics: &[&str]) -> Value {
    json!({"action": "unsubscribe", "topics": topics})
}

fn send(message: &Value) -> Value {
    json!({"action": "sendmessage", "message": message})
}

#[tokio::test(start_paused = true)]
async fn a_client_learns_who_it_is() {
    let stage = Stage::new().await;
    let expected = json!({
        "type": "whoami",
        "connectionId": ID,
        "userId": "u1",
        "topics": ["stocks/AAPL"],
    });
    for action in ["whoami", "GET_CONNECTION_ID"] {
        assert_eq!(stage.answer_to(json!({"action": action})).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn echoes_and_pings_are_answered() {
    let stage = Stage::new().await;
    let sent = json!({"action": "echo", "n": [1, {"z": 1, "a": null}]});
    assert_eq!(stage.answer_to(sent.clone()).await, sent);
    let pong = stage.answer_to(json!({"action": "ping"})).await;
    assert_eq!(pong, json!({"type": "pong"}));
}

#[tokio::test(start_paused = true)]
async fn everything_else_is_answered_with_an_error_frame() {
    let stage = Stage::new().await;
    for (body, code) in [
        (json!("hello"), "not_json"),
        (json!(null), "not_json"),
        (json!("{}"), "no_action"),
        (json!(r#"{"action":"dance"}"#), "unknown_action"),
        (json!(r#"{"action":"subscribe"}"#), "invalid_topics"),
        (json!(r#"{"action":"sendmessage"}"#), "no_message"),
    ] {
        let answer = stage.answer_to_text(&body).await;
        let expected = (&json!("error"), &json!(code));
        assert_eq!((&answer["type"], &answer["code"]), expected);
        assert!(answer["detail"].is_string());
    }
}

#[tokio::test(start_paused = true)]
async fn topics_come_and_go() {
    let stage = Stage::new().await;
    let answer = stage.answer_to(subscribe(&["stocks/B", "news"])).await;
    let all = ["news", "stocks/AAPL", "stocks/B"];
    assert_eq!(answer, json!({"type": "subscribed", "topics": all}));
    assert_eq!(stage.topics().await, all);
    let answer = stage
        .answer_to(unsubscribe(&["stocks/AAPL", "weather"]))
        .await;
    let left = ["news", "stocks/B"];
    assert_eq!(answer, json!({"type": "unsubscribed", "topics": left}));
    assert_eq!(stage.topics().await, left);
}

#[tokio::test(start_paused = true)]
async fn topics_that_cannot_be_chosen_change_nothing() {
    let stage = Stage::new().await;
    let four = subscribe(&["news", "stocks/B", "stocks/C"]);
    assert_eq!(stage.refusal_of(four).await, "too_many_topics");
    let answer = stage
        .answer_to(subscribe(&["news", "weather", "user:u1"]))
        .await;
    assert_eq!(answer["code"], "forbidden_topics");
    assert_eq!(answer["topics"], json!(["weather", "user:u1"]));
    assert_eq!(stage.topics().await, ["stocks/AAPL"]);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_crosses_with_others_is_tried_again() {
    let stage = Stage::new().await;
    let crossings = &stage.message.registry.crossings;
    crossings.store(10, Ordering::SeqCst);
    let answer = stage.answer_to(subscribe(&["news"])).await;
    assert_eq!(answer["type"], "subscribed");

    crossings.store(u32::MAX, Ordering::SeqCst);
    let started = Instant::now();
    let refusal = stage.refusal_of(unsubscribe(&["news"])).await;
    assert_eq!(refusal, "unavailable");
    let took = started.elapsed();
    let fits = took <= RELISTEN_PATIENCE && took + LONGEST_PAUSE >= RELISTEN_PATIENCE;
    assert!(fits, "{took:?}");
    assert_eq!(stage.topics().await, ["news", "stocks/AAPL"]);
}

#[tokio::test(start_paused = true)]
async fn changes_of_one_client_at_the_same_time_are_all_made() {
    let topics: Vec<String> = (10..50).map(|n| format!("stocks/{n}")).collect();
    for (seed, latency_ms) in (0..20).flat_map(|seed| [(seed, 5), (seed, 20)]) {
        fastrand::seed(seed);
        let mut stage = Stage::new().await;
        stage.message.max_topics = 50;
        stage.message.registry.latency = Duration::from_millis(latency_ms);
        let subscribing = topics
            .iter()
            .map(|topic| stage.answer_to(subscribe(&[topic])));
        for answer in join_all(subscribing).await {
            assert_eq!(
                answer["type"], "subscribed",
                "{seed}, {latency_ms} ms: {answer}"
            );
        }
        let mut stored = stage.topics().await;
        assert_eq!(stored.pop().as_deref(), Some("stocks/AAPL"));
        assert_eq!(stored, topics);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_goes_to_everyone_up_to_the_rate() {
    let stage = Stage::new().await;
    let message = json!({"z": 1, "a": [null]});
    let answer = stage.answer_to(send(&message)).await;
    assert_eq!(answer["type"], "sent");
    let queued = stage.message.publisher.queue.take();
    let [(Lane::Notifications, _, task)] = queued.as_slice() else {
        panic!("{queued:?}");
    };
    assert_eq!(answer["id"], task.notification_id.to_string());
    assert_eq!(task.trace.unwrap().to_string(), TRACE);
    let told = json!({"NotificationsAccepted": 1, "notification_id": answer["id"]});
    assert_eq!(stage.written.take_figures(), told);
    let frame: Value = serde_json::from_str(&task.frame).unwrap();
    assert_eq!(frame["type"], "message.sent");
    let data = json!({"message": message, "connectionId": ID, "userId": "u1"});
    assert_eq!(frame["data"], data);

    assert_eq!(stage.answer_to(send(&json!(null))).await["type"], "sent");
    let answer = stage.answer_to(send(&json!(null))).await;
    assert_eq!(answer["code"], "rate_limited");
    // It is 20 seconds past the minute.
    assert_eq!(answer["retryAfterSeconds"], 40);
    tokio::time::advance(Duration::from_secs(40)).await;
    assert_eq!(stage.answer_to(send(&json!(null))).await["type"], "sent");
    assert_eq!(stage.message.publisher.queue.take().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_could_not_be_sent_is_told() {
    let mut stage = Stage::new().await;
    stage.message.registry.is_broken = true;
    assert_eq!(stage.refusal_of(send(&json!(1))).await, "unavailable");
    let told = json!({"PublishesUnavailable": 1});
    assert_eq!(stage.written.take_figures(), told);
    assert_eq!(
        stage.refusal_of(json!({"action": "whoami"})).await,
        "unavailable"
    );
    assert_eq!(
        stage.written.take(),
        [Value::Null; 0],
        "nothing was published"
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_that_would_not_be_pushed_is_refused() {
    let stage = Stage::new().await;
    let large = json!("x".repeat(1_024));
    for _ in 0..3 {
        assert_eq!(stage.refusal_of(send(&large)).await, "too_large");
    }
    assert!(stage.message.publisher.queue.take().is_empty());
    assert_eq!(stage.written.take(), [Value::Null; 0]);
    let answer = stage.answer_to(send(&json!("small"))).await;
    assert_eq!(answer["type"], "sent", "the large ones are not counted");
}

#[tokio::test(start_paused = true)]
async fn clients_send_nothing_where_that_is_switched_off() {
    let mut stage = Stage::new().await;
    stage.message.messages_per_minute = 0;
    let refusal = stage.refusal_of(send(&json!(1))).await;
    assert_eq!(refusal, "sendmessage_off");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_not_stored_is_told_to_connect_again() {
    let stage = Stage::new().await;
    stage.vanish().await;
    for message in [
        json!({"action": "whoami"}),
        subscribe(&["news"]),
        unsubscribe(&["news"]),
        send(&json!(1)),
    ] {
        assert_eq!(stage.refusal_of(message).await, "not_connected");
    }
    let pong = stage.answer_to(json!({"action": "ping"})).await;
    assert_eq!(pong["type"], "pong");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_told_in_a_frame() {
    let mut stage = Stage::new().await;
    stage.message.registry.is_broken = true;
    for message in [
        json!({"action": "whoami"}),
        subscribe(&["news"]),
        send(&json!(1)),
    ] {
        assert_eq!(stage.refusal_of(message).await, "unavailable");
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_authorizers_word_nothing_is_done() {
    let mut stage = Stage::new().await;
    for missing in [
        json!(null),
        json!({}),
        json!({"userId": "u1", "topics": "a*b"}),
    ] {
        stage.authorizer = missing;
        for message in [json!({"action": "ping"}), subscribe(&["news"])] {
            assert_eq!(stage.refusal_of(message).await, "unavailable");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn where_nobody_is_authenticated_everybody_may_choose_all_topics() {
    let mut stage = Stage::new().await;
    stage.message.subscribers = Subscribers::Anyone;
    stage.authorizer = json!(null);
    let answer = stage.answer_to(subscribe(&["weather"])).await;
    assert_eq!(answer["topics"], json!(["stocks/AAPL", "weather"]));
    let refusal = stage.refusal_of(subscribe(&["user:u1"])).await;
    assert_eq!(refusal, "forbidden_topics");
    stage.answer_to(send(&json!(1))).await;
    let sent = stage.message.publisher.queue.take();
    let frame: Value = serde_json::from_str(&sent[0].2.frame).unwrap();
    assert_eq!(frame["data"]["userId"], json!(null));
}
