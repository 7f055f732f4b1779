//! SQS as the [`TaskQueue`].

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use aws_smithy_types::error::display::DisplayErrorContext;

use crate::queue::{Lane, QueueError, TaskQueue};
use crate::task::Task;

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

    /// Sends the bodies as one batch and returns those that were refused.
    async fn send_batch(
        &self,
        url: &str,
        bodies: Vec<String>,
        delay_seconds: i32,
    ) -> Result<Vec<String>, String> {
        let mut request = self.client.send_message_batch().queue_url(url);
        for (n, body) in bodies.iter().enumerate() {
            let entry = SendMessageBatchRequestEntry::builder()
                .id(n.to_string())
                .message_body(body)
                .delay_seconds(delay_seconds)
                .build();
            request = request.entries(entry.map_err(|error| error.to_string())?);
        }
        let sent = request.send().await;
        let sent = sent.map_err(|error| DisplayErrorContext(error).to_string())?;
        let mut bodies: Vec<Option<String>> = bodies.into_iter().map(Some).collect();
        let refused = sent.failed().iter().filter_map(|failed| {
            let n: usize = failed.id().parse().ok()?;
            bodies.get_mut(n)?.take()
        });
        Ok(refused.collect())
    }
}

impl TaskQueue for Queues {
    async fn send(&self, lane: Lane, tasks: &[Task], delay: Duration) -> Result<(), QueueError> {
        let url = self.urls.get(&lane);
        let url = url.ok_or(QueueError::NotConfigured(lane))?;
        let delay_seconds = delay_in_seconds(delay);
        let bodies = tasks.iter().map(Task::encode);
        let bodies = bodies.collect::<Result<Vec<_>, _>>()?;
        let error = |count, detail| QueueError::Send {
            lane,
            count,
            total: tasks.len(),
            detail,
        };
        for mut batch in batches(bodies) {
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

/// SQS delays by whole seconds: rounded up, so that nothing is due too early.
fn delay_in_seconds(delay: Duration) -> i32 {
    let seconds = delay.min(MAX_DELAY).as_millis().div_ceil(1_000);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// Cuts bodies into batches that SQS takes.
fn batches(bodies: Vec<String>) -> Vec<Vec<String>> {
    let mut batches: Vec<Vec<String>> = Vec::new();
    let mut room = 0;
    for body in bodies {
        match batches.last_mut() {
            Some(batch) if batch.len() < MAX_BATCH && body.len() <= room => {
                room -= body.len();
                batch.push(body);
            }
            _ => {
                room = MAX_BATCH_BYTES.saturating_sub(body.len());
                batches.push(vec![body]);
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
        let sizes =
            |bodies: Vec<String>| -> Vec<usize> { batches(bodies).iter().map(Vec::len).collect() };
        assert_eq!(sizes(vec!["a".to_owned(); 25]), [10, 10, 5]);
        let large = "a".repeat(MAX_BATCH_BYTES / 4);
        assert_eq!(sizes(vec![large; 9]), [4, 4, 1]);
        assert_eq!(sizes(vec!["a".repeat(MAX_BATCH_BYTES); 2]), [1, 1]);
        assert_eq!(sizes(Vec::new()), [0; 0]);
    }

    #[test]
    fn delays_are_whole_seconds_up_to_the_limit() {
        assert_eq!(delay_in_seconds(Duration::ZERO), 0);
        assert_eq!(delay_in_seconds(Duration::from_millis(1)), 1);
        assert_eq!(delay_in_seconds(Duration::from_secs(2)), 2);
        assert_eq!(delay_in_seconds(Duration::from_hours(1)), 900);
    }
}
