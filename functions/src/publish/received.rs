//! What a request to publish carries: a body of some kind, and perhaps a key.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fanout_core::idempotency::IdempotencyKey;
use fanout_core::problem::{FieldError, Problem};
use fanout_core::publish::media_type::{JSON, essence, is_json};
use http::HeaderMap;
use http::header::CONTENT_TYPE;

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const EVENT_PREFIX: &str = "ce-";
const STRUCTURED_EVENT: &str = "application/cloudevents+json";

/// How a body is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// JSON of our own.
    Json,
    /// A `CloudEvent` as JSON.
    StructuredEvent,
    /// The data of a `CloudEvent` whose attributes are headers.
    BinaryEvent,
}

/// Finds out how a body is to be read. Its type decides first, also where the
/// headers repeat a structured event's attributes (section 3 of the HTTP
/// binding of `CloudEvents`). One that does not say what it is, is taken for
/// JSON.
///
/// # Errors
/// 415 for anything else.
pub(super) fn kind_of(headers: &HeaderMap) -> Result<Kind, Problem> {
    let is_binary = headers.contains_key("ce-specversion");
    let declared = headers.get(CONTENT_TYPE);
    let declared = declared.map_or(JSON, |declared| declared.to_str().unwrap_or("not text"));
    match essence(declared).as_str() {
        STRUCTURED_EVENT => Ok(Kind::StructuredEvent),
        // A batch or another format of events is no notification.
        other if other.starts_with("application/cloudevents") => {
            Err(Problem::unsupported_media_type(declared))
        }
        _ if is_binary => Ok(Kind::BinaryEvent),
        other if is_json(other) => Ok(Kind::Json),
        _ => Err(Problem::unsupported_media_type(declared)),
    }
}

/// Takes JSON of our own alone.
///
/// # Errors
/// 415 for anything else.
pub(super) fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
    match kind_of(headers)? {
        Kind::Json => Ok(()),
        Kind::StructuredEvent | Kind::BinaryEvent => {
            Err(Problem::unsupported_media_type("a CloudEvent"))
        }
    }
}

/// The attributes of an event in binary mode, by their names.
///
/// # Errors
/// 422 for one that is no text.
pub(super) fn event_attributes(headers: &HeaderMap) -> Result<Vec<(&str, &str)>, Problem> {
    let attributes = headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix(EVENT_PREFIX)?;
        Some((name, value))
    });
    attributes
        .map(|(name, value)| match value.to_str() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(Problem::invalid_fields(vec![FieldError::new(
                format!("/{name}"),
                "expected printable ASCII, with other characters escaped as %XX",
            )])),
        })
        .collect()
}

/// Reads the body.
///
/// # Errors
/// 400 for base64 that is none.
pub(super) fn body_of(request: &ApiGatewayV2httpRequest) -> Result<Vec<u8>, Problem> {
    let body = request.body.as_deref().unwrap_or_default();
    if request.is_base64_encoded {
        let decoded = STANDARD.decode(body);
        decoded.map_err(|error| Problem::not_json(format!("the body is not base64: {error}")))
    } else {
        Ok(body.as_bytes().to_vec())
    }
}

/// Reads the idempotency key, where there is one.
///
/// # Errors
/// 400 for one that is malformed.
pub(super) fn key_of(
    request: &ApiGatewayV2httpRequest,
    caller: &str,
    body: &[u8],
) -> Result<Option<IdempotencyKey>, Problem> {
    let headers = &request.headers;
    let Some(key) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let path = request.raw_path.as_deref().unwrap_or_default();
    // What says what the body is, is part of the request.
    let mut parts = vec![path.as_bytes(), body];
    if let Some(content_type) = headers.get(CONTENT_TYPE) {
        parts.push(content_type.as_bytes());
    }
    let mut attributes: Vec<_> = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with(EVENT_PREFIX))
        .collect();
    attributes.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in attributes {
        parts.extend([name.as_str().as_bytes(), value.as_bytes()]);
    }
    IdempotencyKey::new(caller, key.as_bytes(), &parts)
        .map(Some)
        .map_err(|error| Problem::invalid_idempotency_key(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    /// Checks a body's kind, without and with the headers of an event in binary
    /// mode.
    #[track_caller]
    fn check_kind(
        content_type: Option<&str>,
        expected: Result<Kind, u16>,
        as_event: Result<Kind, u16>,
    ) {
        let mut headers = HeaderMap::new();
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
        }
        let kind = |headers: &HeaderMap| kind_of(headers).map_err(|problem| problem.status);
        assert_eq!(kind(&headers), expected, "{content_type:?}");
        headers.insert("ce-specversion", HeaderValue::from_static("1.0"));
        assert_eq!(
            kind(&headers),
            as_event,
            "{content_type:?} with ce-specversion"
        );
    }

    #[test]
    fn a_body_is_what_it_says_it_is() {
        let (json, binary) = (Ok(Kind::Json), Ok(Kind::BinaryEvent));
        let structured = Ok(Kind::StructuredEvent);
        check_kind(None, json, binary);
        check_kind(Some("application/json"), json, binary);
        check_kind(Some("Application/JSON; charset=utf-8"), json, binary);
        check_kind(Some("application/vnd.shop+json"), json, binary);
        check_kind(Some("text/plain"), Err(415), binary);
        check_kind(Some("application/x-www-form-urlencoded"), Err(415), binary);
        check_kind(Some(STRUCTURED_EVENT), structured, structured);
        let declared = "application/CloudEvents+JSON; charset=utf-8";
        check_kind(Some(declared), structured, structured);
        let batch = "application/cloudevents-batch+json";
        check_kind(Some(batch), Err(415), Err(415));
        check_kind(Some("application/cloudevents+avro"), Err(415), Err(415));
    }

    #[test]
    fn a_base64_body_is_decoded() {
        let mut request = ApiGatewayV2httpRequest::default();
        request.body = Some(STANDARD.encode("{}"));
        request.is_base64_encoded = true;
        assert_eq!(body_of(&request).unwrap(), b"{}");
        request.body = Some("%".to_owned());
        assert_eq!(body_of(&request).unwrap_err().status, 400);
    }
}
