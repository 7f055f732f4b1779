//! The `@connections` API: `PostToConnection`, `GetConnection` and
//! `DeleteConnection`.
//!
//! Statuses, `x-amzn-ErrorType` and bodies are those that the service's REST
//! JSON protocol gives to the SDKs' error types.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Request, StatusCode, header, request};
use hyper::body::Incoming;
use serde::Serialize;

use crate::body::{self, BodyError};
use crate::clock::iso_8601;
use crate::connections::Connection;
use crate::connections::outbox::{CloseRequest, Refused};
use crate::gateway::Shared;
use crate::ids::{self, ConnectionId};
use crate::integration::Integration;
use crate::reply::{self, Reply};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// Answers one management call for the connection `id`.
pub(crate) async fn answer<I: Integration>(
    shared: &Shared<I>,
    stage: &str,
    id: &str,
    request: Request<Incoming>,
) -> Reply {
    let (head, mut body) = request.into_parts();
    let outcome = call(shared, stage, id, &head, &mut body).await;
    // A refusal may come before the body has been read.
    body::discard(&mut body).await;
    let mut reply = outcome.unwrap_or_else(|error| error.reply());
    reply::set(&mut reply, REQUEST_ID, &ids::management_request_id());
    reply
}

/// Why a call was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
enum CallError {
    MissingToken,
    WrongScope { expected: String },
    WrongStage,
    MalformedId(String),
    Gone,
    TooLarge,
    Throttled,
    Internal,
}

impl CallError {
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::MissingToken => (StatusCode::FORBIDDEN, "MissingAuthenticationTokenException"),
            Self::WrongScope { .. } => (StatusCode::FORBIDDEN, "InvalidSignatureException"),
            Self::WrongStage => (StatusCode::FORBIDDEN, "ForbiddenException"),
            Self::MalformedId(_) => (StatusCode::BAD_REQUEST, "BadRequestException"),
            Self::Gone => (StatusCode::GONE, "GoneException"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLargeException"),
            Self::Throttled => (StatusCode::TOO_MANY_REQUESTS, "LimitExceededException"),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalServerErrorException",
            ),
        }
    }

    fn reply(&self) -> Reply {
        let (status, error_type) = self.parts();
        let mut reply = match self {
            Self::Gone => reply::empty(status),
            Self::MissingToken => reply::message(status, "Missing Authentication Token"),
            Self::WrongScope { expected } => {
                let text = format!("Credential should be scoped to {expected}");
                reply::message(status, &text)
            }
            Self::WrongStage => reply::message(status, "Forbidden"),
            Self::MalformedId(id) => reply::message(status, &format!("Invalid connectionId: {id}")),
            Self::TooLarge => reply::message(status, "Message too long"),
            Self::Throttled => reply::message(status, "Too Many Requests"),
            Self::Internal => reply::message(status, "Internal server error"),
        };
        reply::set(&mut reply, ERROR_TYPE, error_type);
        reply
    }
}

async fn call<I: Integration>(
    shared: &Shared<I>,
    stage: &str,
    id: &str,
    head: &request::Parts,
    body: &mut Incoming,
) -> Result<Reply, CallError> {
    if stage != shared.settings.stage {
        return Err(CallError::WrongStage);
    }
    check_signature(&head.headers, &shared.settings.region)?;
    if !shared.account.admits() || shared.settings.faults.throttle.strikes() {
        shared.counters.calls_throttled.count();
        return Err(CallError::Throttled);
    }
    let connection_id =
        ConnectionId::parse(id).ok_or_else(|| CallError::MalformedId(id.to_owned()));
    match head.method {
        Method::POST => {
            let connection_id = connection_id?;
            let data = read_payload(shared, body).await?;
            push(shared, connection_id, data).await
        }
        Method::GET => {
            let connection_id = connection_id?;
            if shared.simulated.find(connection_id).is_some() {
                return Ok(describe_simulated(shared));
            }
            let connection = find(shared, connection_id)?;
            Ok(describe(shared, &connection))
        }
        Method::DELETE => {
            let connection_id = connection_id?;
            if let Some(index) = shared.simulated.find(connection_id) {
                shared.simulated.close(index);
                return Ok(reply::empty(StatusCode::NO_CONTENT));
            }
            let connection = find(shared, connection_id)?;
            if connection.close(CloseRequest::Deleted) {
                Ok(reply::empty(StatusCode::NO_CONTENT))
            } else {
                Err(CallError::Gone)
            }
        }
        // What a REST front says of a method it does not have.
        _ => Err(CallError::MissingToken),
    }
}

/// Looks whether a request is signed for this service and Region. The
/// signature itself is not verified: there are no credentials to verify
/// against.
fn check_signature(headers: &HeaderMap, region: &str) -> Result<(), CallError> {
    let authorization = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .filter(|value| value.starts_with("AWS4-HMAC-SHA256 "))
        .ok_or(CallError::MissingToken)?;
    let expected = format!("/{region}/execute-api/aws4_request");
    if authorization.contains(&expected) {
        Ok(())
    } else {
        Err(CallError::WrongScope { expected })
    }
}

async fn read_payload<I>(shared: &Shared<I>, body: &mut Incoming) -> Result<Bytes, CallError> {
    let payload = body::read(body, shared.settings.max_message_bytes).await;
    payload.map_err(|error| match error {
        BodyError::TooLarge { .. } => CallError::TooLarge,
        // The client is gone; whatever is said does not reach it.
        BodyError::Broken(_) => CallError::Internal,
    })
}

/// Accepts a payload for a client. That it was accepted does not mean that the
/// client is there: a peer that vanished is only noticed by and by.
async fn push<I>(shared: &Shared<I>, id: ConnectionId, data: Bytes) -> Result<Reply, CallError> {
    let faults = &shared.settings.faults;
    if faults.slow_call.strikes() {
        tokio::time::sleep(faults.slow_call_by).await;
    }
    if faults.server_error.strikes() {
        return Err(CallError::Internal);
    }
    let gone = || {
        shared.counters.pushes_gone.count();
        CallError::Gone
    };
    if let Some(index) = shared.simulated.find(id) {
        if faults.false_gone.strikes() {
            return Err(gone());
        }
        let at = shared.clock.machine_time();
        shared.simulated.push(index, &data, at);
        shared.counters.pushes_accepted.count();
        return Ok(reply::empty(StatusCode::OK));
    }
    let connection = shared.connections.get(id).ok_or_else(gone)?;
    if faults.false_gone.strikes() {
        return Err(gone());
    }
    match connection.push(data) {
        Ok(()) => {
            shared.counters.pushes_accepted.count();
            Ok(reply::empty(StatusCode::OK))
        }
        Err(Refused::Closed) => Err(gone()),
        Err(Refused::Full) => {
            shared.counters.pushes_backpressured.count();
            Err(CallError::Throttled)
        }
    }
}

fn find<I>(shared: &Shared<I>, id: ConnectionId) -> Result<Arc<Connection>, CallError> {
    shared.connections.get(id).ok_or(CallError::Gone)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Description<'a> {
    connected_at: String,
    identity: Identity<'a>,
    last_active_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    source_ip: IpAddr,
    user_agent: &'a str,
}

fn describe<I>(shared: &Shared<I>, connection: &Connection) -> Reply {
    let last_active = shared.clock.at(connection.last_active());
    reply::json(
        StatusCode::OK,
        &Description {
            connected_at: iso_8601(connection.connected_at),
            identity: Identity {
                source_ip: connection.source_ip,
                user_agent: connection.user_agent.as_deref().unwrap_or_default(),
            },
            // The clock of activity is coarser than that of connecting.
            last_active_at: iso_8601(last_active.max(connection.connected_at)),
        },
    )
}

/// A simulated connection is as old as the gateway.
fn describe_simulated<I>(shared: &Shared<I>) -> Reply {
    let since = iso_8601(shared.clock.at(Duration::ZERO));
    reply::json(
        StatusCode::OK,
        &Description {
            connected_at: since.clone(),
            identity: Identity {
                source_ip: Ipv4Addr::LOCALHOST.into(),
                user_agent: "simulated",
            },
            last_active_at: since,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(authorization: Option<&str>, outcome: &Result<(), CallError>) {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        assert_eq!(check_signature(&headers, "eu-west-1"), *outcome);
    }

    #[test]
    fn a_call_has_to_be_signed_for_execute_api_in_the_region() {
        let signed = |scope: &str| {
            format!("AWS4-HMAC-SHA256 Credential=AKIA/20261121/{scope}/aws4_request, Signature=0")
        };
        let wrong = Err(CallError::WrongScope {
            expected: "/eu-west-1/execute-api/aws4_request".to_owned(),
        });
        check(Some(&signed("eu-west-1/execute-api")), &Ok(()));
        check(Some(&signed("eu-west-1/sqs")), &wrong);
        check(Some(&signed("us-east-1/execute-api")), &wrong);
        check(Some("Bearer token"), &Err(CallError::MissingToken));
        check(None, &Err(CallError::MissingToken));
    }
}
