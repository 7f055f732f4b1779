//! Deciding over a handshake: the authorizer, then `$connect`.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header, request};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::authorizer::{self, Verdict};
use super::event::{HandshakeFields, Source};
use crate::connections::outbox::Outbox;
use crate::connections::{Connection, Sink};
use crate::gateway::Shared;
use crate::ids::{self, ConnectionId};
use crate::integration::{Integration, IntegrationError};
use crate::reply::{self, Reply};

/// A client that may come in.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) connection: Arc<Connection>,
    /// The subprotocol that `$connect` chose, if any.
    pub(super) subprotocol: Option<HeaderValue>,
}

/// Decides over a handshake; an error is the answer that refuses it.
pub(super) async fn admit<I: Integration>(
    shared: &Shared<I>,
    peer: SocketAddr,
    head: &request::Parts,
) -> Result<Admitted, Box<Reply>> {
    let request_id = ids::request_id();
    let fields = HandshakeFields::of(head);
    let mut connection = new_connection(shared, peer, head);
    let refuse = |connection: &Connection, status, text: &str| {
        Box::new(refusal(connection, &request_id, status, text))
    };
    connection.authorizer = match authorize(shared, &connection, &request_id, &fields).await {
        Verdict::Allowed(context) => context,
        Verdict::Denied => return Err(refuse(&connection, StatusCode::FORBIDDEN, "Forbidden")),
        Verdict::Unauthorized => {
            return Err(refuse(
                &connection,
                StatusCode::UNAUTHORIZED,
                "Unauthorized",
            ));
        }
        Verdict::Failed => {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            return Err(refuse(&connection, status, "Internal server error"));
        }
    };
    let subprotocol = match ask_connect(shared, &connection, &request_id, &fields).await {
        Ok(Answer::Welcome { subprotocol }) => subprotocol,
        Ok(Answer::Refused(refusal)) => return Err(refusal),
        Err(IntegrationError::TimedOut) => {
            let status = StatusCode::GATEWAY_TIMEOUT;
            return Err(refuse(&connection, status, "Endpoint request timed out"));
        }
        Err(IntegrationError::Throttled | IntegrationError::Failed { .. }) => {
            let status = StatusCode::BAD_GATEWAY;
            return Err(refuse(&connection, status, "Internal server error"));
        }
    };
    connection.touch(shared.clock.elapsed());
    Ok(Admitted {
        connection: Arc::new(connection),
        subprotocol,
    })
}

fn new_connection<I>(shared: &Shared<I>, peer: SocketAddr, head: &request::Parts) -> Connection {
    let text_of = |name| {
        let value = head.headers.get(name)?;
        Some(Box::from(String::from_utf8_lossy(value.as_bytes())))
    };
    let settings = &shared.settings;
    Connection {
        id: ConnectionId::random(),
        connected_at: shared.clock.now(),
        source_ip: peer.ip(),
        user_agent: text_of(header::USER_AGENT),
        domain_name: text_of(header::HOST).unwrap_or_default(),
        authorizer: None,
        last_active_ms: 0.into(),
        sink: Sink::Socket(Outbox::new(
            settings.max_queued_messages,
            settings.max_queued_bytes,
        )),
    }
}

/// Asks the authorizer; without one everybody may come in.
async fn authorize<I: Integration>(
    shared: &Shared<I>,
    connection: &Connection,
    request_id: &str,
    fields: &HandshakeFields,
) -> Verdict {
    let settings = &shared.settings;
    let Some(function) = &settings.websocket_routes.authorizer else {
        return Verdict::Allowed(None);
    };
    let method_arn = format!(
        "arn:aws:execute-api:{}:{}:{}/{}/$connect",
        settings.region, settings.account_id, settings.websocket_api_id, settings.stage
    );
    let event = source(shared, connection, request_id).authorize(&method_arn, fields);
    let outcome = shared.invoke_websocket(function, event).await;
    authorizer::judge(outcome, &method_arn)
}

/// What `$connect` said.
enum Answer {
    Welcome { subprotocol: Option<HeaderValue> },
    Refused(Box<Reply>),
}

/// Asks the `$connect` function; without one everybody is welcome.
async fn ask_connect<I: Integration>(
    shared: &Shared<I>,
    connection: &Connection,
    request_id: &str,
    fields: &HandshakeFields,
) -> Result<Answer, IntegrationError> {
    let Some(function) = &shared.settings.websocket_routes.connect else {
        return Ok(Answer::Welcome { subprotocol: None });
    };
    let event = source(shared, connection, request_id).connect(fields);
    let output = shared.invoke_websocket(function, event).await?;
    read_answer(&output).ok_or_else(|| {
        tracing::warn!(function, "malformed response of a proxy integration");
        IntegrationError::Failed {
            message: "malformed response".to_owned(),
        }
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConnectResponse {
    status_code: u16,
    #[serde(default)]
    headers: Option<Map<String, Value>>,
    #[serde(default)]
    body: Option<String>,
}

/// Reads the `$connect` function's output; `None` if it is no proxy response.
fn read_answer(output: &Bytes) -> Option<Answer> {
    let response: ConnectResponse = serde_json::from_slice(output).ok()?;
    let status = StatusCode::from_u16(response.status_code).ok()?;
    let headers = response.headers.unwrap_or_default();
    let value_of = |wanted: &http::HeaderName| {
        let mut headers = headers.iter();
        let (_, value) = headers.find(|(name, _)| name.eq_ignore_ascii_case(wanted.as_str()))?;
        HeaderValue::from_str(value.as_str()?).ok()
    };
    if status.is_success() {
        let subprotocol = value_of(&header::SEC_WEBSOCKET_PROTOCOL);
        return Some(Answer::Welcome { subprotocol });
    }
    if status.is_informational() {
        return None;
    }
    let body = response.body.unwrap_or_default();
    let mut refusal = reply::with_body(status, body.into());
    if let Some(content_type) = value_of(&header::CONTENT_TYPE) {
        let headers = refusal.headers_mut();
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    Some(Answer::Refused(Box::new(refusal)))
}

fn source<'a, I: Integration>(
    shared: &'a Shared<I>,
    connection: &'a Connection,
    request_id: &'a str,
) -> Source<'a> {
    Source {
        settings: &shared.settings,
        connection,
        request_id,
        at: connection.connected_at,
    }
}

/// The gateway's own refusal of a handshake.
fn refusal(connection: &Connection, request_id: &str, status: StatusCode, text: &str) -> Reply {
    let document = json!({
        "message": text,
        "connectionId": connection.id.as_str(),
        "requestId": request_id,
    });
    reply::json(status, &document)
}
