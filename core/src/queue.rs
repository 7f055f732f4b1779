//! The queues that tasks travel on, as a port.

use std::time::Duration;

use crate::task::{Task, TaskError};

/// Where a task is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// New notifications, finished at once where the audience is small.
    Notifications,
    /// Slices of large audiences.
    Slices,
    /// Tasks that used up their attempts, waiting for somebody to redrive them.
    DeadLetters,
}

/// Why a task could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The task could not be written down.
    #[error("cannot encode fan-out task")]
    Encode(#[from] TaskError),
    /// The queue did not take the message.
    #[error("cannot send {count} of {total} tasks to the {lane:?} queue: {detail}")]
    Send {
        /// The lane that refused.
        lane: Lane,
        /// How many were refused.
        count: usize,
        /// How many were to be sent.
        total: usize,
        /// What the service said.
        detail: String,
    },
    /// The function was not told this lane's queue.
    #[error("no queue is configured for the {0:?} lane")]
    NotConfigured(Lane),
}

/// Sends tasks to a queue, durably before it returns.
pub trait TaskQueue {
    /// Sends `tasks` to `lane`; they become visible after `delay` (whole
    /// seconds, at most 15 minutes on SQS).
    ///
    /// # Errors
    /// An error may leave some of the tasks sent; sending them again is
    /// harmless, because a task's part of the ledger makes it idempotent.
    fn send(
        &self,
        lane: Lane,
        tasks: &[Task],
        delay: Duration,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;
}
