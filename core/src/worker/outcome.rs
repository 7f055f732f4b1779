//! What became of a delivery.

use jiff::Timestamp;

use crate::fanout::Effort;
use crate::ledger::{Counts, LedgerError};
use crate::notification::NotificationId;
use crate::queue::QueueError;
use crate::store::StoreError;
use crate::task::{Part, TaskError};

/// What became of one delivery.
#[derive(Debug)]
pub struct Outcome {
    /// The task's notification; `None` if the message was no task.
    pub notification_id: Option<NotificationId>,
    /// What was done on the way, whether or not it ended well.
    pub account: Account,
    /// How the task ended. An error means that the message must not be deleted:
    /// the queue delivers it again, and after too many times moves it to its
    /// dead-letter queue.
    pub result: Result<Handled, WorkError>,
}

/// What a delivery came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// What its pushes took.
    pub effort: Effort,
    /// Who was settled, as far as it was written to the ledger. What went to
    /// the dead-letter queue has failed.
    pub settled: Counts,
    /// Who was read from the audience, and went back to a queue.
    pub pending: u64,
}

/// How a task ended for its worker. In each case the message may be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// Everybody in the part is settled.
    Done,
    /// The audience was cut into this many slices.
    Cut(u16),
    /// What is left was enqueued again.
    Continued,
    /// What is left went to the dead-letter queue.
    DeadLettered,
    /// Another delivery had finished the part before.
    AlreadyDone,
}

/// Why a message must be delivered again.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The message is not a task that this release understands.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// Another worker is at the part.
    #[error("part {part} is held by another worker until {until}")]
    Held {
        /// The part.
        part: Part,
        /// When the other's lease ends.
        until: Timestamp,
    },
    /// The gateway refuses this caller.
    #[error(
        "the gateway refuses pushes (403): check the management endpoint, its stage \
         and the execute-api:ManageConnections permission; no connection was deleted"
    )]
    Forbidden,
    /// The time was up before the run began: one like it would never end.
    #[error(
        "the invocation was out of time before its first push: its timeout must be \
         well above DEADLINE_MARGIN_MS"
    )]
    NoTime,
    /// The ledger could not be written, or the lease was lost.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is left could not be enqueued.
    #[error(transparent)]
    Queue(#[from] QueueError),
}
