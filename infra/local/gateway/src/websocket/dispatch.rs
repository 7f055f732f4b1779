//! Handing one socket's messages to functions.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::future::BoxFuture;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::event::Source;
use super::routing;
use super::session::Ended;
use crate::connections::Connection;
use crate::gateway::Shared;
use crate::ids;
use crate::integration::Integration;

/// How many messages of one client may wait for the function. Beyond that the
/// socket is not read, and the client feels the backpressure of TCP.
const MAX_WAITING: usize = 8;

/// Hands a socket's messages to functions: in order, one at a time.
///
/// API Gateway promises no order and invokes at once for every message. One at
/// a time bounds what a single client can ask of the machine.
pub(super) struct Dispatcher<I> {
    shared: Arc<Shared<I>>,
    connection: Arc<Connection>,
    waiting: VecDeque<Received>,
    running: Option<BoxFuture<'static, ()>>,
}

#[derive(Debug)]
struct Received {
    body: Utf8Bytes,
    at: Timestamp,
}

impl<I: Integration> Dispatcher<I> {
    pub(super) fn new(shared: Arc<Shared<I>>, connection: Arc<Connection>) -> Self {
        Self {
            shared,
            connection,
            waiting: VecDeque::new(),
            running: None,
        }
    }

    /// Whether one more message may come.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < MAX_WAITING
    }

    /// Takes a message, unless the account's rate is used up: then the client
    /// is told so.
    pub(super) fn accept(&mut self, body: Utf8Bytes) {
        if self.shared.account.admits() {
            self.shared.counters.messages_received.count();
            let at = self.shared.clock.now();
            self.waiting.push_back(Received { body, at });
        } else {
            self.shared.counters.messages_throttled.count();
            let request_id = ids::request_id();
            tell(&self.connection, "Too Many Requests", &request_id);
        }
    }

    /// Works through the messages: returns when one is done, and never when
    /// there is none.
    ///
    /// # Cancel safety
    ///
    /// A message that has been handed over stays so: the next call goes on
    /// waiting for it.
    pub(super) async fn advance(&mut self) {
        if self.running.is_none() {
            let Some(received) = self.waiting.pop_front() else {
                if self.waiting.capacity() > 0 {
                    self.waiting = VecDeque::new();
                }
                return pending().await;
            };
            let shared = Arc::clone(&self.shared);
            let connection = Arc::clone(&self.connection);
            self.running = Some(Box::pin(handle(shared, connection, received)));
        }
        if let Some(running) = &mut self.running {
            running.await;
            self.running = None;
        }
    }

    /// Lets the functions see everything that had arrived.
    pub(super) async fn drain(mut self) {
        while self.running.is_some() || !self.waiting.is_empty() {
            self.advance().await;
        }
    }
}

/// Tells the `$disconnect` function how a connection ended. Best effort, as on
/// AWS: it may be lost, and a failure is not repeated.
pub(super) async fn report_disconnect<I: Integration>(
    shared: &Shared<I>,
    connection: &Connection,
    ended: &Ended,
) {
    let Some(function) = &shared.settings.websocket_routes.disconnect else {
        return;
    };
    if shared.settings.faults.lost_disconnect.strikes() {
        shared.counters.disconnects_lost.count();
        return;
    }
    let at = shared.clock.now();
    // The semaphore is never closed; without a permit it would be one too many.
    let _permit = shared.disconnects.acquire().await;
    let request_id = ids::request_id();
    let event = Source {
        settings: &shared.settings,
        connection,
        request_id: &request_id,
        at,
    }
    .disconnect(ended);
    shared.counters.disconnects_reported.count();
    // A failure has been logged; there is nobody to tell.
    let _ = shared.invoke_websocket(function, event).await;
}

/// Handles one message: route, function, route response.
async fn handle<I: Integration>(
    shared: Arc<Shared<I>>,
    connection: Arc<Connection>,
    received: Received,
) {
    let routes = &shared.settings.websocket_routes;
    let request_id = ids::request_id();
    let Some(route) = routing::select(routes, &received.body) else {
        return tell(&connection, "Forbidden", &request_id);
    };
    let event = Source {
        settings: &shared.settings,
        connection: &connection,
        request_id: &request_id,
        at: received.at,
    }
    .message(route.key, &ids::request_id(), &received.body);
    drop(received);
    match shared.invoke_websocket(route.function, event).await {
        Ok(output) if routes.route_responses.contains(route.key) => {
            let body = response_body(&output);
            send(&connection, body.unwrap_or_default());
        }
        Ok(_) => {}
        Err(_) => tell(&connection, "Internal server error", &request_id),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProxyResponse {
    body: String,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// The body of a function's proxy response, if it has one.
fn response_body(output: &Bytes) -> Option<Bytes> {
    let response: ProxyResponse = serde_json::from_slice(output).ok()?;
    if response.is_base64_encoded {
        return STANDARD.decode(response.body).ok().map(Bytes::from);
    }
    Some(response.body.into())
}

/// Sends one of the gateway's own frames.
fn tell(connection: &Connection, message: &str, request_id: &str) {
    let frame = json!({
        "message": message,
        "connectionId": connection.id.as_str(),
        "requestId": request_id,
    });
    send(connection, frame.to_string().into());
}

/// Queues an answer among the pushes, within the same bounds: a client that
/// sends and does not read loses its answers.
fn send(connection: &Connection, body: Bytes) {
    if body.is_empty() {
        return;
    }
    if let Err(refused) = connection.push(body) {
        tracing::debug!(connection_id = %connection.id, ?refused, "answer dropped");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proxy_response_with_a_body_is_sent() {
        let body = |output: &'static str| response_body(&output.into());
        assert_eq!(body(r#"{"statusCode":200,"body":"hi"}"#), Some("hi".into()));
        assert_eq!(
            body(r#"{"body":"aGk=","isBase64Encoded":true}"#),
            Some("hi".into())
        );
        assert_eq!(body(r#"{"statusCode":200}"#), None);
        assert_eq!(body("null"), None);
    }
}
