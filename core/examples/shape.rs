//! The shape of a broadcast at scale, on virtual time.
//!
//! Runs the real worker, engine and pacer against a gateway that enforces the
//! account's token bucket, and prints how long a broadcast takes to reach its
//! audience, against the floor that the quota sets: (N − burst) / rate.
//!
//! `cargo run --release -p fanout-core --features memory --example shape`
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a run that cannot go on may as well panic"
)]

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fanout_core::clock::Clock;
use fanout_core::connection::{Connection, ConnectionId};
use fanout_core::fanout::pacer::{Pacer, Share};
use fanout_core::fanout::{self, Ports, retry};
use fanout_core::memory::{MemoryQueues, MemoryStore};
use fanout_core::notification::{Draft, Target};
use fanout_core::publish::Publisher;
use fanout_core::push::{PushOutcome, Pusher};
use fanout_core::queue::Lane;
use fanout_core::store::Registry as _;
use fanout_core::task::Task;
use fanout_core::worker::{Delivery, Settings, Worker};
use jiff::Timestamp;
use tokio::time::Instant;

/// What the account allows.
#[derive(Clone, Copy)]
struct Quota {
    rate: u32,
    burst: u32,
}

/// How many workers there are on slices; each has this part of the quota.
const SLICE_WORKERS: u32 = 2;
/// How long an invocation may take.
const TIMEOUT: Duration = Duration::from_mins(1);
/// From the end of one invocation to the start of the next: the queue, the
/// event source and the runtime.
const BETWEEN_INVOCATIONS: Duration = Duration::from_millis(20);

fn main() {
    println!(
        "| connections | rate/s | burst | slices' share | first | 50 % | 99 % | 100 % | floor | ratio | throttled |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    let quotas = [
        Quota {
            rate: 10_000,
            burst: 5_000,
        },
        Quota {
            rate: 2_500,
            burst: 1_250,
        },
    ];
    for quota in quotas {
        for percent in [99, 80] {
            for connections in [10_000, 100_000, 1_000_000] {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .start_paused(true)
                    .build()
                    .unwrap();
                runtime.block_on(broadcast(connections, quota, percent));
            }
        }
    }
}

async fn broadcast(connections: u32, quota: Quota, percent: u32) {
    let clock = Clock::starting_at(Timestamp::from_second(1_700_000_000).unwrap());
    let store = MemoryStore::new(clock, 4);
    for n in 0..connections {
        store.open(&connection(n, clock.now())).await.unwrap();
    }
    let gateway = Gateway::new(quota);
    let queue = MemoryQueues::default();
    let publisher = Publisher {
        notifications: store.clone(),
        queue: queue.clone(),
        clock,
        source: "/shape".to_owned(),
        max_frame_bytes: 1_024,
    };
    let draft = Draft::new("shape", Target::Everyone, serde_json::Value::Null);
    let started = Instant::now();
    let id = publisher.publish(draft, None).await.unwrap().id;
    let (_, _, root) = queue.take().pop().expect("the notification's task");

    let share = |quota: u32| NonZeroU32::new(quota * percent / 100 / SLICE_WORKERS).unwrap();
    let worker = || {
        let ports = Ports {
            store: store.clone(),
            pusher: gateway.clone(),
        };
        let pacer = Pacer::new(Share {
            rate: share(quota.rate),
            burst: share(quota.burst),
        });
        Worker::new(ports, queue.clone(), Arc::new(pacer), clock, settings())
    };
    handle(&worker(), &root, clock, "root").await;
    let slices: Mutex<VecDeque<Task>> = Mutex::default();
    let workers = (0..SLICE_WORKERS).map(|n| {
        let (worker, slices, queue) = (worker(), &slices, &queue);
        async move {
            loop {
                let sent = queue
                    .take()
                    .into_iter()
                    .filter(|(lane, ..)| *lane == Lane::Slices);
                slices.lock().unwrap().extend(sent.map(|(_, _, task)| task));
                let Some(slice) = slices.lock().unwrap().pop_front() else {
                    break;
                };
                handle(&worker, &slice, clock, &format!("worker-{n}")).await;
                tokio::time::sleep(BETWEEN_INVOCATIONS).await;
            }
        }
    });
    futures::future::join_all(workers).await;
    let ledger = fanout_core::notifications::Notifications::standing(&store, id).await;
    let ledger = ledger.unwrap().unwrap();
    assert_eq!(ledger.counts.accepted, u64::from(connections));
    gateway.report(connections, quota, percent, started);
}

async fn handle(
    worker: &Worker<MemoryStore, Gateway, MemoryQueues>,
    task: &Task,
    clock: Clock,
    owner: &str,
) {
    let body = task.encode().unwrap();
    let deadline = clock.now() + jiff::SignedDuration::try_from(TIMEOUT).unwrap();
    let delivery = Delivery {
        body: &body,
        owner,
        batch_size: 1,
        deadline,
        trace: None,
    };
    worker.handle(&delivery).await.result.unwrap();
}

fn connection(n: u32, now: Timestamp) -> Connection {
    Connection {
        id: ConnectionId::from(format!("connection-{n:07}")),
        connected_at: now,
        expires_at: Timestamp::MAX,
        user_id: None,
        org_id: None,
        topics: Vec::new(),
    }
}

fn settings() -> Settings {
    Settings {
        fanout: fanout::Settings {
            max_in_flight: 256,
            max_outstanding: 1_000,
            page_size: 1_500,
            retry: retry::Policy {
                max_failed: 8,
                max_throttled: 100,
                base: Duration::from_millis(100),
                cap: Duration::from_secs(5),
            },
            patience: Duration::from_secs(1),
            checkpoint_every: Duration::from_secs(1),
            handshake_grace: Duration::ZERO,
        },
        small_audience: 1_000,
        segments: 8,
        topic_shards: 4,
        deadline_margin: Duration::from_secs(5),
    }
}

/// A gateway that takes from 5 to 20 ms for a push and enforces the account's
/// token bucket.
#[derive(Clone)]
struct Gateway {
    state: Arc<Mutex<Bucket>>,
}

struct Bucket {
    quota: Quota,
    tokens: f64,
    filled_at: Instant,
    random: fastrand::Rng,
    accepted_at: Vec<Instant>,
    throttled: u32,
}

impl Gateway {
    fn new(quota: Quota) -> Self {
        let bucket = Bucket {
            quota,
            tokens: quota.burst.into(),
            filled_at: Instant::now(),
            random: fastrand::Rng::with_seed(1),
            accepted_at: Vec::new(),
            throttled: 0,
        };
        Self {
            state: Arc::new(Mutex::new(bucket)),
        }
    }

    fn report(&self, connections: u32, quota: Quota, percent: u32, started: Instant) {
        let mut state = self.state.lock().unwrap();
        state.accepted_at.sort_unstable();
        let reached = |percent: usize| {
            let nth = (state.accepted_at.len() * percent / 100).max(1);
            let at = state.accepted_at.get(nth - 1).copied().unwrap();
            at.duration_since(started).as_secs_f64()
        };
        let first = state.accepted_at.first().unwrap().duration_since(started);
        let floor = f64::from(connections - quota.burst) / f64::from(quota.rate);
        let throttled = f64::from(state.throttled) / f64::from(connections + state.throttled);
        println!(
            "| {connections} | {} | {} | {percent} % | {:.3} s | {:.2} s | {:.2} s | {:.2} s | {floor:.2} s | {:.3} | {:.2} % |",
            quota.rate,
            quota.burst,
            first.as_secs_f64(),
            reached(50),
            reached(99),
            reached(100),
            reached(100) / floor,
            throttled * 100.0,
        );
    }
}

impl Bucket {
    fn take(&mut self) -> bool {
        let now = Instant::now();
        let refill = now.duration_since(self.filled_at).as_secs_f64() * f64::from(self.quota.rate);
        self.tokens = (self.tokens + refill).min(self.quota.burst.into());
        self.filled_at = now;
        let is_granted = self.tokens >= 1.0;
        if is_granted {
            self.tokens -= 1.0;
        }
        is_granted
    }
}

impl Pusher for Gateway {
    async fn push(&self, _connection: &ConnectionId, _payload: &Bytes) -> PushOutcome {
        let (is_granted, latency) = {
            let mut state = self.state.lock().unwrap();
            (state.take(), state.random.u64(5..=20))
        };
        tokio::time::sleep(Duration::from_millis(latency)).await;
        let mut state = self.state.lock().unwrap();
        if is_granted {
            state.accepted_at.push(Instant::now());
            PushOutcome::Accepted
        } else {
            state.throttled += 1;
            PushOutcome::Throttled { retry_after: None }
        }
    }
}
