//! SQS as the [`TaskQueue`].

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::{
    MessageSystemAttributeNameForSends, MessageSystemAttributeValue, SendMessageBatchRequestEntry,
};
use aws_smithy_types::error::display::DisplayErrorContext;

use crate::queue::{Lane, QueueError, TaskQueue};
use crate::task::{Task, TaskError};
use crate::trace::TraceHeader;

/// The most messages in one batch
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>).
const MAX_BATCH: usize = 10;
/// The most bytes in one message, and in one batch: 1 MiB.
const MAX_BATCH_BYTES: usize = 1024 * 1024;
/// The longest delay of a message.
const MAX_DELAY: Duration = Duration::from_mins(15);
/// How often entries that a batch reports as failed are sent again.
const MAX_ATTEMPTS: usize = 3;

/// The queues of the lanes.
#[derive(Clone, Debug)]
pub struct Queues {
    client: Client,
    urls: BTreeMap<Lane, String>,
}

impl Queues {
    /// Makes a sender to the queues at `urls`.
    #[must_use]
    pub fn new(config: &SdkConfig, urls: BTreeMap<Lane, String>) -> Self {
        Self {
            client: Client::new(config),
            urls,
        }
    }

    /// Sends the messages as one batch and returns those that were refused.
    async fn send_batch(
        &self,
        url: &str,
        messages: Vec<Message>,
        delay_seconds: i32,
    ) -> Result<Vec<Message>, String> {
        let mut request = self.client.send_message_batch().queue_url(url);
        for (n, message) in messages.iter().enumerate() {
            let entry = message.entry(n, delay_seconds);
            request = request.entries(entry.map_err(|error| error.to_string())?);
        }
        let sent = request.send().await;
        let sent = sent.map_err(|error| DisplayErrorContext(error).to_string())?;
        let mut messages: Vec<Option<Message>> = messages.into_iter().map(Some).collect();
        let refused = sent.failed().iter().filter_map(|failed| {
            let n: usize = failed.id().parse().ok()?;
            messages.get_mut(n)?.take()
        });
        Ok(refused.collect())
    }
}

impl TaskQueue for Queues {
    async fn send(&self, lane: Lane, tasks: &[Task], delay: Duration) -> Result<(), QueueError> {
        let url = self.urls.get(&lane);
        let url = url.ok_or(QueueError::NotConfigured(lane))?;
        let delay_seconds = delay_in_seconds(delay);
        let messages = tasks.iter().map(Message::of);
        let messages = messages.collect::<Result<Vec<_>, _>>()?;
        let error = |count, detail| QueueError::Send {
            lane,
            count,
            total: tasks.len(),
            detail,
        };
        for mut batch in batches(messages) {
            for attempt in 1.. {
                let count = batch.len();
                batch = self
                    .send_batch(url, batch, delay_seconds)
                    .await
                    .map_err(|detail| error(count, detail))?;
                if batch.is_empty() {
                    break;
                }
                if attempt == MAX_ATTEMPTS {
                    let detail = "refused by the queue".to_owned();
                    return Err(error(batch.len(), detail));
                }
            }
        }
        Ok(())
    }
}

/// A task as it is sent.
#[derive(Clone, Debug)]
struct Message {
    body: String,
    trace: Option<TraceHeader>,
}

impl Message {
    fn of(task: &Task) -> Result<Self, TaskError> {
        Ok(Self {
            body: task.encode()?,
            trace: task.trace,
        })
    }

    /// Writes the `n`th entry of a batch. The trace stands in the attribute in
    /// which X-Ray looks for it, one for each message, and counts towards no
    /// size; it goes before the header that the SDK adds to the whole request
    /// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-services-sqs.html>).
    fn entry(
        &self,
        n: usize,
        delay_seconds: i32,
    ) -> Result<SendMessageBatchRequestEntry, BuildError> {
        let trace = self.trace.map(|trace| {
            MessageSystemAttributeValue::builder()
                .data_type("String")
                .string_value(trace.to_string())
                .build()
        });
        let mut entry = SendMessageBatchRequestEntry::builder()
            .id(n.to_string())
            .message_body(&self.body)
            .delay_seconds(delay_seconds);
        if let Some(trace) = trace {
            let name = MessageSystemAttributeNameForSends::AwsTraceHeader;
            entry = entry.message_system_attributes(name, trace?);
        }
        entry.build()
    }
}

/// SQS delays by whole seconds: rounded up, so that nothing is due too early.
fn delay_in_seconds(delay: Duration) -> i32 {
    let seconds = delay.min(MAX_DELAY).as_millis().div_ceil(1_000);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// Cuts messages into batches that SQS takes.
fn batches(messages: Vec<Message>) -> Vec<Vec<Message>> {
    let mut batches: Vec<Vec<Message>> = Vec::new();
    let mut room = 0;
    for message in messages {
        let bytes = message.body.len();
        match batches.last_mut() {
            Some(batch) if batch.len() < MAX_BATCH && bytes <= room => {
                room -= bytes;
                batch.push(message);
            }
            _ => {
                room = MAX_BATCH_BYTES.saturating_sub(bytes);
                batches.push(vec![message]);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_to_their_limits() {
        let message = |body| Message { body, trace: None };
        let sizes = |bodies: Vec<String>| -> Vec<usize> {
            let messages = bodies.into_iter().map(message).collect();
            batches(messages).iter().map(Vec::len).collect()
        };
        assert_eq!(sizes(vec!["a".to_owned(); 25]), [10, 10, 5]);
        let large = "a".repeat(MAX_BATCH_BYTES / 4);
        assert_eq!(sizes(vec![large; 9]), [4, 4, 1]);
        assert_eq!(sizes(vec!["a".repeat(MAX_BATCH_BYTES); 2]), [1, 1]);
        assert_eq!(sizes(Vec::new()), [0; 0]);
    }

    #[test]
    fn a_message_travels_with_its_trace_beside_it() {
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
        let with = |trace| Message {
            body: "{}".to_owned(),
            trace,
        };
        let entry = with(header.parse().ok()).entry(0, 0).unwrap();
        let attributes = entry.message_system_attributes().unwrap();
        let trace = &attributes[&MessageSystemAttributeNameForSends::AwsTraceHeader];
        assert_eq!(
            (trace.data_type(), trace.string_value()),
            ("String", Some(header))
        );
        let entry = with(None).entry(0, 0).unwrap();
        assert_eq!(entry.message_system_attributes(), None);
    }

    #[test]
    fn delays_are_whole_seconds_up_to_the_limit() {
        assert_eq!(delay_in_seconds(Duration::ZERO), 0);
        assert_eq!(delay_in_seconds(Duration::from_millis(1)), 1);
        assert_eq!(delay_in_seconds(Duration::from_secs(2)), 2);
        assert_eq!(delay_in_seconds(Duration::from_hours(1)), 900);
    }
}
