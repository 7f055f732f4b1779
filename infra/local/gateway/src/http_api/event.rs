//! Events in payload format 2.0.
//!
//! "Create AWS Lambda proxy integrations for HTTP APIs" in the API Gateway
//! developer guide describes the format.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, header, request};
use jiff::Timestamp;
use serde::Serialize;

use super::routes::Matched;
use crate::clock::request_time;
use crate::settings::Settings;
use crate::uri::query_parameters;

/// A request, with what the gateway knows about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received<'a> {
    pub(super) head: &'a request::Parts,
    pub(super) body: &'a Bytes,
    pub(super) source_ip: IpAddr,
    pub(super) request_id: &'a str,
    pub(super) at: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    version: &'static str,
    route_key: &'a str,
    /// The path as it was sent, escapes included.
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<Cow<'a, str>>,
    headers: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: BTreeMap<String, String>,
    request_context: RequestContext<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    path_parameters: &'a BTreeMap<&'a str, String>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    account_id: &'a str,
    api_id: &'a str,
    domain_name: &'a str,
    domain_prefix: &'a str,
    http: Http<'a>,
    request_id: &'a str,
    route_key: &'a str,
    stage: &'static str,
    time: String,
    time_epoch: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    method: &'a str,
    path: &'a str,
    protocol: &'static str,
    source_ip: IpAddr,
    user_agent: Cow<'a, str>,
}

impl Received<'_> {
    /// Writes the event for the function behind `matched`.
    pub(super) fn event(self, settings: &Settings, matched: &Matched<'_>) -> Bytes {
        let route_key = matched.key();
        let headers = &self.head.headers;
        let path = self.head.uri.path();
        let query = self.head.uri.query().unwrap_or_default();
        let domain_name = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or_default();
        let (body, is_base64_encoded) = encode_body(headers, self.body);
        let event = Event {
            version: "2.0",
            route_key: &route_key,
            raw_path: path,
            raw_query_string: query,
            cookies: cookies(headers),
            headers: joined_headers(headers),
            query_string_parameters: query_parameters(query)
                .into_iter()
                .map(|(name, values)| (name, values.join(",")))
                .collect(),
            request_context: RequestContext {
                account_id: &settings.account_id,
                api_id: &settings.http_api_id,
                domain_name,
                domain_prefix: domain_name.split(['.', ':']).next().unwrap_or_default(),
                http: Http {
                    method: self.head.method.as_str(),
                    path,
                    protocol: "HTTP/1.1",
                    source_ip: self.source_ip,
                    user_agent: headers
                        .get(header::USER_AGENT)
                        .map(|agent| String::from_utf8_lossy(agent.as_bytes()))
                        .unwrap_or_default(),
                },
                request_id: self.request_id,
                route_key: &route_key,
                stage: "$default",
                time: request_time(self.at),
                time_epoch: self.at.as_millisecond(),
            },
            body,
            path_parameters: &matched.path_parameters,
            is_base64_encoded,
        };
        // Serializing strings and numbers to memory cannot fail.
        serde_json::to_vec(&event).unwrap_or_default().into()
    }
}

/// Headers by their lower-case names, the values of equal names joined by
/// commas. Cookies have their own place.
fn joined_headers(headers: &HeaderMap) -> BTreeMap<&str, String> {
    let names = headers.keys().filter(|name| *name != header::COOKIE);
    names
        .map(|name| {
            let values = headers.get_all(name).iter();
            let values: Vec<_> = values
                .map(|value| String::from_utf8_lossy(value.as_bytes()))
                .collect();
            (name.as_str(), values.join(","))
        })
        .collect()
}

fn cookies(headers: &HeaderMap) -> Vec<Cow<'_, str>> {
    let lines = headers.get_all(header::COOKIE).iter();
    let lines = lines.filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .map(|cookie| Cow::Borrowed(cookie.trim()))
        .filter(|cookie| !cookie.is_empty())
        .collect()
}

/// The body as the event carries it, and whether that is base64: so is what a
/// content type does not declare to be text, and what is no UTF-8.
fn encode_body<'a>(headers: &HeaderMap, body: &'a Bytes) -> (Option<Cow<'a, str>>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    let content_type = headers.get(header::CONTENT_TYPE);
    let is_text = content_type
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .is_none_or(|value| is_text_type(&value));
    match str::from_utf8(body) {
        Ok(text) if is_text => (Some(Cow::Borrowed(text)), false),
        _ => (Some(Cow::Owned(STANDARD.encode(body))), true),
    }
}

/// Whether a content type is one that HTTP APIs pass on as text:
/// `text/*`, JSON, XML and JavaScript. Forms are not among them.
fn is_text_type(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    essence.starts_with("text/")
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
        || matches!(
            essence.as_str(),
            "application/json" | "application/xml" | "application/javascript"
        )
}

#[cfg(test)]
mod tests;
