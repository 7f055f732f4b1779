use std::net::UdpSocket;
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fanout_core::connection::{Connection, ConnectionId};
use fanout_core::fanout::pacer::Share;
use fanout_core::fanout::{self, retry};
use fanout_core::ledger::Standing;
use fanout_core::memory::{MemoryQueues, MemoryStore};
use fanout_core::notification::{Draft, NotificationId, Target};
use fanout_core::notifications::Notifications as _;
use fanout_core::publish::{Accepted, Publisher};
use fanout_core::push::PushOutcome;
use fanout_core::queue::Lane;
use fanout_core::store::Registry as _;
use fanout_core::task::Work;
use fanout_core::worker::Settings;
use serde_json::json;

use super::*;
use crate::metrics::tests::{Written, recording};
use crate::trace::tests::{arrived, daemon};

/// The traces of messages, and of invocations.
const MESSAGE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
const INVOCATION: &str =
    "Root=1-6553f100-0123456789abcdef01234567;Parent=00000000000000aa;Sampled=1";

/// A gateway that answers by the connection's name.
#[derive(Clone, Default)]
struct Gateway {
    pushed: Arc<Mutex<Vec<ConnectionId>>>,
    is_mended: Arc<AtomicBool>,
    is_far_away: Arc<AtomicBool>,
}

/// How long it takes to connect to a gateway that is far away.
const CONNECTING: Duration = Duration::from_secs(3);

impl Pusher for Gateway {
    async fn warm_up(&self) {
        if self.is_far_away.load(Ordering::Relaxed) {
            tokio::time::sleep(CONNECTING).await;
        }
    }

    async fn push(&self, connection: &ConnectionId, _payload: &bytes::Bytes) -> PushOutcome {
        self.pushed.lock().unwrap().push(connection.clone());
        match connection.as_str() {
            "gone" => PushOutcome::Gone,
            "broken" if !self.is_mended.load(Ordering::Relaxed) => {
                PushOutcome::Transient { reason: "server" }
            }
            "slow" => PushOutcome::Throttled {
                retry_after: Some(Duration::from_secs(3)),
            },
            "forbidden" => PushOutcome::Forbidden,
            "panic" => panic!("as the test asked"),
            _ => PushOutcome::Accepted,
        }
    }
}

struct Bench {
    clock: Clock,
    store: MemoryStore,
    queue: MemoryQueues,
    gateway: Gateway,
    worker: Worker<MemoryStore, Gateway, MemoryQueues>,
    observer: Observer,
    written: Written,
    /// Where segments arrive.
    daemon: UdpSocket,
}

impl Bench {
    async fn with_connections(ids: &[&str]) -> Self {
        Self::new(ids, Duration::ZERO).await
    }

    async fn new(ids: &[&str], handshake_grace: Duration) -> Self {
        let clock = Clock::starting_at(Timestamp::from_second(1_700_000_000).unwrap());
        let store = MemoryStore::new(clock, 4);
        for id in ids {
            let connection = Connection {
                id: (*id).into(),
                connected_at: clock.now(),
                expires_at: Timestamp::MAX,
                user_id: None,
                org_id: None,
                topics: Vec::new(),
            };
            store.open(&connection).await.unwrap();
        }
        let (queue, gateway) = (MemoryQueues::default(), Gateway::default());
        let ports = Ports {
            store: store.clone(),
            pusher: gateway.clone(),
        };
        let share = Share {
            rate: NonZeroU32::new(1_000).unwrap(),
            burst: NonZeroU32::new(20).unwrap(),
        };
        let pacer = Arc::new(Pacer::new(share));
        let settings = Settings {
            fanout: fanout::Settings {
                max_in_flight: 8,
                max_outstanding: 100,
                page_size: 10,
                retry: retry::Policy {
                    max_failed: 3,
                    max_throttled: 100,
                    base: Duration::from_millis(10),
                    cap: Duration::from_millis(100),
                },
                patience: Duration::from_secs(1),
                checkpoint_every: Duration::from_secs(1),
                handshake_grace,
            },
            small_audience: 10,
            segments: 4,
            topic_shards: 4,
            deadline_margin: Duration::from_secs(1),
        };
        let worker = Worker::new(ports, queue.clone(), pacer, clock, settings);
        let (metrics, written) = recording(clock);
        let (sending, daemon) = daemon();
        let observer = Observer {
            metrics,
            daemon: sending,
            clock,
        };
        Self {
            clock,
            store,
            queue,
            gateway,
            worker,
            observer,
            written,
            daemon,
        }
    }

    /// Publishes to one target and returns the message that the worker gets.
    async fn publish(&self, target: Target) -> (Accepted, String) {
        let publisher = Publisher {
            notifications: self.store.clone(),
            queue: self.queue.clone(),
            clock: self.clock,
            source: "/test".to_owned(),
            max_frame_bytes: 1_024,
        };
        let draft = Draft::new("t", target, json!(1));
        let notification = publisher.publish(draft, None).await.unwrap();
        let (_, _, task) = self.queue.take().pop().unwrap();
        (notification, task.encode().unwrap())
    }

    /// Gives a batch of messages to the function; returns which failed.
    async fn deliver(&self, bodies: &[&str]) -> Vec<String> {
        self.deliver_within(60_000, bodies).await
    }

    async fn deliver_within(&self, milliseconds: i64, bodies: &[&str]) -> Vec<String> {
        let record = |(n, body): (usize, &&str)| json!({"messageId": format!("m{n}"), "body": body, "attributes": {"AWSTraceHeader": MESSAGE}});
        let records: Vec<_> = bodies.iter().enumerate().map(record).collect();
        let batch = serde_json::from_value(json!({"Records": records})).unwrap();
        let mut context = Context::default();
        context.request_id = "request".to_owned();
        context.xray_trace_id = Some(INVOCATION.to_owned());
        let deadline = self.clock.now().as_millisecond() + milliseconds;
        context.deadline = u64::try_from(deadline).unwrap();
        let response = handle(&self.worker, &self.observer, &batch, &context).await;
        let failures = response.batch_item_failures.into_iter();
        failures.map(|failure| failure.item_identifier).collect()
    }

    async fn standing(&self, id: NotificationId) -> Standing {
        self.store.standing(id).await.unwrap().unwrap()
    }

    fn pushed(&self) -> Vec<ConnectionId> {
        let mut pushed = self.gateway.pushed.lock().unwrap().clone();
        pushed.sort();
        pushed
    }
}

fn to(id: &str) -> Target {
    Target::Connection { id: id.into() }
}

#[tokio::test(start_paused = true)]
async fn everyone_is_pushed_to_and_the_gone_are_forgotten() {
    let bench = Bench::with_connections(&["a", "b", "gone"]).await;
    let (notification, message) = bench.publish(Target::Everyone).await;
    assert_eq!(bench.deliver(&[&message]).await, [""; 0]);
    assert_eq!(bench.pushed(), ["a", "b", "gone"].map(ConnectionId::from));
    assert_eq!(
        bench.store.connection_ids(),
        ["a", "b"].map(ConnectionId::from)
    );
    let standing = bench.standing(notification.id).await;
    let counts = standing.counts;
    assert_eq!((standing.targeted, counts.accepted, counts.gone), (3, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn who_was_not_pushed_to_before_a_cancellation_is_counted() {
    let bench = Bench::with_connections(&["a", "b"]).await;
    let (notification, message) = bench.publish(Target::Everyone).await;
    let now = bench.clock.now();
    bench.store.cancel(notification.id, now).await.unwrap();
    assert_eq!(bench.deliver(&[&message]).await, [""; 0]);
    assert_eq!(bench.pushed(), []);
    let standing = bench.standing(notification.id).await;
    assert_eq!((standing.targeted, standing.counts.cancelled), (2, 2));
    assert_eq!(standing.state, fanout_core::ledger::State::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn only_who_pushes_waits_until_the_gateway_is_connected_to() {
    let ids: Vec<String> = (0..30).map(|n| format!("c{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let bench = Bench::with_connections(&ids).await;
    bench.gateway.is_far_away.store(true, Ordering::Relaxed);
    let (_, message) = bench.publish(Target::Everyone).await;
    let begun_at = tokio::time::Instant::now();
    // Cut into slices, and then found to be done.
    for _ in 0..2 {
        assert_eq!(bench.deliver(&[&message]).await, [""; 0]);
        assert_eq!(begun_at.elapsed(), Duration::ZERO);
    }
    let slice = bench.queue.take().pop().unwrap().2.encode().unwrap();
    assert_eq!(bench.deliver(&[&slice]).await, [""; 0]);
    assert!(begun_at.elapsed() >= CONNECTING);
    assert!(!bench.pushed().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_connection_in_its_handshake_is_not_forgotten() {
    let bench = Bench::new(&["gone"], Duration::from_secs(30)).await;
    let (notification, message) = bench.publish(Target::Everyone).await;
    assert_eq!(bench.deliver(&[&message]).await, [""; 0]);
    let standing = bench.standing(notification.id).await;
    assert_eq!(standing.counts.gone, 1);
    assert_eq!(bench.store.connection_ids(), ["gone".into()]);

    tokio::time::advance(Duration::from_secs(30)).await;
    let (_, message) = bench.publish(Target::Everyone).await;
    assert_eq!(bench.deliver(&[&message]).await, [""; 0]);
    assert_eq!(bench.store.connection_ids(), []);
}

#[tokio::test(start_paused = true)]
async fn what_used_up_its_attempts_waits_as_dead_letter_and_can_be_redriven() {
    let bench = Bench::with_connections(&["a", "broken"]).await;
    let (notification, message) = bench.publish(Target::Everyone).await;
    assert_eq!(bench.deliver(&[&message]).await, [""; 0]);
    let sent = bench.queue.take();
    let [(Lane::DeadLetters, _, dead)] = sent.as_slice() else {
        panic!("{sent:?}");
    };
    let counts = bench.standing(notification.id).await.counts;
    assert_eq!((counts.accepted, counts.failed), (1, 1));

    bench.gateway.is_mended.store(true, Ordering::Relaxed);
    assert_eq!(bench.deliver(&[&dead.encode().unwrap()]).await, [""; 0]);
    let standing = bench.standing(notification.id).await;
    assert_eq!((standing.counts.accepted, standing.counts.failed), (2, 0));
    assert_eq!(standing.state, fanout_core::ledger::State::Done);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_was_cancelled_is_counted_when_it_is_redriven() {
    let bench = Bench::with_connections(&["a", "broken"]).await;
    let (notification, message) = bench.publish(Target::Everyone).await;
    assert_eq!(bench.deliver(&[&message]).await, [""; 0]);
    let dead = bench.queue.take().pop().unwrap().2.encode().unwrap();
    let now = bench.clock.now();
    bench.store.cancel(notification.id, now).await.unwrap();
    let standing = bench.standing(notification.id).await;
    assert_eq!(standing.state, fanout_core::ledger::State::Failed);

    bench.gateway.is_mended.store(true, Ordering::Relaxed);
    bench.gateway.pushed.lock().unwrap().clear();
    assert_eq!(bench.deliver(&[&dead]).await, [""; 0]);
    assert_eq!(bench.pushed(), []);
    let standing = bench.standing(notification.id).await;
    let counts = standing.counts;
    assert_eq!(
        (counts.accepted, counts.failed, counts.cancelled),
        (1, 0, 1)
    );
    assert_eq!(standing.state, fanout_core::ledger::State::Cancelled);
    assert_eq!(bench.queue.take().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_must_wait_goes_back_to_the_queue_with_a_delay() {
    let bench = Bench::with_connections(&["a", "slow"]).await;
    let (notification, message) = bench.publish(Target::Everyone).await;
    assert_eq!(bench.deliver(&[&message]).await, [""; 0]);
    let sent = bench.queue.take();
    let [(Lane::Notifications, delay, task)] = sent.as_slice() else {
        panic!("{sent:?}");
    };
    assert!(*delay > Duration::from_secs(2), "{delay:?}");
    let Work::Left(left) = &task.work else {
        panic!("{task:?}");
    };
    assert_eq!(left.outstanding[0].recipient.connection_id, "slow".into());
    assert_eq!(left.outstanding[0].tries.throttled, 1);
    let standing = bench.standing(notification.id).await;
    assert_eq!((standing.counts.accepted, standing.pending), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_invocation_without_time_fails_instead_of_going_round_for_ever() {
    let bench = Bench::with_connections(&["a"]).await;
    let (_, message) = bench.publish(Target::Everyone).await;
    assert_eq!(bench.deliver_within(1_000, &[&message]).await, ["m0"]);
    assert_eq!(bench.queue.take().len(), 0);
    assert_eq!(bench.deliver(&[&message]).await, [""; 0]);
    assert_eq!(bench.pushed(), ["a".into()]);
}

#[tokio::test(start_paused = true)]
async fn a_redelivered_message_pushes_nobody_again() {
    let bench = Bench::with_connections(&["a"]).await;
    let (_, message) = bench.publish(Target::Everyone).await;
    assert_eq!(bench.deliver(&[&message]).await, [""; 0]);
    assert_eq!(bench.deliver(&[&message]).await, [""; 0]);
    assert_eq!(bench.pushed().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_bad_record_never_fails_its_neighbours() {
    let bench = Bench::with_connections(&["a", "panic", "forbidden"]).await;
    let (_, good) = bench.publish(to("a")).await;
    let (_, panics) = bench.publish(to("panic")).await;
    let (_, forbidden) = bench.publish(to("forbidden")).await;
    let failed = bench.deliver(&["poison", &good, &panics, &forbidden]).await;
    assert_eq!(failed, ["m0", "m2", "m3"]);
    assert!(bench.pushed().contains(&"a".into()));
    assert_eq!(bench.store.connection_ids().len(), 3, "nothing was deleted");
}

#[tokio::test(start_paused = true)]
async fn a_large_audience_is_cut_into_slices_that_reach_everyone_once() {
    let ids: Vec<_> = (0..50).map(|n| format!("c{n:02}")).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let bench = Bench::with_connections(&ids).await;
    let (notification, message) = bench.publish(Target::Everyone).await;
    assert_eq!(bench.deliver(&[&message]).await, [""; 0]);
    assert_eq!(bench.pushed(), [] as [ConnectionId; 0]);

    let slices: Vec<_> = bench
        .queue
        .take()
        .into_iter()
        .map(|(_, _, task)| task)
        .collect();
    assert_eq!(slices.len(), 4);
    let slices: Vec<_> = slices.iter().map(|task| task.encode().unwrap()).collect();
    let slices: Vec<_> = slices.iter().map(String::as_str).collect();
    assert_eq!(bench.deliver(&slices).await, [""; 0]);

    let expected: Vec<_> = ids.iter().map(|id| ConnectionId::from(*id)).collect();
    assert_eq!(bench.pushed(), expected);
    let standing = bench.standing(notification.id).await;
    assert_eq!((standing.targeted, standing.pending), (50, 0));
    assert_eq!(standing.state, fanout_core::ledger::State::Done);
}

mod observed;
