//! Answers that have to come before API Gateway gives up.

use std::future::pending;

use fanout_core::queue::QueueError;
use fanout_core::task::Task;

use super::*;

/// A queue that takes its time.
#[derive(Clone, Default)]
struct Slow {
    sent: MemoryQueues,
    takes: Duration,
}

impl TaskQueue for Slow {
    async fn send(&self, lane: Lane, tasks: &[Task], delay: Duration) -> Result<(), QueueError> {
        tokio::time::sleep(self.takes).await;
        self.sent.send(lane, tasks, delay).await
    }
}

/// A gateway that never answers.
struct Silent;

impl Sockets for Silent {
    async fn inspect(&self, _: &ConnectionId) -> Result<Option<Socket>, StoreError> {
        pending().await
    }

    async fn close(&self, _: &ConnectionId) -> Result<bool, StoreError> {
        pending().await
    }
}

fn publish(takes: Duration) -> Publish<MemoryStore, Slow, Silent> {
    let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
    let store = MemoryStore::new(clock, 4);
    let sent = MemoryQueues::default();
    Publish {
        store: store.clone(),
        publisher: Publisher {
            notifications: store,
            queue: Slow { sent, takes },
            clock,
            source: "/notifications".to_owned(),
            max_frame_bytes: 2_048,
        },
        sockets: Silent,
        callers: Callers::Anyone,
        origins: None,
        metrics: Metrics::new(None, clock),
    }
}

/// Publishes a batch; returns the statuses of its results, the details of those
/// that failed, and after how long the answer came.
async fn batch(
    publish: &Publish<MemoryStore, Slow, Silent>,
    count: usize,
) -> (Vec<u64>, BTreeSet<String>, Duration) {
    let all = vec![NOTIFICATION; count].join(",");
    let body = format!(r#"{{"notifications":[{all}]}}"#);
    let headers = json!({"content-type": "application/json"});
    let request = request_of("POST", "/notifications:batch", &headers, &body);
    let started = Instant::now();
    let response = publish.handle(&request, None).await;
    assert_eq!(response.status_code, 207);
    let body = body_of(&response);
    let results = body["results"].as_array().unwrap();
    let statuses = results
        .iter()
        .map(|result| result["status"].as_u64().unwrap());
    let details = results
        .iter()
        .filter_map(|result| result["detail"].as_str());
    (
        statuses.collect(),
        details.map(ToOwned::to_owned).collect(),
        started.elapsed(),
    )
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_unavailable() {
    let publish = publish(Duration::ZERO);
    for method in ["GET", "DELETE"] {
        let started = Instant::now();
        let request = request_of(method, "/connections/TXzPWdnOjoECGjA%3D", &json!({}), "");
        let response = publish.handle(&request, None).await;
        let problem = body_of(&response);
        assert_eq!(
            (response.status_code, &problem["code"]),
            (503, &json!("unavailable"))
        );
        assert_eq!(started.elapsed(), ANSWER_WITHIN);
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_slow_batch_it_is_told_what_was_not_begun() {
    let publish = publish(Duration::from_secs(5));
    let (statuses, details, elapsed) = batch(&publish, 60).await;
    // 16 are begun at once: at 0, 5 and 10 seconds.
    let begun = 3 * PUBLISHED_AT_ONCE;
    assert!(statuses[..begun].iter().all(|status| *status == 202));
    assert!(statuses[begun..].iter().all(|status| *status == 503));
    assert_eq!(details, BTreeSet::from([NOT_BEGUN.to_owned()]));
    assert_eq!(publish.publisher.queue.sent.take().len(), begun);
    assert_eq!(elapsed, Duration::from_secs(15));
}

#[tokio::test(start_paused = true)]
async fn of_a_batch_that_does_not_end_it_is_told_what_was_given_up() {
    let publish = publish(Duration::from_mins(1));
    let (statuses, details, elapsed) = batch(&publish, 100).await;
    assert_eq!(statuses, [503; 100]);
    let expected = [NOT_BEGUN, GIVEN_UP].map(ToOwned::to_owned);
    assert_eq!(details, BTreeSet::from(expected));
    assert_eq!(elapsed, END_ITEMS_WITHIN);
}
