//! `CloudEvents` that publishers send, in structured and in binary mode
//! (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>).
//!
//! `subject` is the topic, also a user's or an organisation's (`user:42`);
//! without one the event is for everyone. The extension `expirytime`
//! (<https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/expirytime.md>)
//! says when it is not pushed any more. All other attributes reach subscribers
//! as they are, `id` and `source` included.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::fields::{Fields, MAX_TTL_SECONDS, name_of, text};
use super::notification::MAX_TYPE_LENGTH;
use crate::notification::{Draft, Target};
use crate::problem::{FieldError, Problem};

/// The longest `id` or `source`, in characters. The specification asks
/// intermediaries to pass on events of 64 KB; ours are bounded as frames.
const MAX_ATTRIBUTE_LENGTH: usize = 2_048;
const JSON: &str = "application/json";

/// Reads an event in structured mode: the body is the event, as JSON.
///
/// # Errors
/// A problem that names every attribute that is wrong.
pub fn parse_structured(body: &[u8], now: Timestamp) -> Result<Draft, Problem> {
    match super::parse_json(body)? {
        Value::Object(event) => read(event, now),
        other => Err(Problem::invalid_fields(vec![FieldError::new(
            "",
            format!(
                "expected a CloudEvent, a JSON object, got {}",
                name_of(&other)
            ),
        )])),
    }
}

/// Reads an event in binary mode: the body is its data, of `content_type`, and
/// `headers` are the values of the `ce-` headers by the attributes' names.
///
/// # Errors
/// A problem that names every attribute that is wrong.
pub fn parse_binary<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    content_type: Option<&str>,
    body: &[u8],
    now: Timestamp,
) -> Result<Draft, Problem> {
    let mut event = Map::new();
    for (name, value) in headers {
        event.insert(name.to_owned(), percent_decoded(value).into());
    }
    let content_type = content_type.unwrap_or(JSON);
    event.insert("datacontenttype".to_owned(), content_type.into());
    if is_json(content_type) {
        if !body.is_empty() {
            event.insert("data".to_owned(), super::parse_json(body)?);
        }
    } else if let Ok(text) = std::str::from_utf8(body) {
        event.insert("data".to_owned(), text.into());
    } else {
        event.insert("data_base64".to_owned(), STANDARD.encode(body).into());
    }
    read(event, now)
}

/// Whether a media type is JSON.
pub(super) fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    essence == JSON || essence.ends_with("+json")
}

fn read(event: Map<String, Value>, now: Timestamp) -> Result<Draft, Problem> {
    let mut fields = Fields::new(event, String::new());
    fields.required("specversion", "\"1.0\"", |version| match version.as_str() {
        Some("1.0") => Ok(()),
        _ => Err(format!("expected \"1.0\", got {version}")),
    });
    let mut attributes = Map::new();
    for name in ["id", "source"] {
        if let Some(value) = fields.required(name, "a string", text(MAX_ATTRIBUTE_LENGTH)) {
            attributes.insert(name.to_owned(), value.into());
        }
    }
    let event_type = fields.required("type", "the event type, a string", text(MAX_TYPE_LENGTH));
    let target = fields.optional("subject", |subject| {
        let topic = text(MAX_ATTRIBUTE_LENGTH)(subject)?.parse();
        let topic = topic.map_err(|error| format!("{error}; the subject is the topic"))?;
        Ok(Target::Topic { topic })
    });
    let time = fields.optional("time", timestamp);
    let content_type = fields.optional("datacontenttype", text(MAX_ATTRIBUTE_LENGTH));
    let schema = fields.optional("dataschema", text(MAX_ATTRIBUTE_LENGTH));
    let expires_at = fields.optional("expirytime", timestamp);
    let base64 = fields.optional("data_base64", |data| {
        let data = data.as_str().ok_or("expected a string of base64")?;
        STANDARD
            .decode(data)
            .map_err(|error| format!("is no base64: {error}"))?;
        Ok(data.to_owned())
    });
    let data = fields.take("data");
    if base64.is_some() && data.is_some() {
        fields.error("data_base64", "must not stand beside data".to_owned());
    }
    let given = [
        ("time", time.map(|time| time.to_string())),
        ("datacontenttype", content_type),
        ("dataschema", schema),
        ("data_base64", base64),
        ("expirytime", expires_at.map(|time| time.to_string())),
    ];
    for (name, value) in given {
        if let Some(value) = value {
            attributes.insert(name.to_owned(), value.into());
        }
    }
    for (name, value) in fields.take_rest() {
        match extension(&name, &value) {
            Ok(()) => {
                attributes.insert(name, value);
            }
            Err(detail) => fields.error(&name, detail),
        }
    }
    match (event_type, fields.finish()) {
        (Some(event_type), errors) if errors.is_empty() => Ok(Draft {
            event_type,
            target: target.unwrap_or(Target::Everyone),
            data: data.unwrap_or(Value::Null),
            attributes,
            ttl_seconds: expires_at.map(|expiry| seconds_until(expiry, now)),
        }),
        (_, errors) => Err(Problem::invalid_fields(errors)),
    }
}

/// Checks an extension: names are lower-case letters and digits, values are
/// simple (section "Attributes" of the specification).
fn extension(name: &str, value: &Value) -> Result<(), String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if name.is_empty() || !name.chars().all(is_name) {
        return Err("no attribute of a CloudEvent: names are made of a to z and 0 to 9".to_owned());
    }
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        Value::Array(_) | Value::Object(_) => Err(format!(
            "expected a string, a number or a boolean, got {}",
            name_of(value)
        )),
    }
}

fn timestamp(value: &Value) -> Result<Timestamp, String> {
    let time = value.as_str().and_then(|time| time.parse().ok());
    time.ok_or_else(|| format!("expected a time such as 2026-11-21T08:00:00Z, got {value}"))
}

fn seconds_until(expiry: Timestamp, now: Timestamp) -> u32 {
    let left = expiry.duration_since(now).as_secs();
    let most = i64::try_from(MAX_TTL_SECONDS).unwrap_or(i64::MAX);
    u32::try_from(left.clamp(0, most)).unwrap_or_default()
}

/// Decodes a header's value: what is not printable ASCII travels as `%XX`
/// (section 3.1.3.2 of the binding). What does not decode to text stays as it
/// was sent.
fn percent_decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = after.first_chunk::<2>().filter(|_| byte == b'%');
        let escaped = escaped.and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 16).ok()
        });
        bytes.push(escaped.unwrap_or(byte));
        rest = match escaped {
            Some(_) => after.get(2..).unwrap_or_default(),
            None => after,
        };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn now() -> Timestamp {
        "2026-11-21T08:00:00Z".parse().unwrap()
    }

    fn event(more: &Value) -> Vec<u8> {
        let mut event = json!({"specversion": "1.0", "id": "7", "source": "/shop", "type": "sold"});
        let fields = event.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        event.to_string().into_bytes()
    }

    #[track_caller]
    fn check_refused(more: &Value, expected: &[&str]) {
        let problem = parse_structured(&event(more), now()).unwrap_err();
        let pointers: Vec<_> = problem.errors.iter().map(|e| e.pointer.as_str()).collect();
        assert_eq!(
            (problem.status, pointers.as_slice()),
            (422, expected),
            "{more}"
        );
    }

    #[test]
    fn a_structured_event_keeps_its_attributes() {
        let more = json!({
            "subject": "stocks/AAPL", "data": {"price": 1.5}, "traceparent": "00-1-2-01",
            "time": "2026-11-21T07:59:59Z", "expirytime": "2026-11-21T08:01:00Z",
        });
        let draft = parse_structured(&event(&more), now()).unwrap();
        let topic = "stocks/AAPL".parse().unwrap();
        assert_eq!(draft.target, Target::Topic { topic });
        assert_eq!(draft.data, json!({"price": 1.5}));
        assert_eq!(draft.ttl_seconds, Some(60));
        assert_eq!(
            Value::Object(draft.attributes),
            json!({
                "id": "7", "source": "/shop", "time": "2026-11-21T07:59:59Z",
                "expirytime": "2026-11-21T08:01:00Z", "traceparent": "00-1-2-01",
            })
        );
    }

    #[test]
    fn an_event_without_a_subject_is_for_everyone() {
        let draft = parse_structured(&event(&json!({})), now()).unwrap();
        assert_eq!(draft.target, Target::Everyone);
        assert_eq!(draft.data, Value::Null);
    }

    #[test]
    fn every_wrong_attribute_is_named() {
        check_refused(&json!({"specversion": "0.3"}), &["/specversion"]);
        check_refused(&json!({"id": "", "source": 1}), &["/id", "/source"]);
        check_refused(&json!({"subject": "a b"}), &["/subject"]);
        check_refused(&json!({"time": "noon"}), &["/time"]);
        check_refused(&json!({"Trace": "x", "list": []}), &["/Trace", "/list"]);
        check_refused(&json!({"data_base64": "%"}), &["/data_base64"]);
        let both = json!({"data_base64": "aGk=", "data": 1});
        check_refused(&both, &["/data_base64"]);
    }

    #[test]
    fn a_binary_event_has_its_attributes_in_headers() {
        let headers = [
            ("specversion", "1.0"),
            ("id", "7"),
            ("source", "/shop"),
            ("type", "sold"),
            ("shop", "Caf%C3%A9"),
        ];
        let read =
            |content_type, body: &[u8]| parse_binary(headers, content_type, body, now()).unwrap();
        let json_event = read(Some("application/json"), br#"{"n":1}"#);
        assert_eq!(json_event.data, json!({"n": 1}));
        assert_eq!(json_event.attributes["shop"], "Café");
        let text = read(Some("text/plain"), b"hello");
        assert_eq!(text.data, "hello");
        assert_eq!(text.attributes["datacontenttype"], "text/plain");
        let binary = read(Some("image/png"), &[0xff, 0xfe]);
        assert_eq!(binary.attributes["data_base64"], "//4=");
        let broken = parse_binary(headers, None, b"{", now()).unwrap_err();
        assert_eq!(broken.code, "not_json");
    }

    #[test]
    fn an_event_that_has_expired_is_taken_and_not_pushed() {
        let more = json!({"expirytime": "2026-11-21T07:00:00Z"});
        let draft = parse_structured(&event(&more), now()).unwrap();
        assert_eq!(draft.ttl_seconds, Some(0));
    }
}
