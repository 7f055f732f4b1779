//! The AWS JSON 1.0 protocol over HTTP: `POST /` with an `x-amz-target` header.
//!
//! Source: [SQS's AWS JSON protocol](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-json-api-responses.html).

mod attributes;
mod batch;
mod error;
mod message;
mod move_tasks;
mod queues;
mod receive;
mod request;
mod send;
mod settle;

use std::io;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::serve::ListenerExt;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::error::ApiError;
use self::request::Caller;
use crate::service::Sqs;

/// The largest request body that is read: a batch of 1 MiB in which every byte
/// is escaped as six, and some room for the rest.
const MAX_REQUEST_BYTES: usize = 7 * 1_048_576;

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");

/// Serves the queues until `shutdown`, when long polls end empty and the other
/// requests under way are finished.
///
/// Every request needs an `Authorization` header with a `SigV4` signature, which
/// is not verified. Queue URLs are taken with any host.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, sqs: Sqs, shutdown: CancellationToken) -> io::Result<()> {
    let front = Front {
        sqs,
        shutdown: shutdown.clone(),
    };
    let router = Router::new().fallback(respond).with_state(front);
    // Answers are small and written at once: waiting for more only delays them.
    let listener = listener.tap_io(|socket| {
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
    });
    axum::serve(listener, router)
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
}

/// What every operation works on.
#[derive(Clone, Debug)]
struct Front {
    sqs: Sqs,
    shutdown: CancellationToken,
}

async fn respond(State(front): State<Front>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let answer = match operation(&parts.headers) {
        Err(error) => Err(error),
        Ok(operation) => match to_bytes(body, MAX_REQUEST_BYTES).await {
            Err(_) => Err(ApiError::request_too_large()),
            Ok(body) => front.answer(operation, &parts.headers, body).await,
        },
    };
    let request_id = Uuid::new_v4().to_string();
    match answer {
        Ok(body) => response(StatusCode::OK, &request_id, body.into()),
        Err(error) => {
            tracing::debug!(
                code = error.code(),
                error = error.message(),
                "request refused"
            );
            let mut response = response(error.status(), &request_id, error.body().into());
            if let Ok(query_error) = HeaderValue::try_from(error.query_error()) {
                response
                    .headers_mut()
                    .insert("x-amzn-query-error", query_error);
            }
            response
        }
    }
}

fn response(status: StatusCode, request_id: &str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
    if let Ok(request_id) = HeaderValue::try_from(request_id) {
        headers.insert("x-amzn-requestid", request_id);
    }
    response
}

/// The operation that a request names.
fn operation(headers: &HeaderMap) -> Result<&str, ApiError> {
    let target = headers.get("x-amz-target");
    let target = target.and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.strip_prefix("AmazonSQS."));
    operation.ok_or_else(ApiError::unknown_operation)
}

impl Front {
    /// Runs an operation and gives the body of its response.
    async fn answer(
        &self,
        operation: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Vec<u8>, ApiError> {
        let caller = Caller::of(headers)?;
        match operation {
            "SendMessage" => with(&body, |input| self.send_message(&caller, input)),
            "SendMessageBatch" => with(&body, |input| self.send_message_batch(&caller, input)),
            "ReceiveMessage" => encode(&self.receive_message(decode(&body)?).await?),
            "DeleteMessage" => with(&body, |input| self.delete_message(input)),
            "DeleteMessageBatch" => with(&body, |input| self.delete_message_batch(input)),
            "ChangeMessageVisibility" => with(&body, |input| self.change_message_visibility(input)),
            "ChangeMessageVisibilityBatch" => {
                with(&body, |input| self.change_message_visibility_batch(input))
            }
            "CreateQueue" => with(&body, |input| self.create_queue(&caller, input)),
            "DeleteQueue" => with(&body, |input| self.delete_queue(&input)),
            "GetQueueUrl" => with(&body, |input| self.get_queue_url(&caller, input)),
            "GetQueueAttributes" => with(&body, |input| self.get_queue_attributes(&input)),
            "SetQueueAttributes" => with(&body, |input| self.set_queue_attributes(&input)),
            "ListQueues" => with(&body, |input| self.list_queues(&caller, &input)),
            "ListDeadLetterSourceQueues" => with(&body, |input| {
                self.list_dead_letter_source_queues(&caller, &input)
            }),
            "PurgeQueue" => with(&body, |input| self.purge_queue(&input)),
            "StartMessageMoveTask" => with(&body, |input| self.start_message_move_task(input)),
            "ListMessageMoveTasks" => with(&body, |input| self.list_message_move_tasks(input)),
            "CancelMessageMoveTask" => with(&body, |input| self.cancel_message_move_task(input)),
            // These exist in SQS, but access policies and tags do not here.
            "AddPermission" | "RemovePermission" | "TagQueue" | "UntagQueue" | "ListQueueTags" => {
                Err(ApiError::unsupported(
                    "Tags and permissions are not supported.",
                ))
            }
            _ => Err(ApiError::unknown_operation()),
        }
    }
}

/// Decodes the input of an operation, runs it and encodes its output.
fn with<I: DeserializeOwned, O: Serialize>(
    body: &[u8],
    operation: impl FnOnce(I) -> Result<O, ApiError>,
) -> Result<Vec<u8>, ApiError> {
    encode(&operation(decode(body)?)?)
}

fn decode<I: DeserializeOwned>(body: &[u8]) -> Result<I, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::malformed(&error))
}

fn encode(output: &impl Serialize) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(output).map_err(|error| ApiError::internal(&error))
}

#[cfg(test)]
mod tests;
