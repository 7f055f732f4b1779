//! What a subscriber's frame says about itself.

use std::borrow::Cow;

use serde::Deserialize;

/// A frame, as far as the load test looks into it.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A `CloudEvents` 1.0 event in structured mode.
    Notification {
        /// The event's `id`, the same on every socket.
        id: Cow<'a, str>,
    },
    /// Anything else: replies to actions, errors, text that is not JSON.
    Other,
}

/// Reads a text frame. Allocates only for an `id` written with escapes.
///
/// `id` and `type` are both required of every event and are never empty
/// (`CloudEvents` 1.0, "Required Attributes").
#[must_use]
pub fn scan(text: &str) -> Frame<'_> {
    match serde_json::from_str(text) {
        Ok(Envelope {
            id: Text(id),
            event_type: Text(event_type),
        }) if !id.is_empty() && !event_type.is_empty() => Frame::Notification { id },
        _ => Frame::Other,
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow, rename = "type")]
    event_type: Text<'a>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, id: Option<&str>) {
        let expected = id.map_or(Frame::Other, |id| Frame::Notification { id: id.into() });
        assert_eq!(scan(text), expected, "{text}");
    }

    #[test]
    fn events_are_told_from_replies() {
        check(
            r#"{"specversion":"1.0","id":"7","source":"/orders","type":"book.ordered","data":{"id":1,"type":2}}"#,
            Some("7"),
        );
        check(r#"{"type":"t","id":"a\u0062"}"#, Some("ab"));
        check(r#"{"type":"pong"}"#, None);
        check(r#"{"id":"7"}"#, None);
        check(r#"{"type":"t","id":7}"#, None);
        check(r#"{"type":"t","id":""}"#, None);
        check(
            r#"{"message":"Internal server error","requestId":"r"}"#,
            None,
        );
        check("not json", None);
        check("[]", None);
        check("", None);
    }

    #[test]
    fn an_id_without_escapes_is_not_copied() {
        let Frame::Notification { id } = scan(r#"{"id":"7","type":"t"}"#) else {
            panic!("not a notification");
        };
        assert!(matches!(id, Cow::Borrowed("7")));
    }
}
