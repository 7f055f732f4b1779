//! `CloudEvents` that publishers send, in structured and in binary mode
//! (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>).
//!
//! `subject` is the topic, also a user's or an organisation's (`user:42`);
//! without one the event is for everyone. The extension `expirytime`
//! (<https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/expirytime.md>)
//! says when it is not pushed any more. All other attributes reach subscribers
//! as they are, `id` and `source` included.

mod header;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Number, Value};

use super::fields::{Fields, name_of, text};
use super::media_type::{JSON, essence, is_json};
use super::notification::MAX_TYPE_LENGTH;
use crate::notification::{Draft, Expiry, Target};
use crate::problem::{FieldError, Problem};

/// The longest `id` or `source`, in characters. The specification asks
/// intermediaries to pass on events of 64 KB; ours are bounded as frames.
const MAX_ATTRIBUTE_LENGTH: usize = 2_048;
/// What no header says: the body is the data, and `Content-Type` its type
/// (sections 3.1.1 and 3.1.2 of the binding).
const NO_HEADERS: [&str; 3] = ["datacontenttype", "data", "data_base64"];

/// Reads an event in structured mode: the body is the event, as JSON.
///
/// # Errors
/// A problem that names every attribute that is wrong.
pub fn parse_structured(body: &[u8]) -> Result<Draft, Problem> {
    match super::parse_json(body)? {
        Value::Object(event) => read(event),
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
) -> Result<Draft, Problem> {
    let mut event = Map::new();
    let mut errors = Vec::new();
    for (name, value) in headers {
        match attribute_of(name, value) {
            Ok(value) => {
                event.insert(name.to_owned(), value.into());
            }
            Err(detail) => errors.push(FieldError::new(format!("/{name}"), detail)),
        }
    }
    if !errors.is_empty() {
        return Err(Problem::invalid_fields(errors));
    }
    if let Some(content_type) = content_type {
        event.insert("datacontenttype".to_owned(), content_type.into());
    }
    // Without a body, the event has no data.
    if !body.is_empty() {
        let (member, data) = if is_json(&essence(content_type.unwrap_or(JSON))) {
            ("data", super::parse_json(body)?)
        } else if let Ok(text) = std::str::from_utf8(body) {
            ("data", text.into())
        } else {
            ("data_base64", STANDARD.encode(body).into())
        };
        event.insert(member.to_owned(), data);
    }
    read(event)
}

/// Reads an attribute that is a header.
fn attribute_of(name: &str, value: &str) -> Result<String, String> {
    if NO_HEADERS.contains(&name) {
        let detail = "is no header: the body is the data, and Content-Type says its type";
        return Err(detail.to_owned());
    }
    header::decoded(value).map_err(|error| format!("does not decode to UTF-8: {error}"))
}

fn read(event: Map<String, Value>) -> Result<Draft, Problem> {
    let mut fields = Fields::new(event, String::new());
    fields.required("specversion", "\"1.0\"", |version| match version.as_str() {
        Some("1.0") => Ok(()),
        _ => Err(format!("expected \"1.0\", got {version}")),
    });
    let mut attributes = Map::new();
    let id = fields.required("id", "a string", printable(MAX_ATTRIBUTE_LENGTH));
    let source = fields.required("source", "a URI reference", uri_reference);
    for (name, value) in [("id", id), ("source", source)] {
        if let Some(value) = value {
            attributes.insert(name.to_owned(), value.into());
        }
    }
    let expected = "the event type, a string";
    let event_type = fields.required("type", expected, printable(MAX_TYPE_LENGTH));
    let target = fields.optional("subject", |subject| {
        let topic = text(MAX_ATTRIBUTE_LENGTH)(subject)?.parse();
        let topic = topic.map_err(|error| format!("{error}; the subject is the topic"))?;
        Ok(Target::Topic { topic })
    });
    let time = fields.optional("time", timestamp);
    let content_type = fields.optional("datacontenttype", printable(MAX_ATTRIBUTE_LENGTH));
    let schema = fields.optional("dataschema", printable(MAX_ATTRIBUTE_LENGTH));
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
    let extensions = fields.take_rest().into_iter();
    // Null is as good as absent (section 3.2 of the JSON format).
    for (name, value) in extensions.filter(|(_, value)| !value.is_null()) {
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
            data,
            attributes,
            expiry: expires_at.map(Expiry::At),
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
        Value::Bool(_) => Ok(()),
        Value::String(text) => refuse_controls(text),
        Value::Number(number) if is_integer(number) => Ok(()),
        Value::Number(number) => Err(format!(
            "expected a whole number within 32 bits, got {number}"
        )),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(format!(
            "expected a string, a whole number or a boolean, got {}",
            name_of(value)
        )),
    }
}

/// Whether a number is an `Integer` of the specification: whole, within 32 bits
/// with a sign. Written with a fraction of zero it is one, as in JSON Schema.
fn is_integer(number: &Number) -> bool {
    let within = f64::from(i32::MIN)..=f64::from(i32::MAX);
    let number = number.as_f64();
    number.is_some_and(|number| number.fract() == 0.0 && within.contains(&number))
}

/// Reads a string of 1 to `most` characters, none of them a control character:
/// the specification has none in strings.
fn printable(most: usize) -> impl FnOnce(&Value) -> Result<String, String> {
    move |value| {
        let text = text(most)(value)?;
        refuse_controls(&text)?;
        Ok(text)
    }
}

fn refuse_controls(text: &str) -> Result<(), String> {
    match text.chars().find(|c| c.is_control()) {
        Some(control) => Err(format!("must not have control characters, got {control:?}")),
        None => Ok(()),
    }
}

/// Reads a URI reference, as far as its characters tell (RFC 3986, section 2).
fn uri_reference(value: &Value) -> Result<String, String> {
    let uri = text(MAX_ATTRIBUTE_LENGTH)(value)?;
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c);
    if let Some(other) = uri.chars().find(|c| !is_allowed(*c)) {
        return Err(format!("expected a URI reference, got {other:?} in it"));
    }
    let is_escape = |after: &str| {
        let digits = after.as_bytes().first_chunk::<2>();
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !uri.split('%').skip(1).all(is_escape) {
        return Err("expected a URI reference, got a % without two digits".to_owned());
    }
    Ok(uri)
}

fn timestamp(value: &Value) -> Result<Timestamp, String> {
    let time = value.as_str().and_then(|time| time.parse().ok());
    time.ok_or_else(|| format!("expected a time such as 2026-11-21T08:00:00Z, got {value}"))
}

#[cfg(test)]
mod tests;
