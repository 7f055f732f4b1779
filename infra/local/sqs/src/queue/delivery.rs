//! What a queue hands out.

use std::sync::Arc;
use std::time::Duration;

use super::{MessageId, ReceiptHandle};
use crate::message::Message;

/// One delivery of a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReceivedMessage {
    /// The message's id, the same at every delivery.
    pub id: MessageId,
    /// The handle of this delivery.
    pub receipt_handle: ReceiptHandle,
    /// Body and attributes, as they were sent.
    pub message: Arc<Message>,
    /// How often the message has been received, this time included, also from
    /// the queues that it was in before (`ApproximateReceiveCount`).
    pub receive_count: u32,
    /// When it was sent (`SentTimestamp`).
    pub sent_at: Duration,
    /// When it was first received (`ApproximateFirstReceiveTimestamp`).
    pub first_received_at: Duration,
    /// The ARN of the queue in which it died (`DeadLetterQueueSourceArn`).
    pub dead_letter_source: Option<Arc<str>>,
}

/// What a receive yields.
#[derive(Debug, Default)]
pub struct Received {
    /// The deliveries.
    pub messages: Vec<ReceivedMessage>,
    /// Messages that would have been received too often. They have left the
    /// queue: the caller moves them to the dead-letter queue.
    pub dead: Vec<MovedMessage>,
}

/// A message that has left one queue and is to enter another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MovedMessage {
    /// The message's id, which it keeps.
    pub id: MessageId,
    /// Body and attributes.
    pub message: Arc<Message>,
    /// How often it has been received so far.
    pub receive_count: u32,
    /// When it was sent; its retention goes on counting from there.
    pub sent_at: Duration,
    /// When it was first received, if it was.
    pub first_received_at: Option<Duration>,
    /// The ARN of the queue in which it died, to be set by the caller.
    pub dead_letter_source: Option<Arc<str>>,
}

/// How many messages a queue holds. Every message is counted exactly once.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Waiting to be received (`ApproximateNumberOfMessages`).
    pub visible: usize,
    /// Received, neither deleted nor visible again
    /// (`ApproximateNumberOfMessagesNotVisible`).
    pub in_flight: usize,
    /// Sent, but not to be received yet (`ApproximateNumberOfMessagesDelayed`).
    pub delayed: usize,
}
