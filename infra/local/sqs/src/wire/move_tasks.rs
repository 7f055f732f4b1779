//! `StartMessageMoveTask`, `ListMessageMoveTasks` and `CancelMessageMoveTask`.

use serde::{Deserialize, Serialize};

use super::Front;
use super::error::ApiError;
use super::request::{number, required};
use crate::service::{MoveTask, MoveTaskRequest, MoveTaskStatus};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StartInput {
    source_arn: Option<String>,
    destination_arn: Option<String>,
    max_number_of_messages_per_second: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    source_arn: Option<String>,
    max_results: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CancelInput {
    task_handle: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StartOutput {
    task_handle: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOutput {
    results: Vec<TaskOutput>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CancelOutput {
    approximate_number_of_messages_moved: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TaskOutput {
    /// Only of a task that is running.
    #[serde(skip_serializing_if = "Option::is_none")]
    task_handle: Option<String>,
    status: &'static str,
    source_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_number_of_messages_per_second: Option<u32>,
    approximate_number_of_messages_moved: u64,
    approximate_number_of_messages_to_move: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<&'static str>,
    /// In milliseconds since the Unix epoch.
    started_timestamp: u64,
}

impl Front {
    pub(super) fn start_message_move_task(
        &self,
        input: StartInput,
    ) -> Result<StartOutput, ApiError> {
        let rate = input.max_number_of_messages_per_second;
        let rate = number(rate, "MaxNumberOfMessagesPerSecond", 1..=500)?;
        let request = MoveTaskRequest {
            source_arn: required(input.source_arn, "SourceArn")?,
            destination_arn: input.destination_arn,
            max_messages_per_second: rate.and_then(|rate| rate.try_into().ok()),
        };
        let task_handle = self.sqs.start_message_move_task(request)?;
        Ok(StartOutput { task_handle })
    }

    pub(super) fn list_message_move_tasks(&self, input: ListInput) -> Result<ListOutput, ApiError> {
        let source_arn = required(input.source_arn, "SourceArn")?;
        let max = number(input.max_results, "MaxResults", 1..=10)?;
        let max = max.and_then(|max| max.try_into().ok()).unwrap_or(1);
        let tasks = self.sqs.message_move_tasks(&source_arn, max)?;
        Ok(ListOutput {
            results: tasks.into_iter().map(TaskOutput::from).collect(),
        })
    }

    pub(super) fn cancel_message_move_task(
        &self,
        input: CancelInput,
    ) -> Result<CancelOutput, ApiError> {
        let handle = required(input.task_handle, "TaskHandle")?;
        Ok(CancelOutput {
            approximate_number_of_messages_moved: self.sqs.cancel_message_move_task(&handle)?,
        })
    }
}

impl From<MoveTask> for TaskOutput {
    fn from(task: MoveTask) -> Self {
        let (status, failure_reason) = match task.status {
            MoveTaskStatus::Running => ("RUNNING", None),
            MoveTaskStatus::Completed => ("COMPLETED", None),
            MoveTaskStatus::Cancelled => ("CANCELLED", None),
            MoveTaskStatus::Failed { reason } => ("FAILED", Some(reason)),
        };
        let is_running = task.status == MoveTaskStatus::Running;
        let started_at = task.started_at.as_millis();
        Self {
            task_handle: is_running.then_some(task.handle),
            status,
            source_arn: task.request.source_arn,
            destination_arn: task.request.destination_arn,
            max_number_of_messages_per_second: task.request.max_messages_per_second,
            approximate_number_of_messages_moved: task.moved,
            approximate_number_of_messages_to_move: task.to_move,
            failure_reason,
            started_timestamp: started_at.try_into().unwrap_or(u64::MAX),
        }
    }
}
