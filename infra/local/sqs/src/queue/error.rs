//! What a queue refuses.

use std::time::Duration;

use super::InvalidReceiptHandle;

/// Why a message was not sent.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum SendError {
    /// The message is larger than the queue allows.
    #[error("the message has {bytes} bytes, where at most {limit} are allowed")]
    TooLong {
        /// The size of the message.
        bytes: usize,
        /// The queue's limit.
        limit: usize,
    },
    /// The delay is longer than [`MAX_DELAY`](super::MAX_DELAY).
    #[error("the delay of {0:?} is longer than 15 minutes")]
    DelayTooLong(Duration),
}

/// Nothing was received since [`MAX_IN_FLIGHT`](super::MAX_IN_FLIGHT) messages are in flight.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[error("too many messages are in flight")]
pub struct OverLimit;

/// Why a visibility timeout was not changed.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum ChangeVisibilityError {
    /// The handle is not one of this queue.
    #[error(transparent)]
    InvalidHandle(#[from] InvalidReceiptHandle),
    /// The message is gone, or was received again under another handle.
    #[error("the message does not exist or is not available for a change of visibility")]
    NotAvailable,
    /// The message is in the queue, but not in flight.
    #[error("the message is not in flight")]
    NotInFlight,
    /// The message would stay hidden for longer than
    /// [`MAX_VISIBILITY_TIMEOUT`](super::MAX_VISIBILITY_TIMEOUT) since it was received.
    #[error("the total visibility timeout is beyond 12 hours")]
    BeyondLimit,
}
