//! The Lambda Runtime API (2018-06-01) of one environment.
//!
//! The HTTP side knows nothing of the environment's state: it turns each
//! request into a [`Call`] and waits for what the environment makes of it.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::trace;
use crate::MAX_RESPONSE_BYTES;
use crate::error::InvokeError;
use crate::function::{Function, Invocation};

/// What a process says to its environment.
#[derive(Debug)]
pub(crate) enum Call {
    /// It waits for its next event.
    Next { event: oneshot::Sender<Event> },
    /// It answers the event, with a response or an error.
    Answer {
        request_id: String,
        answer: Result<Bytes, InvokeError>,
        ack: oneshot::Sender<Acknowledgement>,
    },
    /// It cannot start.
    InitError {
        error: InvokeError,
        ack: oneshot::Sender<Acknowledgement>,
    },
}

/// What an environment makes of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Acknowledgement {
    /// 202.
    Accepted,
    /// 413.
    TooLarge,
    /// 400: no event with this id is running.
    InvalidRequestId,
    /// 403: not the time for this call.
    InvalidStateTransition,
}

/// An invocation as the process gets it.
#[derive(Debug)]
pub(crate) struct Event {
    request_id: String,
    deadline_ms: u128,
    function_arn: String,
    trace_id: String,
    payload: Bytes,
}

impl Call {
    /// Answers a call that does not fit the environment's state.
    pub(crate) fn refuse(self) {
        // The process may have hung up.
        match self {
            // Dropping it answers.
            Self::Next { event: _ } => {}
            Self::Answer { ack, .. } => {
                let _ = ack.send(Acknowledgement::InvalidRequestId);
            }
            Self::InitError { ack, .. } => {
                let _ = ack.send(Acknowledgement::InvalidStateTransition);
            }
        }
    }
}

impl Acknowledgement {
    /// How an answer is acknowledged that the environment has accepted.
    pub(crate) fn of(answer: &Result<Bytes, InvokeError>) -> Self {
        match answer {
            Err(InvokeError::ResponseTooLarge { .. }) => Self::TooLarge,
            Ok(_) | Err(_) => Self::Accepted,
        }
    }
}

impl Event {
    pub(crate) fn new(function: &Function, invocation: &Invocation, deadline: Instant) -> Self {
        let now = since_epoch();
        let deadline = now + deadline.saturating_duration_since(Instant::now());
        Self {
            request_id: invocation.request_id.clone(),
            deadline_ms: deadline.as_millis(),
            function_arn: function.arn(),
            trace_id: trace::of_invocation(function, invocation.trace.as_deref(), now),
            payload: invocation.payload.clone(),
        }
    }
}

impl IntoResponse for Event {
    fn into_response(self) -> Response {
        let headers = [
            ("Lambda-Runtime-Aws-Request-Id", self.request_id),
            ("Lambda-Runtime-Deadline-Ms", self.deadline_ms.to_string()),
            ("Lambda-Runtime-Invoked-Function-Arn", self.function_arn),
            ("Lambda-Runtime-Trace-Id", self.trace_id),
            (CONTENT_TYPE.as_str(), "application/json".to_owned()),
        ];
        (headers, self.payload).into_response()
    }
}

impl IntoResponse for Acknowledgement {
    fn into_response(self) -> Response {
        let (status, body) = match self {
            Self::Accepted => (StatusCode::ACCEPTED, r#"{"status":"OK"}"#.to_owned()),
            Self::TooLarge => refusal(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                &format!("Exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."),
            ),
            Self::InvalidRequestId => refusal(
                StatusCode::BAD_REQUEST,
                "InvalidRequestID",
                "Invalid request ID",
            ),
            Self::InvalidStateTransition => refusal(
                StatusCode::FORBIDDEN,
                "InvalidStateTransition",
                "State transition is not allowed",
            ),
        };
        let content_type = [(CONTENT_TYPE, "application/json")];
        (status, content_type, body).into_response()
    }
}

fn refusal(status: StatusCode, error_type: &str, message: &str) -> (StatusCode, String) {
    let body = serde_json::json!({ "errorMessage": message, "errorType": error_type });
    (status, body.to_string())
}

/// Makes the routes of one environment, and the calls that arrive there.
pub(crate) fn router() -> (Router, mpsc::Receiver<Call>) {
    let (calls, arrived) = mpsc::channel(1);
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route(
            "/2018-06-01/runtime/invocation/{request_id}/response",
            post(response),
        )
        .route(
            "/2018-06-01/runtime/invocation/{request_id}/error",
            post(error),
        )
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .with_state(calls);
    (router, arrived)
}

type Calls = State<mpsc::Sender<Call>>;

async fn next(State(calls): Calls) -> Response {
    let (event, answered) = oneshot::channel();
    // Neither fails but where the environment is at its end.
    let _ = calls.send(Call::Next { event }).await;
    match answered.await {
        Ok(event) => event.into_response(),
        Err(_) => Acknowledgement::InvalidStateTransition.into_response(),
    }
}

async fn response(State(calls): Calls, Path(request_id): Path<String>, body: Body) -> Response {
    let answer = match read(body).await {
        Ok(Read::Whole(body)) => Ok(body),
        Ok(Read::TooLarge { bytes }) => Err(InvokeError::ResponseTooLarge { bytes }),
        // The process hung up in the middle of its answer.
        Err(_) => return StatusCode::BAD_REQUEST.into_response(),
    };
    let call = |ack| Call::Answer {
        request_id,
        answer,
        ack,
    };
    acknowledge(&calls, call).await
}

async fn error(
    State(calls): Calls,
    Path(request_id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answer = Err(function_error(&headers, body).await);
    let call = |ack| Call::Answer {
        request_id,
        answer,
        ack,
    };
    acknowledge(&calls, call).await
}

async fn init_error(State(calls): Calls, headers: HeaderMap, body: Body) -> Response {
    let error = function_error(&headers, body).await;
    acknowledge(&calls, |ack| Call::InitError { error, ack }).await
}

async fn acknowledge(
    calls: &mpsc::Sender<Call>,
    call: impl FnOnce(oneshot::Sender<Acknowledgement>) -> Call,
) -> Response {
    let (ack, acknowledged) = oneshot::channel();
    // Neither fails but where the environment is at its end.
    let _ = calls.send(call(ack)).await;
    let acknowledgement = acknowledged.await;
    acknowledgement
        .unwrap_or(Acknowledgement::InvalidStateTransition)
        .into_response()
}

/// Reads the error that a function reports: `{"errorType","errorMessage"}`, or
/// whatever else it sends, as the message.
async fn function_error(headers: &HeaderMap, body: Body) -> InvokeError {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Reported {
        error_type: Option<String>,
        error_message: Option<String>,
    }
    let body = match read(body).await {
        Ok(Read::Whole(body)) => body,
        Ok(Read::TooLarge { .. }) | Err(_) => Bytes::new(),
    };
    let named = headers.get("Lambda-Runtime-Function-Error-Type");
    let named = named.and_then(|value| value.to_str().ok());
    let default_type = named.unwrap_or("Unhandled");
    match serde_json::from_slice(&body) {
        Ok(Reported {
            error_type,
            error_message,
        }) => InvokeError::Failed {
            error_type: error_type.unwrap_or_else(|| default_type.to_owned()),
            message: error_message.unwrap_or_default(),
        },
        Err(_) => InvokeError::Failed {
            error_type: default_type.to_owned(),
            message: String::from_utf8_lossy(&body).into_owned(),
        },
    }
}

enum Read {
    Whole(Bytes),
    TooLarge { bytes: usize },
}

/// Reads a body, holding no more of it than an answer may have. What is over
/// is read and counted: a client that cannot send it all would not read why.
async fn read(mut body: Body) -> Result<Read, axum::Error> {
    let mut bytes = 0;
    let mut held = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            bytes += data.len();
            if bytes <= MAX_RESPONSE_BYTES {
                held.extend_from_slice(&data);
            } else {
                held.clear();
            }
        }
    }
    if bytes > MAX_RESPONSE_BYTES {
        return Ok(Read::TooLarge { bytes });
    }
    Ok(Read::Whole(held.freeze()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "functions compare the deadline to the real time of day"
)]
fn since_epoch() -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap_or_default()
}

#[cfg(test)]
mod tests;
