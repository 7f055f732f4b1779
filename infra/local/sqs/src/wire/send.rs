//! `SendMessage` and `SendMessageBatch`.

use serde::{Deserialize, Serialize};

use super::Front;
use super::batch::{BatchInput, BatchOutput};
use super::error::ApiError;
use super::message::{JsonAttributes, parse_attributes};
use super::request::{Caller, queue_name, required, seconds};
use crate::message::{AttributeValue, Message, attributes_md5};
use crate::queue::MAX_MESSAGE_BYTES;

#[derive(Debug, Deserialize)]
pub(super) struct SendMessageInput {
    #[serde(rename = "QueueUrl")]
    queue_url: Option<String>,
    #[serde(flatten)]
    message: MessageInput,
}

/// What a single message and an entry of a batch have in common.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MessageInput {
    message_body: Option<String>,
    delay_seconds: Option<i64>,
    #[serde(default)]
    message_attributes: JsonAttributes,
    #[serde(default)]
    message_system_attributes: JsonAttributes,
    message_group_id: Option<String>,
    message_deduplication_id: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct MessageOutput {
    #[serde(rename = "MessageId")]
    message_id: String,
    #[serde(rename = "MD5OfMessageBody")]
    md5_of_message_body: String,
    #[serde(
        rename = "MD5OfMessageAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    md5_of_message_attributes: Option<String>,
    #[serde(
        rename = "MD5OfMessageSystemAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    md5_of_message_system_attributes: Option<String>,
}

impl Front {
    pub(super) fn send_message(
        &self,
        caller: &Caller,
        input: SendMessageInput,
    ) -> Result<MessageOutput, ApiError> {
        let queue = queue_name(input.queue_url.as_deref())?;
        self.send(queue, caller, input.message)
    }

    pub(super) fn send_message_batch(
        &self,
        caller: &Caller,
        input: BatchInput<MessageInput>,
    ) -> Result<BatchOutput<MessageOutput>, ApiError> {
        let url = input.queue_url.clone();
        let queue = queue_name(url.as_deref())?;
        self.sqs.queue_arn(queue)?;
        input.check("SendMessageBatch")?;
        let sizes = input.entries.iter().map(|entry| entry.input.size());
        let bytes = sizes.sum();
        if bytes > MAX_MESSAGE_BYTES {
            return Err(ApiError::batch_too_long(MAX_MESSAGE_BYTES, bytes));
        }
        input.run(|message| self.send(queue, caller, message))
    }

    fn send(
        &self,
        queue: &str,
        caller: &Caller,
        input: MessageInput,
    ) -> Result<MessageOutput, ApiError> {
        let delay = seconds(input.delay_seconds, "DelaySeconds", 0..=900)?;
        let (message, md5_of_message_system_attributes) = input.parse(caller)?;
        let md5_of_message_body = message.body_md5().to_string();
        let md5_of_message_attributes = message.attributes_md5();
        let id = self.sqs.send(queue, message, delay)?;
        Ok(MessageOutput {
            message_id: id.to_string(),
            md5_of_message_body,
            md5_of_message_attributes: md5_of_message_attributes.map(|md5| md5.to_string()),
            md5_of_message_system_attributes,
        })
    }
}

impl MessageInput {
    /// How many bytes count towards the limit of a batch.
    fn size(&self) -> usize {
        let attributes = self.message_attributes.iter();
        let sizes = attributes.map(|(name, attribute)| {
            let text = attribute.string_value.as_ref().map_or(0, String::len);
            let encoded = attribute.binary_value.as_ref();
            // Four characters of base64 are three bytes, less the padding.
            let binary = encoded.map_or(0, |encoded| {
                let padding = encoded.bytes().rev().take_while(|byte| *byte == b'=');
                (encoded.len() / 4 * 3).saturating_sub(padding.count())
            });
            name.len() + attribute.data_type.len() + text + binary
        });
        self.message_body.as_ref().map_or(0, String::len) + sizes.sum::<usize>()
    }

    /// The message, and the digest of its system attributes.
    fn parse(self, caller: &Caller) -> Result<(Message, Option<String>), ApiError> {
        if let Some(id) = &self.message_deduplication_id {
            let reason = "The request include parameter that is not valid for this queue type.";
            return Err(ApiError::invalid(id, "MessageDeduplicationId", reason));
        }
        let body = required(self.message_body, "MessageBody")?;
        let attributes = parse_attributes(self.message_attributes)?;
        let mut message = Message::with_attributes(body, attributes)?;
        let system = parse_attributes(self.message_system_attributes)?;
        let md5 = attributes_md5(&system);
        for (name, attribute) in system {
            match (name.as_str(), attribute.value) {
                ("AWSTraceHeader", AttributeValue::Text(header)) => {
                    message.trace_header = Some(header);
                }
                _ => {
                    return Err(ApiError::invalid_parameter(format!(
                        "Message system attribute name '{name}' is invalid."
                    )));
                }
            }
        }
        message.group_id = self.message_group_id;
        message.sender_id = Some(caller.access_key_id.clone());
        Ok((message, md5.map(|md5| md5.to_string())))
    }
}
