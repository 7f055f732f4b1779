//! Publishing: from a request's body to a task on the queue.

mod cloud_event;
mod fields;
pub mod media_type;
mod notification;
mod order;

use std::time::Duration;

use futures::future::join;
use jiff::Timestamp;
use serde_json::Value;
use tokio::task::yield_now;
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
use crate::task::Task;
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

impl Accepted {
    fn now(notification: &Notification) -> Self {
        Self {
            id: notification.id,
            accepted_at: notification.time,
            is_enqueued_now: true,
        }
    }
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
    /// It could not be recorded under its key, and was not enqueued.
    #[error(transparent)]
    Record(#[from] StoreError),
    /// It has no key, and is enqueued, but could not be recorded.
    #[error("notification {id} is enqueued and was not recorded")]
    Unrecorded {
        /// The notification.
        id: NotificationId,
        /// Why it was not recorded.
        #[source]
        error: StoreError,
    },
    /// It could not be enqueued, as far as is known.
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
    /// Without a key both are done at once: subscribers wait for the queue alone,
    /// and the publisher for the slower of the two. A worker needs no record, and
    /// the publisher has no id to ask by before both are done.
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
        match key {
            None => self.send_without_key(notification).await,
            Some(key) => self.send_once(notification, key).await,
        }
    }

    async fn send_without_key(&self, notification: Notification) -> Result<Accepted, PublishError> {
        let accepted = Accepted::now(&notification);
        let recording = async {
            // The message is on its way before the record is made ready.
            yield_now().await;
            self.notifications.record(&notification).await
        };
        let trace = notification.trace;
        let enqueuing = self.enqueue(notification.clone(), trace);
        // Each to its end: what became of the other says what to answer.
        match join(enqueuing, recording).await {
            (Ok(()), Ok(())) => Ok(accepted),
            (Ok(()), Err(error)) => Err(PublishError::Unrecorded {
                id: accepted.id,
                error,
            }),
            (Err(error), recorded) => {
                if let Err(error) = recorded {
                    warn!(notification_id = %accepted.id, %error, "notification was not recorded");
                }
                Err(error.into())
            }
        }
    }

    async fn send_once(
        &self,
        notification: Notification,
        key: &IdempotencyKey,
    ) -> Result<Accepted, PublishError> {
        let trace = notification.trace;
        let recorded = self.notifications.record_once(&notification, key).await?;
        let (accepted, to_enqueue) = match recorded {
            Recorded::New => (Accepted::now(&notification), Some(notification)),
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
            self.enqueue(notification, trace).await?;
            self.note_enqueued(key).await;
        }
        Ok(accepted)
    }

    /// Sends the task that sees a notification through, under the trace of the
    /// request that enqueues it.
    async fn enqueue(
        &self,
        notification: Notification,
        trace: Option<TraceHeader>,
    ) -> Result<(), QueueError> {
        let task = Task::of(notification, trace);
        let lane = Lane::Notifications;
        self.queue.send(lane, &[task], Duration::ZERO).await
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
    async fn note_enqueued(&self, key: &IdempotencyKey) {
        if let Err(error) = self.notifications.note_enqueued(key).await {
            warn!(%error, "it was not noted that a notification was enqueued");
        }
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
