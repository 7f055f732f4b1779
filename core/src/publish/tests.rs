use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::*;
use crate::ledger::Standing;
use crate::memory::{MemoryQueues, MemoryStore};
use crate::notification::Target;

/// A queue that can be out of order.
#[derive(Clone, Default)]
struct Queue {
    sent: MemoryQueues,
    is_broken: Arc<AtomicBool>,
    takes: Duration,
}

impl TaskQueue for Queue {
    async fn send(&self, lane: Lane, tasks: &[Task], delay: Duration) -> Result<(), QueueError> {
        tokio::time::sleep(self.takes).await;
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

/// A store that records nothing, and takes its time to say so.
struct Full {
    takes: Duration,
}

impl Full {
    fn refused<T>() -> Result<T, StoreError> {
        Err(StoreError {
            operation: "write",
            detail: "full".to_owned(),
        })
    }
}

impl Notifications for Full {
    async fn record(&self, _: &Notification) -> Result<(), StoreError> {
        tokio::time::sleep(self.takes).await;
        Self::refused()
    }

    async fn record_once(
        &self,
        _: &Notification,
        _: &IdempotencyKey,
    ) -> Result<Recorded, StoreError> {
        Self::refused()
    }

    async fn claim(&self, _: &IdempotencyKey, _: Timestamp) -> Result<bool, StoreError> {
        Self::refused()
    }

    async fn note_enqueued(&self, _: &IdempotencyKey) -> Result<(), StoreError> {
        Self::refused()
    }

    async fn cancel(&self, _: NotificationId, _: Timestamp) -> Result<(), StoreError> {
        Self::refused()
    }

    async fn standing(&self, _: NotificationId) -> Result<Option<Standing>, StoreError> {
        Self::refused()
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
async fn without_a_key_it_is_accepted_when_it_is_recorded_and_enqueued() {
    let publisher = publisher();
    let accepted = publisher.publish(draft(), None).await.unwrap();
    assert!(accepted.is_enqueued_now);
    let recorded = publisher.notifications.standing(accepted.id).await.unwrap();
    assert_eq!(recorded.map(|standing| standing.id), Some(accepted.id));
    assert_eq!(publisher.queue.sent.take().len(), 1);

    publisher.queue.is_broken.store(true, Ordering::Relaxed);
    let lost = publisher.accept(draft()).unwrap();
    let id = lost.id;
    let refused = publisher.send(lost, None).await;
    assert!(matches!(refused, Err(PublishError::Enqueue(_))));
    let recorded = publisher.notifications.standing(id).await.unwrap();
    assert!(recorded.is_some(), "whoever looks finds that nobody began");
}

#[tokio::test(start_paused = true)]
async fn only_with_a_key_does_the_queue_wait_for_the_record() {
    let Publisher {
        clock,
        source,
        max_frame_bytes,
        ..
    } = publisher();
    let publisher = Publisher {
        notifications: Full {
            takes: Duration::from_secs(3),
        },
        queue: Queue {
            takes: Duration::from_secs(5),
            ..Queue::default()
        },
        clock,
        source,
        max_frame_bytes,
    };
    let refused = publisher.publish(draft(), Some(&key("a"))).await;
    assert!(matches!(refused, Err(PublishError::Record(_))));
    assert_eq!(publisher.queue.sent.take().len(), 0);

    let began_at = tokio::time::Instant::now();
    let refused = publisher.publish(draft(), None).await;
    assert_eq!(began_at.elapsed(), Duration::from_secs(5), "both at once");
    let Err(PublishError::Unrecorded { id, .. }) = refused else {
        panic!("{refused:?}");
    };
    let sent = publisher.queue.sent.take();
    let sent: Vec<_> = sent
        .iter()
        .map(|(_, _, task)| task.notification_id)
        .collect();
    assert_eq!(sent, [id]);
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
