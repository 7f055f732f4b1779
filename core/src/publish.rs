//! Publishing: from a request's body to a task on the queue.

mod cloud_event;
mod fields;
pub mod media_type;
mod notification;
mod order;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tracing::warn;

pub use self::cloud_event::{parse_binary as parse_binary_event, parse_structured as parse_event};
pub use self::notification::{MAX_BATCH, parse as parse_notification, parse_batch};
pub use self::order::parse as parse_order;
use crate::clock::Clock;
use crate::idempotency::IdempotencyKey;
use crate::notification::{Draft, Notification, NotificationId};
use crate::notifications::{Notifications, Recorded};
use crate::problem::Problem;
use crate::queue::{Lane, QueueError, TaskQueue};
use crate::store::StoreError;
use crate::task::{Part, Task, Work};
use crate::trace::TraceHeader;

/// The largest frame that API Gateway pushes in one message, in bytes
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>).
pub const LARGEST_MESSAGE: usize = 128 * 1024;

/// Accepts notifications.
#[derive(Clone, Debug)]
pub struct Publisher<N, Q> {
    /// Where notifications are recorded.
    pub notifications: N,
    /// Where their tasks are sent.
    pub queue: Q,
    /// Tells when a notification was accepted.
    pub clock: Clock,
    /// The `CloudEvents` source of all notifications, a URI reference.
    pub source: String,
    /// The largest frame that is accepted, in bytes.
    pub max_frame_bytes: usize,
}

/// A notification that was accepted, now or by the same request before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its id.
    pub id: NotificationId,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Whether this request enqueued it, and not one before.
    pub is_enqueued_now: bool,
}

/// A notification's frame would be larger than what is pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("frame of {bytes} bytes, at most {limit} are pushed")]
pub struct TooLarge {
    /// The frame's size.
    pub bytes: usize,
    /// The limit.
    pub limit: usize,
}

/// Why a notification was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Its frame would be larger than what is pushed.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// Its idempotency key was used before, for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// It could not be recorded, and was not enqueued.
    #[error(transparent)]
    Record(#[from] StoreError),
    /// It was recorded, but could not be enqueued.
    #[error(transparent)]
    Enqueue(#[from] QueueError),
}

impl<N: Notifications, Q: TaskQueue> Publisher<N, Q> {
    /// Publishes a draft: accepts it, and sends what was accepted.
    pub async fn publish(
        &self,
        draft: Draft,
        key: Option<&IdempotencyKey>,
    ) -> Result<Accepted, PublishError> {
        self.send(self.accept(draft)?, key).await
    }

    /// Gives a draft its id, its time and its frame, and does nothing else yet.
    ///
    /// # Errors
    /// The frame is too large.
    pub fn accept(&self, draft: Draft) -> Result<Notification, TooLarge> {
        let notification = Notification::accept(draft, &self.source, self.clock.now());
        let (bytes, limit) = (notification.frame.len(), self.max_frame_bytes);
        if bytes > limit {
            return Err(TooLarge { bytes, limit });
        }
        Ok(notification)
    }

    /// Records what was accepted and enqueues its task, both durably before it
    /// returns.
    ///
    /// With a key, a request that is made again has the answer that it had
    /// before, and nothing is pushed twice: what died between the two steps is
    /// enqueued now, and what may have been enqueued before is settled once,
    /// because its part of the ledger is.
    pub async fn send(
        &self,
        notification: Notification,
        key: Option<&IdempotencyKey>,
    ) -> Result<Accepted, PublishError> {
        let trace = notification.trace;
        let (accepted, to_enqueue) = match self.notifications.record(&notification, key).await? {
            Recorded::New => {
                let (id, accepted_at) = (notification.id, notification.time);
                let accepted = Accepted {
                    id,
                    accepted_at,
                    is_enqueued_now: true,
                };
                (accepted, Some(notification))
            }
            Recorded::Again {
                id,
                accepted_at,
                not_enqueued,
            } => (
                Accepted {
                    id,
                    accepted_at,
                    is_enqueued_now: not_enqueued.is_some(),
                },
                not_enqueued.map(|earlier| *earlier),
            ),
            Recorded::OtherRequest => return Err(PublishError::KeyReused),
        };
        if let Some(notification) = to_enqueue {
            let task = task_of(notification, trace);
            self.queue
                .send(Lane::Notifications, &[task], Duration::ZERO)
                .await?;
            self.note_enqueued(key).await;
        }
        Ok(accepted)
    }

    /// Claims a key for a request for several notifications, each of which is
    /// then published under an item of the key.
    pub async fn claim(&self, key: &IdempotencyKey) -> Result<(), PublishError> {
        if self.notifications.claim(key, self.clock.now()).await? {
            Ok(())
        } else {
            Err(PublishError::KeyReused)
        }
    }

    /// Notes that nothing is left to do under a key. That it was not noted
    /// costs a later request a task that finds its work done.
    async fn note_enqueued(&self, key: Option<&IdempotencyKey>) {
        let Some(key) = key else { return };
        if let Err(error) = self.notifications.note_enqueued(key).await {
            warn!(%error, "it was not noted that a notification was enqueued");
        }
    }
}

/// Writes the task that sees a notification through, under the trace of the
/// request that enqueues it.
fn task_of(notification: Notification, trace: Option<TraceHeader>) -> Task {
    Task {
        notification_id: notification.id,
        part: Part::root(),
        topic: notification.target.topic().cloned(),
        work: Work::Audience(notification.target),
        frame: notification.frame,
        expires_at: notification.expires_at,
        trace,
    }
}

/// Reads a body as JSON.
fn parse_json(body: &[u8]) -> Result<Value, Problem> {
    if body.is_empty() {
        let detail = "the body is empty; expected a JSON object".to_owned();
        return Err(Problem::not_json(detail));
    }
    serde_json::from_slice(body).map_err(|error| Problem::not_json(error.to_string()))
}

#[cfg(test)]
mod tests;
