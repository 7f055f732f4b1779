//! What the service refuses.

use super::attributes::InvalidAttribute;
use crate::queue::{ChangeVisibilityError, InvalidReceiptHandle, OverLimit, SendError};

/// Why an operation on a queue failed.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// There is no queue of this name.
    #[error("queue {0:?} does not exist")]
    QueueDoesNotExist(String),
    /// There is a queue of this name, with other attributes.
    #[error("queue {0:?} exists already, with other attributes")]
    QueueNameExists(String),
    /// The name is not 1 to 80 letters, digits, hyphens and underscores.
    #[error("queue name {0:?} is invalid")]
    InvalidQueueName(String),
    /// An attribute is out of range.
    #[error(transparent)]
    InvalidAttribute(#[from] InvalidAttribute),
    /// The dead-letter queue does not exist, or is the queue itself.
    #[error("queue {0:?} cannot be the dead-letter queue")]
    NoDeadLetterQueue(String),
    /// The queue was purged in the last 60 seconds.
    #[error("queue {0:?} was purged in the last 60 seconds")]
    PurgeInProgress(String),
    /// The message was not sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// Too many messages are in flight.
    #[error(transparent)]
    OverLimit(#[from] OverLimit),
    /// The receipt handle is not one of this queue.
    #[error(transparent)]
    InvalidReceiptHandle(#[from] InvalidReceiptHandle),
    /// The visibility timeout was not changed.
    #[error(transparent)]
    ChangeVisibility(#[from] ChangeVisibilityError),
    /// The visibility timeout for a receive is longer than 12 hours.
    #[error("the visibility timeout is longer than 12 hours")]
    VisibilityTimeoutTooLong,
    /// A message move task was not started, listed or cancelled.
    #[error(transparent)]
    MoveTask(#[from] MoveTaskError),
}

/// Why an operation on message move tasks failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MoveTaskError {
    /// There is no queue with the ARN given as source.
    #[error("the source queue does not exist")]
    NoSource,
    /// There is no queue with the ARN given as destination.
    #[error("the destination queue does not exist")]
    NoDestination,
    /// No queue sends its dead letters to the source.
    #[error("the source queue is not a dead-letter queue")]
    NotADeadLetterQueue,
    /// A task of this source is still running.
    #[error("a message move task is already running for the source queue")]
    AlreadyRunning,
    /// The rate is not 1 to 500 messages a second.
    #[error("{0} messages a second, where 1 to 500 are allowed")]
    Rate(u32),
    /// There is no such task.
    #[error("the message move task does not exist")]
    NoTask,
    /// The task has ended.
    #[error("the message move task is not running")]
    NotRunning,
}
