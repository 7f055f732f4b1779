//! The messages of one event, as they are collected.

use bytes::Bytes;
use serde::Serialize;
use tokio::time::Instant;

use super::{EventSourceMapping, Message};
use crate::MAX_REQUEST_BYTES;

/// An event under construction: `{"Records":[…]}`, bounded by the number of
/// records and by the size of a payload.
#[derive(Debug)]
pub(super) struct Batch {
    max_messages: usize,
    messages: Vec<Receipt>,
    event: Vec<u8>,
    /// When the first of its messages was received.
    received_at: Option<Instant>,
}

/// What is needed of a message once it is in the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) message_id: String,
    pub(super) receipt_handle: String,
}

/// A message and when it was received.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) message: Message,
    pub(super) at: Instant,
}

/// A batch that is to be processed.
#[derive(Debug)]
pub(super) struct Collected {
    pub(super) messages: Vec<Receipt>,
    pub(super) event: Bytes,
    pub(super) received_at: Instant,
}

/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event>
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    #[serde(flatten)]
    message: &'a Message,
    event_source: &'static str,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: &'a str,
    aws_region: &'a str,
}

const OPENING: &[u8] = br#"{"Records":["#;
const CLOSING: &[u8] = b"]}";

impl Batch {
    pub(super) fn new(max_messages: usize) -> Self {
        Self {
            max_messages,
            messages: Vec::new(),
            event: OPENING.to_vec(),
            received_at: None,
        }
    }

    /// How many more messages it may have.
    pub(super) fn room(&self) -> usize {
        self.max_messages.saturating_sub(self.messages.len())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Adds a message, or gives it back where the batch is full: a batch ends
    /// before the message that would make its event too large. A single message
    /// always fits; whether its event is too large is for the host to say.
    pub(super) fn push(
        &mut self,
        mapping: &EventSourceMapping,
        received: Received,
    ) -> Option<Received> {
        if self.room() == 0 {
            return Some(received);
        }
        let length_before = self.event.len();
        if !self.messages.is_empty() {
            self.event.push(b',');
        }
        let record = Record {
            message: &received.message,
            event_source: "aws:sqs",
            event_source_arn: &mapping.queue_arn,
            aws_region: mapping.region().unwrap_or_default(),
        };
        // Writing strings to memory does not fail.
        let is_written = serde_json::to_writer(&mut self.event, &record).is_ok();
        let is_too_large = self.event.len() + CLOSING.len() > MAX_REQUEST_BYTES;
        if !is_written || (is_too_large && !self.messages.is_empty()) {
            self.event.truncate(length_before);
            return Some(received);
        }
        self.received_at.get_or_insert(received.at);
        self.messages.push(Receipt {
            message_id: received.message.message_id,
            receipt_handle: received.message.receipt_handle,
        });
        None
    }

    /// Ends the collecting. `None`: there is nothing in it.
    pub(super) fn close(mut self) -> Option<Collected> {
        let received_at = self.received_at?;
        self.event.extend_from_slice(CLOSING);
        Some(Collected {
            messages: self.messages,
            event: self.event.into(),
            received_at,
        })
    }
}

impl Collected {
    pub(super) fn receipt_handles(&self) -> Vec<String> {
        let handles = self.messages.iter().map(|message| &message.receipt_handle);
        handles.cloned().collect()
    }
}
