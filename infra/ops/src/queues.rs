//! The deployment's queues: what is in them, and moving it on.

pub mod drain;
pub mod redrive;

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName as Name;
use serde::Deserialize;

use crate::aws::fault::Fault;
use crate::outputs::Outputs;

/// How many messages a queue holds, approximately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Those that can be received.
    pub waiting: u64,
    /// Those that somebody is at.
    pub in_flight: u64,
    /// Those that cannot be received yet.
    pub delayed: u64,
}

impl Depth {
    /// Whether there is nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.waiting == 0 && self.in_flight == 0 && self.delayed == 0
    }
}

impl fmt::Display for Depth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            waiting,
            in_flight,
            delayed,
        } = self;
        write!(
            f,
            "{waiting} waiting, {in_flight} in flight, {delayed} delayed"
        )
    }
}

/// A queue as SQS shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its ARN.
    pub arn: String,
    /// What is in it.
    pub depth: Depth,
    /// For how long a message is hidden while somebody is at it.
    pub visibility: Duration,
    /// Where messages go that are received too often.
    pub redrive: Option<RedrivePolicy>,
}

/// Where messages go that are received too often
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RedrivePolicy {
    /// The dead-letter queue's ARN.
    pub dead_letter_target_arn: String,
    /// How often is too often: SQS writes a number, some write a text.
    #[serde(deserialize_with = "number_or_text")]
    pub max_receive_count: u32,
}

fn number_or_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u32),
        Text(String),
    }
    match Either::deserialize(deserializer)? {
        Either::Number(number) => Ok(number),
        Either::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}

/// Why queues cannot be looked at, or not be moved.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The outputs do not tell a queue.
    #[error("the outputs have no {0}")]
    NotGiven(&'static str),
    /// SQS did not do it.
    #[error("{queue}: {fault}{}", advice_of(fault))]
    Fault {
        /// The queue's URL.
        queue: String,
        /// What SQS said.
        fault: Fault,
    },
}

fn advice_of(fault: &Fault) -> String {
    let advice = if fault.is_not_found() {
        Some("is the name right, and the Region, and the account?")
    } else {
        fault.advice()
    };
    advice.map_or_else(String::new, |advice| format!(" ({advice})"))
}

/// The URLs of the three queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueUrls {
    /// Of notifications.
    pub notifications: String,
    /// Of slices.
    pub slices: String,
    /// Of what could not be finished.
    pub dead_letters: String,
}

impl QueueUrls {
    /// Takes them from the outputs.
    ///
    /// # Errors
    /// One is not there.
    pub fn of(outputs: &Outputs) -> Result<Self, QueueError> {
        let given = |url: &Option<String>, name| url.clone().ok_or(QueueError::NotGiven(name));
        Ok(Self {
            notifications: given(&outputs.notifications_queue_url, "NotificationsQueueUrl")?,
            slices: given(&outputs.slices_queue_url, "SlicesQueueUrl")?,
            dead_letters: given(&outputs.dead_letter_queue_url, "DeadLetterQueueUrl")?,
        })
    }
}

/// Looks at a queue.
///
/// # Errors
/// SQS does not show it.
pub async fn look(client: &Client, url: &str) -> Result<Queue, QueueError> {
    let asked = client.get_queue_attributes().queue_url(url);
    let shown = asked.attribute_names(Name::All).send().await;
    let shown = shown.map_err(|error| QueueError::Fault {
        queue: url.to_owned(),
        fault: Fault::of(&error),
    })?;
    Ok(read(&shown.attributes.unwrap_or_default()))
}

fn read(attributes: &HashMap<Name, String>) -> Queue {
    let text = |name: &Name| attributes.get(name).map(String::as_str).unwrap_or_default();
    let number = |name: &Name| text(name).parse::<u64>().unwrap_or_default();
    Queue {
        arn: text(&Name::QueueArn).to_owned(),
        depth: Depth {
            waiting: number(&Name::ApproximateNumberOfMessages),
            in_flight: number(&Name::ApproximateNumberOfMessagesNotVisible),
            delayed: number(&Name::ApproximateNumberOfMessagesDelayed),
        },
        visibility: Duration::from_secs(number(&Name::VisibilityTimeout)),
        redrive: serde_json::from_str(text(&Name::RedrivePolicy)).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_read_from_its_attributes() {
        let policy = r#"{"deadLetterTargetArn":"arn:dead","maxReceiveCount":"5"}"#;
        let attributes = [
            (Name::QueueArn, "arn:n"),
            (Name::ApproximateNumberOfMessages, "3"),
            (Name::ApproximateNumberOfMessagesNotVisible, "2"),
            (Name::VisibilityTimeout, "180"),
            (Name::RedrivePolicy, policy),
        ];
        let own = attributes.map(|(name, value)| (name, value.to_owned()));
        let queue = read(&own.into());
        assert_eq!(queue.depth.to_string(), "3 waiting, 2 in flight, 0 delayed");
        assert_eq!(queue.visibility, Duration::from_mins(3));
        assert_eq!(queue.redrive.unwrap().max_receive_count, 5);
    }

    #[test]
    fn a_queue_without_a_policy_has_none() {
        assert_eq!(read(&HashMap::new()).redrive, None);
    }

    #[test]
    fn a_queue_that_is_not_given_is_named() {
        let error = QueueUrls::of(&Outputs::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the outputs have no NotificationsQueueUrl"
        );
    }
}
