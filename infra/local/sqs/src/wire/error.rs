//! Errors as SQS sends them.
//!
//! The shape goes into `__type`, the code of the older query protocol into the
//! `x-amzn-query-error` header. Sources: the service's Smithy model, and the
//! "Errors" section of each operation in the API reference.

use std::borrow::Cow;
use std::fmt::Display;

use axum::http::StatusCode;
use serde_json::json;

use crate::message::InvalidMessage;
use crate::queue::{ChangeVisibilityError, InvalidReceiptHandle, SendError};
use crate::service::{Error, MoveTaskError};

/// An error of SQS itself.
const SQS: &str = "com.amazonaws.sqs";

/// An error of the framework under it, which no operation declares.
const CORAL: &str = "com.amazon.coral.service";

/// An error response.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct ApiError {
    status: StatusCode,
    namespace: &'static str,
    shape: &'static str,
    code: &'static str,
    message: Cow<'static, str>,
}

impl ApiError {
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// The code of the query protocol, which also names a failed batch entry.
    pub(super) fn code(&self) -> &'static str {
        self.code
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn is_senders_fault(&self) -> bool {
        self.status.is_client_error()
    }

    /// The value of the `x-amzn-query-error` header.
    pub(super) fn query_error(&self) -> String {
        let fault = if self.is_senders_fault() {
            "Sender"
        } else {
            "Receiver"
        };
        format!("{};{fault}", self.code)
    }

    /// The body of the response.
    pub(super) fn body(&self) -> String {
        let (namespace, shape) = (self.namespace, self.shape);
        json!({ "__type": format!("{namespace}#{shape}"), "message": self.message }).to_string()
    }

    pub(super) fn missing_authentication() -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            ..Self::coral(
                "MissingAuthenticationTokenException",
                "MissingAuthenticationToken",
                "Request is missing Authentication Token",
            )
        }
    }

    pub(super) fn unknown_operation() -> Self {
        let message = "The requested operation is not recognized by the service.";
        Self::coral("UnknownOperationException", "InvalidAction", message)
    }

    pub(super) fn malformed(error: &serde_json::Error) -> Self {
        let message = format!("The request body cannot be read: {error}");
        Self::coral("SerializationException", "MalformedInput", message)
    }

    pub(super) fn request_too_large() -> Self {
        Self {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            ..Self::coral(
                "RequestEntityTooLargeException",
                "RequestEntityTooLarge",
                "Request size exceeded the limit.",
            )
        }
    }

    pub(super) fn internal(error: &impl Display) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            ..Self::coral("InternalFailure", "InternalFailure", error.to_string())
        }
    }

    pub(super) fn missing(parameter: &str) -> Self {
        let message = format!("The request must contain the parameter {parameter}.");
        Self::coral(
            "MissingRequiredParameterException",
            "MissingParameter",
            message,
        )
    }

    /// A parameter with a value that is not allowed.
    pub(super) fn invalid(value: impl Display, parameter: &str, reason: &str) -> Self {
        let message =
            format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}");
        Self::invalid_parameter(message)
    }

    pub(super) fn invalid_parameter(message: impl Into<Cow<'static, str>>) -> Self {
        Self::coral(
            "InvalidParameterValueException",
            "InvalidParameterValue",
            message,
        )
    }

    pub(super) fn unsupported(message: impl Into<Cow<'static, str>>) -> Self {
        let code = "AWS.SimpleQueueService.UnsupportedOperation";
        Self::sqs("UnsupportedOperation", code, message)
    }

    pub(super) fn invalid_attribute_name(name: &str) -> Self {
        let (shape, message) = ("InvalidAttributeName", format!("Unknown Attribute {name}."));
        Self::sqs(shape, shape, message)
    }

    pub(super) fn invalid_attribute_value(name: &str) -> Self {
        let message = format!("Invalid value for the parameter {name}.");
        let shape = "InvalidAttributeValue";
        Self::sqs(shape, shape, message)
    }

    pub(super) fn no_queue() -> Self {
        Self::sqs(
            "QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
            "The specified queue does not exist.",
        )
    }

    pub(super) fn empty_batch(operation: &str) -> Self {
        Self::sqs(
            "EmptyBatchRequest",
            "AWS.SimpleQueueService.EmptyBatchRequest",
            format!("There should be at least one {operation}RequestEntry in the request."),
        )
    }

    pub(super) fn too_many_entries(n: usize) -> Self {
        Self::sqs(
            "TooManyEntriesInBatchRequest",
            "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            format!("Maximum number of entries per request are 10. You have sent {n}."),
        )
    }

    pub(super) fn invalid_batch_entry_id() -> Self {
        Self::sqs(
            "InvalidBatchEntryId",
            "AWS.SimpleQueueService.InvalidBatchEntryId",
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores. \
             It can be at most 80 letters long.",
        )
    }

    pub(super) fn batch_entry_ids_not_distinct(id: &str) -> Self {
        Self::sqs(
            "BatchEntryIdsNotDistinct",
            "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            format!("Id {id} repeated."),
        )
    }

    pub(super) fn batch_too_long(limit: usize, bytes: usize) -> Self {
        Self::sqs(
            "BatchRequestTooLong",
            "AWS.SimpleQueueService.BatchRequestTooLong",
            format!(
                "Batch requests cannot be longer than {limit} bytes. You have sent {bytes} bytes."
            ),
        )
    }

    fn sqs(shape: &'static str, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            namespace: SQS,
            shape,
            code,
            message: message.into(),
        }
    }

    fn coral(
        shape: &'static str,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            namespace: CORAL,
            ..Self::sqs(shape, code, message)
        }
    }

    fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }
}

impl From<InvalidReceiptHandle> for ApiError {
    fn from(_: InvalidReceiptHandle) -> Self {
        let shape = "ReceiptHandleIsInvalid";
        let message = "The input receipt handle is not a valid receipt handle.";
        Self::sqs(shape, shape, message).with_status(StatusCode::NOT_FOUND)
    }
}

impl From<InvalidMessage> for ApiError {
    fn from(error: InvalidMessage) -> Self {
        match error {
            InvalidMessage::EmptyBody => Self::missing("MessageBody"),
            InvalidMessage::Character(_) => {
                let shape = "InvalidMessageContents";
                let message = "Invalid characters found. Valid unicode characters are #x9 | #xA | \
                     #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF";
                Self::sqs(shape, shape, message)
            }
            InvalidMessage::TooManyAttributes(_)
            | InvalidMessage::AttributeName(_)
            | InvalidMessage::AttributeType { .. }
            | InvalidMessage::AttributeValue(_) => Self::invalid_parameter(error.to_string()),
        }
    }
}

impl From<SendError> for ApiError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::TooLong { limit, .. } => Self::invalid_parameter(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
            )),
            SendError::DelayTooLong(delay) => Self::invalid(
                delay.as_secs(),
                "DelaySeconds",
                "DelaySeconds must be >= 0 and <= 900.",
            ),
        }
    }
}

impl From<ChangeVisibilityError> for ApiError {
    fn from(error: ChangeVisibilityError) -> Self {
        match error {
            ChangeVisibilityError::InvalidHandle(error) => error.into(),
            ChangeVisibilityError::NotAvailable => Self::invalid_parameter(
                "The value for parameter ReceiptHandle is invalid. Reason: Message does not exist \
                 or is not available for visibility timeout change.",
            ),
            ChangeVisibilityError::NotInFlight => Self::sqs(
                "MessageNotInflight",
                "AWS.SimpleQueueService.MessageNotInflight",
                "The specified message isn't in flight.",
            ),
            ChangeVisibilityError::BeyondLimit => Self::invalid_parameter(
                "The value for parameter VisibilityTimeout is invalid. Reason: Total \
                 VisibilityTimeout for the message is beyond the limit [43200 seconds].",
            ),
        }
    }
}

impl From<MoveTaskError> for ApiError {
    fn from(error: MoveTaskError) -> Self {
        let not_found = |message: &'static str| {
            let shape = "ResourceNotFoundException";
            Self::sqs(shape, shape, message).with_status(StatusCode::NOT_FOUND)
        };
        match error {
            MoveTaskError::NoSource => not_found(
                "The resource that you specified for the SourceArn parameter doesn't exist.",
            ),
            MoveTaskError::NoDestination => not_found(
                "The resource that you specified for the DestinationArn parameter doesn't exist.",
            ),
            MoveTaskError::NoTask => not_found("Task does not exist."),
            MoveTaskError::NotADeadLetterQueue => {
                Self::invalid_parameter("Source queue must be configured as a Dead Letter Queue.")
            }
            MoveTaskError::AlreadyRunning => Self::invalid_parameter(
                "There is already a task running. Only one active task is allowed for a source \
                 queue arn at a given time.",
            ),
            MoveTaskError::Rate(rate) => Self::invalid(
                rate,
                "MaxNumberOfMessagesPerSecond",
                "Must be between 1 and 500, if provided.",
            ),
            MoveTaskError::NotRunning => Self::unsupported("Only active tasks can be cancelled."),
        }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::QueueDoesNotExist(_) => Self::no_queue(),
            Error::QueueNameExists(name) => Self::sqs(
                "QueueNameExists",
                "QueueAlreadyExists",
                format!("A queue already exists with the name {name} and a different attribute."),
            ),
            Error::InvalidQueueName(_) => Self::invalid_parameter(
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
            ),
            Error::InvalidAttribute(attribute) => Self::invalid_attribute_value(attribute.0),
            Error::NoDeadLetterQueue(target) => Self::invalid(
                target,
                "RedrivePolicy",
                "Dead letter target does not exist.",
            ),
            Error::PurgeInProgress(name) => Self::sqs(
                "PurgeQueueInProgress",
                "AWS.SimpleQueueService.PurgeQueueInProgress",
                format!("Only one PurgeQueue operation on {name} is allowed every 60 seconds."),
            )
            .with_status(StatusCode::FORBIDDEN),
            Error::Send(error) => error.into(),
            Error::OverLimit(_) => {
                let message = "Too many messages in flight: the limit is 120000.";
                Self::sqs("OverLimit", "OverLimit", message).with_status(StatusCode::FORBIDDEN)
            }
            Error::InvalidReceiptHandle(error) => error.into(),
            Error::ChangeVisibility(error) => error.into(),
            Error::VisibilityTimeoutTooLong => {
                Self::invalid_parameter("VisibilityTimeout must be an integer between 0 and 43200.")
            }
            Error::MoveTask(error) => error.into(),
        }
    }
}
