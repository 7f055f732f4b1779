//! Publishing: from a request's body to a task on the queue.

mod fields;
mod notification;
mod order;

use std::time::Duration;

use serde_json::Value;

pub use self::notification::parse as parse_notification;
pub use self::order::parse as parse_order;
use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::notification::{Draft, Notification};
use crate::problem::Problem;
use crate::queue::{Lane, QueueError, TaskQueue};
use crate::store::StoreError;
use crate::task::{Part, Task, Work};

/// The largest frame that API Gateway pushes in one message, in bytes
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>).
pub const LARGEST_MESSAGE: usize = 128 * 1024;

/// Accepts notifications.
#[derive(Clone, Debug)]
pub struct Publisher<L, Q> {
    /// Where notifications are recorded.
    pub ledger: L,
    /// Where their tasks are sent.
    pub queue: Q,
    /// Tells when a notification was accepted.
    pub clock: Clock,
    /// The `CloudEvents` source of all notifications, a URI reference.
    pub source: String,
    /// The largest frame that is accepted, in bytes.
    pub max_frame_bytes: usize,
}

/// Why a notification was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Its frame would be larger than what is pushed.
    #[error("frame of {bytes} bytes, at most {limit} are pushed")]
    TooLarge {
        /// The frame's size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// It could not be recorded, and was not enqueued.
    #[error(transparent)]
    Record(#[from] StoreError),
    /// It was recorded, but could not be enqueued.
    #[error(transparent)]
    Enqueue(#[from] QueueError),
}

impl<L: Ledger, Q: TaskQueue> Publisher<L, Q> {
    /// Records a notification and enqueues its task, both durably before it
    /// returns.
    pub async fn publish(&self, draft: Draft) -> Result<Notification, PublishError> {
        let notification = Notification::accept(draft, &self.source, self.clock.now());
        let (bytes, limit) = (notification.frame.len(), self.max_frame_bytes);
        if bytes > limit {
            return Err(PublishError::TooLarge { bytes, limit });
        }
        self.ledger.record(&notification).await?;
        let task = Task {
            notification_id: notification.id,
            part: Part::root(),
            work: Work::Audience(notification.target.clone()),
            frame: notification.frame.clone(),
            topic: notification.target.topic().cloned(),
            expires_at: notification.expires_at,
        };
        self.queue
            .send(Lane::Notifications, &[task], Duration::ZERO)
            .await?;
        Ok(notification)
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
