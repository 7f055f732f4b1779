//! The local queues as the source of a mapping.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fanout_local_sqs::Sqs;
use fanout_local_sqs::message::{Attribute, AttributeValue};
use fanout_local_sqs::queue::ReceivedMessage;
use fanout_local_sqs::service::{Error, ReceiveOptions};

use super::{Message, MessageAttribute, MessageSource};

/// A queue of the local SQS, by its name.
#[derive(Clone, Debug)]
pub struct SqsQueue {
    sqs: Sqs,
    name: String,
}

impl SqsQueue {
    /// Names a queue, which should exist by the time a mapping polls it.
    #[must_use]
    pub fn new(sqs: Sqs, name: impl Into<String>) -> Self {
        Self {
            sqs,
            name: name.into(),
        }
    }

    /// Does something to each message, whatever becomes of the others; the
    /// first error is the one that is reported.
    fn for_each(
        &self,
        receipt_handles: &[String],
        act: impl Fn(&Sqs, &str, &str) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let done = receipt_handles
            .iter()
            .map(|handle| act(&self.sqs, &self.name, handle));
        done.fold(Ok(()), Result::and)
    }
}

impl MessageSource for SqsQueue {
    type Error = Error;

    async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Message>, Error> {
        let options = ReceiveOptions {
            max_messages: max,
            wait,
            visibility_timeout: None,
        };
        let received = self.sqs.receive(&self.name, options).await?;
        Ok(received.into_iter().map(Message::from).collect())
    }

    async fn delete(&self, receipt_handles: Vec<String>) -> Result<(), Error> {
        self.for_each(&receipt_handles, |sqs, name, handle| {
            sqs.delete(name, handle.parse()?)
        })
    }

    async fn give_back(&self, receipt_handles: Vec<String>) -> Result<(), Error> {
        self.for_each(&receipt_handles, |sqs, name, handle| {
            sqs.change_visibility(name, handle.parse()?, Duration::ZERO)
        })
    }

    /// Zero where the queue does not exist (any more).
    fn visibility_timeout(&self) -> Duration {
        let queue = self.sqs.describe(&self.name);
        queue.map_or(Duration::ZERO, |queue| queue.attributes.visibility_timeout)
    }
}

impl From<ReceivedMessage> for Message {
    fn from(received: ReceivedMessage) -> Self {
        let milliseconds = |time: Duration| time.as_millis().to_string();
        let message = &received.message;
        let attributes = [
            (
                "ApproximateReceiveCount",
                Some(received.receive_count.to_string()),
            ),
            ("SentTimestamp", Some(milliseconds(received.sent_at))),
            (
                "ApproximateFirstReceiveTimestamp",
                Some(milliseconds(received.first_received_at)),
            ),
            ("SenderId", message.sender_id.clone()),
            ("AWSTraceHeader", message.trace_header.clone()),
            ("MessageGroupId", message.group_id.clone()),
            (
                "DeadLetterQueueSourceArn",
                received.dead_letter_source.as_deref().map(str::to_owned),
            ),
        ];
        let present = attributes.into_iter();
        let present = present.filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let sent = message.attributes().iter();
        let sent = sent.map(|(name, attribute)| (name.clone(), attribute.into()));
        Self {
            message_id: received.id.to_string(),
            receipt_handle: received.receipt_handle.to_string(),
            body: message.body().to_owned(),
            attributes: present.collect(),
            message_attributes: sent.collect::<BTreeMap<_, _>>(),
            md5_of_body: message.body_md5().to_string(),
        }
    }
}

impl From<&Attribute> for MessageAttribute {
    fn from(attribute: &Attribute) -> Self {
        let (string_value, binary_value) = match &attribute.value {
            AttributeValue::Text(text) => (Some(text.clone()), None),
            AttributeValue::Binary(bytes) => (None, Some(STANDARD.encode(bytes))),
        };
        Self {
            string_value,
            binary_value,
            data_type: attribute.data_type.clone(),
            ..Self::default()
        }
    }
}
