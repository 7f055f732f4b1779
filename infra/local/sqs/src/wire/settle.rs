//! `DeleteMessage` and `ChangeMessageVisibility`, single and in batches.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Front;
use super::batch::{BatchInput, BatchOutput};
use super::error::ApiError;
use super::request::{queue_name, required, seconds};
use crate::queue::ReceiptHandle;

#[derive(Debug, Deserialize)]
pub(super) struct SingleInput<E> {
    #[serde(rename = "QueueUrl")]
    queue_url: Option<String>,
    #[serde(flatten)]
    entry: E,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteInput {
    receipt_handle: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeVisibilityInput {
    receipt_handle: Option<String>,
    visibility_timeout: Option<i64>,
}

/// An output without members.
#[derive(Debug, Serialize)]
pub(super) struct Nothing {}

impl Front {
    pub(super) fn delete_message(
        &self,
        input: SingleInput<DeleteInput>,
    ) -> Result<Nothing, ApiError> {
        let queue = queue_name(input.queue_url.as_deref())?;
        self.delete(queue, input.entry)
    }

    pub(super) fn delete_message_batch(
        &self,
        input: BatchInput<DeleteInput>,
    ) -> Result<BatchOutput<Nothing>, ApiError> {
        let url = input.queue_url.clone();
        let queue = queue_name(url.as_deref())?;
        self.sqs.queue_arn(queue)?;
        input.check("DeleteMessageBatch")?;
        input.run(|entry| self.delete(queue, entry))
    }

    pub(super) fn change_message_visibility(
        &self,
        input: SingleInput<ChangeVisibilityInput>,
    ) -> Result<Nothing, ApiError> {
        let queue = queue_name(input.queue_url.as_deref())?;
        self.change_visibility(queue, input.entry)
    }

    pub(super) fn change_message_visibility_batch(
        &self,
        input: BatchInput<ChangeVisibilityInput>,
    ) -> Result<BatchOutput<Nothing>, ApiError> {
        let url = input.queue_url.clone();
        let queue = queue_name(url.as_deref())?;
        self.sqs.queue_arn(queue)?;
        input.check("ChangeMessageVisibilityBatch")?;
        input.run(|entry| self.change_visibility(queue, entry))
    }

    fn delete(&self, queue: &str, input: DeleteInput) -> Result<Nothing, ApiError> {
        let handle = parse_handle(input.receipt_handle)?;
        self.sqs.delete(queue, handle)?;
        Ok(Nothing {})
    }

    fn change_visibility(
        &self,
        queue: &str,
        input: ChangeVisibilityInput,
    ) -> Result<Nothing, ApiError> {
        let timeout = required(input.visibility_timeout, "VisibilityTimeout")?;
        let timeout = seconds(Some(timeout), "VisibilityTimeout", 0..=43_200)?;
        let handle = parse_handle(input.receipt_handle)?;
        let timeout = timeout.unwrap_or(Duration::ZERO);
        self.sqs.change_visibility(queue, handle, timeout)?;
        Ok(Nothing {})
    }
}

fn parse_handle(text: Option<String>) -> Result<ReceiptHandle, ApiError> {
    Ok(required(text, "ReceiptHandle")?.parse()?)
}
