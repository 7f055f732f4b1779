use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::*;
use crate::memory::{MemoryQueues, MemoryStore};
use crate::notification::Target;

/// A queue that can be out of order.
#[derive(Clone, Default)]
struct Queue {
    sent: MemoryQueues,
    is_broken: Arc<AtomicBool>,
}

impl TaskQueue for Queue {
    async fn send(&self, lane: Lane, tasks: &[Task], delay: Duration) -> Result<(), QueueError> {
        if self.is_broken.load(Ordering::Relaxed) {
            return Err(QueueError::NotConfigured(lane));
        }
        self.sent.send(lane, tasks, delay).await
    }
}

fn publisher() -> Publisher<MemoryStore, Queue> {
    let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
    Publisher {
        notifications: MemoryStore::new(clock, 4),
        queue: Queue::default(),
        clock,
        source: "/notifications".to_owned(),
        max_frame_bytes: 1_024,
    }
}

fn draft() -> Draft {
    Draft::new("sold", Target::Everyone, json!(1))
}

fn key(body: &str) -> IdempotencyKey {
    IdempotencyKey::new("caller", b"key", &[body.as_bytes()]).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_same_request_has_the_same_answer_and_is_enqueued_once() {
    let publisher = publisher();
    let first = publisher.publish(draft(), Some(&key("a"))).await.unwrap();
    tokio::time::advance(Duration::from_hours(23)).await;
    let again = publisher.publish(draft(), Some(&key("a"))).await.unwrap();
    assert!(first.is_enqueued_now);
    let before = Accepted {
        is_enqueued_now: false,
        ..first
    };
    assert_eq!(again, before);
    assert_eq!(publisher.queue.sent.take().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_is_free_again_after_a_day() {
    let publisher = publisher();
    let first = publisher.publish(draft(), Some(&key("a"))).await.unwrap();
    tokio::time::advance(Duration::from_hours(24)).await;
    let again = publisher.publish(draft(), Some(&key("b"))).await.unwrap();
    assert_ne!(again.id, first.id);
    assert_eq!(publisher.queue.sent.take().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn another_request_under_the_same_key_is_refused() {
    let publisher = publisher();
    publisher.publish(draft(), Some(&key("a"))).await.unwrap();
    let refused = publisher.publish(draft(), Some(&key("b"))).await;
    assert!(matches!(refused, Err(PublishError::KeyReused)));
    assert_eq!(publisher.queue.sent.take().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_died_before_it_was_enqueued_is_enqueued_by_the_next_request() {
    let publisher = publisher();
    publisher.queue.is_broken.store(true, Ordering::Relaxed);
    let died = publisher.publish(draft(), Some(&key("a"))).await;
    assert!(matches!(died, Err(PublishError::Enqueue(_))));

    publisher.queue.is_broken.store(false, Ordering::Relaxed);
    let mut notification = publisher.accept(draft()).unwrap();
    let trace = "Root=1-5759e988-bd862e3fe1be46a994272793".parse().ok();
    notification.trace = trace;
    let answer = publisher.send(notification, Some(&key("a"))).await.unwrap();
    assert!(answer.is_enqueued_now);
    let sent = publisher.queue.sent.take();
    let [(Lane::Notifications, _, task)] = sent.as_slice() else {
        panic!("{sent:?}");
    };
    assert_eq!(task.notification_id, answer.id);
    assert!(task.frame.contains(&answer.id.to_string()));
    assert_eq!(task.trace, trace, "of the request that enqueued it");
}

#[tokio::test(start_paused = true)]
async fn without_a_key_every_request_is_another_notification() {
    let publisher = publisher();
    let first = publisher.publish(draft(), None).await.unwrap();
    let second = publisher.publish(draft(), None).await.unwrap();
    assert_ne!(first.id, second.id);
}

#[tokio::test(start_paused = true)]
async fn a_claim_holds_for_one_request() {
    let publisher = publisher();
    publisher.claim(&key("a")).await.unwrap();
    publisher.claim(&key("a")).await.unwrap();
    let other = publisher.claim(&key("b")).await;
    assert!(matches!(other, Err(PublishError::KeyReused)));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_is_not_recorded() {
    let publisher = publisher();
    let mut large = draft();
    large.data = Some(json!("x".repeat(1_024)));
    let refused = publisher.publish(large, Some(&key("a"))).await;
    assert!(matches!(refused, Err(PublishError::TooLarge { .. })));
    // The key is still free.
    publisher.publish(draft(), Some(&key("b"))).await.unwrap();
}
