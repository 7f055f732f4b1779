//! The events of a WebSocket API.
//!
//! Their fields are those of "API Gateway mapping template and access logging
//! variable reference for WebSocket APIs" in the developer guide, in the form
//! in which the Lambda proxy integration sends them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderMap, header, request};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::session::Ended;
use crate::clock::request_time;
use crate::connections::Connection;
use crate::settings::Settings;
use crate::uri::query_parameters;

/// What all events of one connection are written from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) settings: &'a Settings,
    pub(super) connection: &'a Connection,
    pub(super) request_id: &'a str,
    /// When the gateway received what the event is about.
    pub(super) at: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(flatten)]
    handshake: Option<&'a HandshakeFields>,
    request_context: RequestContext<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AuthorizerEvent<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    method_arn: &'a str,
    #[serde(flatten)]
    handshake: &'a HandshakeFields,
    stage_variables: BTreeMap<&'static str, &'static str>,
    request_context: RequestContext<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    route_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizer: Option<&'a Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnect_status_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnect_reason: Option<&'a str>,
    event_type: &'static str,
    extended_request_id: &'a str,
    request_time: String,
    message_direction: &'static str,
    stage: &'a str,
    connected_at: i64,
    request_time_epoch: i64,
    identity: Identity<'a>,
    request_id: &'a str,
    domain_name: &'a str,
    connection_id: &'a str,
    api_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    source_ip: IpAddr,
}

/// The headers and the query of a handshake, as events carry them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HandshakeFields {
    headers: BTreeMap<String, String>,
    multi_value_headers: BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    multi_value_query_string_parameters: BTreeMap<String, Vec<String>>,
}

impl HandshakeFields {
    pub(super) fn of(head: &request::Parts) -> Self {
        let multi_value_headers = multi_value_headers(&head.headers);
        let query = head.uri.query().unwrap_or_default();
        let multi_value_query_string_parameters = query_parameters(query);
        Self {
            headers: last_values(&multi_value_headers),
            multi_value_headers,
            query_string_parameters: last_values(&multi_value_query_string_parameters),
            multi_value_query_string_parameters,
        }
    }
}

impl Source<'_> {
    /// The event for `$connect`.
    pub(super) fn connect(&self, handshake: &HandshakeFields) -> Bytes {
        let context = self.context("$connect", "CONNECT");
        Self::write(&Event {
            handshake: Some(handshake),
            request_context: context,
            body: None,
            is_base64_encoded: false,
        })
    }

    /// The event for the authorizer of `$connect`.
    pub(super) fn authorize(&self, method_arn: &str, handshake: &HandshakeFields) -> Bytes {
        Self::write(&AuthorizerEvent {
            kind: "REQUEST",
            method_arn,
            handshake,
            stage_variables: BTreeMap::new(),
            request_context: self.context("$connect", "CONNECT"),
        })
    }

    /// The event for a message on the route `route_key`.
    pub(super) fn message(&self, route_key: &str, message_id: &str, body: &str) -> Bytes {
        let mut context = self.context(route_key, "MESSAGE");
        context.message_id = Some(message_id);
        Self::write(&Event {
            handshake: None,
            request_context: context,
            body: Some(body),
            is_base64_encoded: false,
        })
    }

    /// The event for `$disconnect`.
    pub(super) fn disconnect(&self, ended: &Ended) -> Bytes {
        let mut context = self.context("$disconnect", "DISCONNECT");
        context.disconnect_status_code = Some(ended.code);
        context.disconnect_reason = Some(&ended.reason);
        Self::write(&Event {
            handshake: None,
            request_context: context,
            body: None,
            is_base64_encoded: false,
        })
    }

    fn context<'a>(&'a self, route_key: &'a str, event_type: &'static str) -> RequestContext<'a> {
        let connection = self.connection;
        RequestContext {
            route_key,
            authorizer: connection.authorizer.as_ref(),
            message_id: None,
            disconnect_status_code: None,
            disconnect_reason: None,
            event_type,
            extended_request_id: self.request_id,
            request_time: request_time(self.at),
            message_direction: "IN",
            stage: &self.settings.stage,
            connected_at: connection.connected_at.as_millisecond(),
            request_time_epoch: self.at.as_millisecond(),
            identity: Identity {
                user_agent: connection.user_agent.as_deref(),
                source_ip: connection.source_ip,
            },
            request_id: self.request_id,
            domain_name: &connection.domain_name,
            connection_id: connection.id.as_str(),
            api_id: &self.settings.websocket_api_id,
        }
    }

    fn write(event: &impl Serialize) -> Bytes {
        // Serializing strings and numbers to memory cannot fail.
        serde_json::to_vec(event).unwrap_or_default().into()
    }
}

/// All headers but those of this one hop, under the names that clients give
/// them.
fn multi_value_headers(headers: &HeaderMap) -> BTreeMap<String, Vec<String>> {
    let is_end_to_end = |name: &&http::HeaderName| {
        let name = *name;
        *name != header::CONNECTION && *name != header::UPGRADE
    };
    let names = headers.keys().filter(is_end_to_end);
    names
        .map(|name| {
            let values = headers.get_all(name).iter();
            let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            (conventional_name(name.as_str()), values.collect())
        })
        .collect()
}

/// Writes a lower-case header name in the customary way:
/// `Sec-WebSocket-Protocol`, `X-Forwarded-For`.
fn conventional_name(name: &str) -> String {
    let words = name.split('-').map(|word| {
        if word == "websocket" {
            return "WebSocket".to_owned();
        }
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).collect()
    });
    words.collect::<Vec<_>>().join("-")
}

fn last_values(values: &BTreeMap<String, Vec<String>>) -> BTreeMap<String, String> {
    let last = |(name, values): (&String, &Vec<String>)| {
        let value = values.last().cloned().unwrap_or_default();
        (name.clone(), value)
    };
    values.iter().map(last).collect()
}

#[cfg(test)]
mod tests;
