//! `ReceiveMessage`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Front;
use super::error::ApiError;
use super::message::{JsonAttribute, JsonAttributes};
use super::request::{number, queue_name, seconds};
use crate::message::{Attribute, attributes_md5};
use crate::queue::ReceivedMessage;
use crate::service::ReceiveOptions;

/// The system attributes that can be asked for. The last two exist on FIFO
/// queues alone, so that no message here has them.
const SYSTEM_ATTRIBUTES: [&str; 9] = [
    "ApproximateFirstReceiveTimestamp",
    "ApproximateReceiveCount",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
    "SenderId",
    "SentTimestamp",
    "MessageGroupId",
    "MessageDeduplicationId",
    "SequenceNumber",
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiveMessageInput {
    queue_url: Option<String>,
    max_number_of_messages: Option<i64>,
    wait_time_seconds: Option<i64>,
    visibility_timeout: Option<i64>,
    /// The older name of the next one.
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiveMessageOutput {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<MessageOutput>,
}

#[derive(Debug, Serialize)]
struct MessageOutput {
    #[serde(rename = "MessageId")]
    message_id: String,
    #[serde(rename = "ReceiptHandle")]
    receipt_handle: String,
    #[serde(rename = "MD5OfBody")]
    md5_of_body: String,
    #[serde(rename = "Body")]
    body: String,
    #[serde(rename = "Attributes", skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'static str, String>,
    #[serde(
        rename = "MD5OfMessageAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    md5_of_message_attributes: Option<String>,
    #[serde(
        rename = "MessageAttributes",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    message_attributes: JsonAttributes,
}

impl Front {
    pub(super) async fn receive_message(
        &self,
        input: ReceiveMessageInput,
    ) -> Result<ReceiveMessageOutput, ApiError> {
        let queue = queue_name(input.queue_url.as_deref())?;
        let max = number(input.max_number_of_messages, "MaxNumberOfMessages", 1..=10)?;
        let wait = seconds(input.wait_time_seconds, "WaitTimeSeconds", 0..=20)?;
        let visibility = input.visibility_timeout;
        let visibility_timeout = seconds(visibility, "VisibilityTimeout", 0..=43_200)?;
        let selection = Selection::new(&input)?;
        let default_wait = || Ok(self.sqs.describe(queue)?.attributes.receive_wait);
        let options = ReceiveOptions {
            max_messages: max.and_then(|max| max.try_into().ok()).unwrap_or(1),
            wait: wait.map_or_else(default_wait, Ok::<_, ApiError>)?,
            visibility_timeout,
        };
        let received = tokio::select! {
            biased;
            received = self.sqs.receive(queue, options) => received?,
            () = self.shutdown.cancelled() => Vec::new(),
        };
        let messages = received.iter().map(|message| selection.describe(message));
        Ok(ReceiveMessageOutput {
            messages: messages.collect(),
        })
    }
}

/// Which attributes a receiver asked for.
#[derive(Debug)]
struct Selection<'a> {
    system: Vec<&'a str>,
    user_defined: &'a [String],
}

impl<'a> Selection<'a> {
    fn new(input: &'a ReceiveMessageInput) -> Result<Self, ApiError> {
        let names = [
            &input.attribute_names,
            &input.message_system_attribute_names,
        ];
        let system: Vec<&str> = names.into_iter().flatten().map(String::as_str).collect();
        let is_known = |name: &&str| *name == "All" || SYSTEM_ATTRIBUTES.contains(name);
        match system.iter().find(|name| !is_known(name)) {
            Some(unknown) => Err(ApiError::invalid_attribute_name(unknown)),
            None => Ok(Self {
                system,
                user_defined: &input.message_attribute_names,
            }),
        }
    }

    fn describe(&self, received: &ReceivedMessage) -> MessageOutput {
        let message = &received.message;
        let selected = message.attributes().iter();
        let selected: Vec<(&String, &Attribute)> = selected
            .filter(|(name, _)| self.has_user_defined(name))
            .collect();
        let md5 = attributes_md5(selected.iter().copied());
        let attributes = selected.into_iter();
        MessageOutput {
            message_id: received.id.to_string(),
            receipt_handle: received.receipt_handle.to_string(),
            md5_of_body: message.body_md5().to_string(),
            body: message.body().to_owned(),
            attributes: self.system_attributes(received),
            md5_of_message_attributes: md5.map(|md5| md5.to_string()),
            message_attributes: attributes
                .map(|(name, attribute)| (name.clone(), JsonAttribute::from(attribute)))
                .collect(),
        }
    }

    /// Whether a name was asked for: as itself, by a prefix such as `trace.*`,
    /// or as one of all.
    fn has_user_defined(&self, name: &str) -> bool {
        self.user_defined.iter().any(|asked| {
            let prefix = asked.strip_suffix(".*");
            asked == "All" || asked == name || prefix.is_some_and(|prefix| name.starts_with(prefix))
        })
    }

    fn system_attributes(&self, received: &ReceivedMessage) -> BTreeMap<&'static str, String> {
        let message = &received.message;
        let values = [
            (
                "ApproximateFirstReceiveTimestamp",
                Some(milliseconds(received.first_received_at)),
            ),
            (
                "ApproximateReceiveCount",
                Some(received.receive_count.to_string()),
            ),
            ("AWSTraceHeader", message.trace_header.clone()),
            (
                "DeadLetterQueueSourceArn",
                received.dead_letter_source.as_deref().map(str::to_owned),
            ),
            ("MessageGroupId", message.group_id.clone()),
            ("SenderId", message.sender_id.clone()),
            ("SentTimestamp", Some(milliseconds(received.sent_at))),
        ];
        let is_asked = |name| {
            self.system
                .iter()
                .any(|asked| *asked == name || *asked == "All")
        };
        let values = values.into_iter().filter(|(name, _)| is_asked(*name));
        values
            .filter_map(|(name, value)| value.map(|value| (name, value)))
            .collect()
    }
}

/// A time as SQS writes it: milliseconds since the Unix epoch.
fn milliseconds(at: Duration) -> String {
    at.as_millis().to_string()
}
