//! Which notification a frame is.

use std::{borrow::Cow, str::FromStr};

use serde_json::Value;

use crate::{
    frame::{Frame, scan},
    mark::Mark,
};

/// How frames are told apart, and brought together with the publish that
/// caused them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Identity {
    /// Frames are `CloudEvents`; the answer to the publish is JSON and names
    /// the event's `id`.
    #[default]
    Event,
    /// Frames are JSON with an id, which the answer to the publish names too.
    Id {
        /// Where in the frame.
        frame: Pointer,
        /// Where in the answer.
        answer: Pointer,
    },
    /// Frames are JSON and have the intended send of the publish somewhere.
    Intended(Pointer),
    /// Frames have the mark of the publish anywhere.
    Mark,
}

impl Identity {
    /// The id of the notification that a frame is; `None` if it is something
    /// else.
    #[must_use]
    pub fn of_frame<'a>(&self, text: &'a str) -> Option<Cow<'a, str>> {
        match self {
            Self::Event => match scan(text) {
                Frame::Notification { id } => Some(id),
                Frame::Other => None,
            },
            Self::Id { frame, .. } | Self::Intended(frame) => {
                frame.read(text.as_bytes()).map(Cow::Owned)
            }
            Self::Mark => Mark::find(text).map(|(_, written)| Cow::Borrowed(written)),
        }
    }

    /// The id that the frames of a publish will have; `None` if the answer to
    /// the publish should have named it and did not.
    #[must_use]
    pub fn of_publish(&self, mark: &Mark, answer: &[u8]) -> Option<String> {
        match self {
            Self::Event => Pointer("/id".to_owned()).read(answer),
            Self::Id { answer: at, .. } => at.read(answer),
            Self::Intended(_) => Some(mark.intended.as_micros().to_string()),
            Self::Mark => Some(mark.to_string()),
        }
    }
}

/// A place in a JSON document
/// ([RFC 6901](https://www.rfc-editor.org/rfc/rfc6901)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer(String);

impl Pointer {
    /// The string or number there, as text.
    fn read(&self, json: &[u8]) -> Option<String> {
        let document: Value = serde_json::from_slice(json).ok()?;
        match document.pointer(&self.0)? {
            Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, PointerError> {
        if !text.starts_with('/') {
            return Err(PointerError(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Not a pointer to a part of a JSON document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a JSON pointer such as /data/id, got \"{0}\"")]
pub struct PointerError(String);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn pointer(text: &str) -> Pointer {
        text.parse().unwrap()
    }

    fn mark() -> Mark {
        Mark {
            run: "3fa9c2d1".parse().unwrap(),
            machine: 1,
            sequence: 2,
            intended: Duration::from_micros(77),
        }
    }

    #[track_caller]
    fn check(identity: &Identity, frame: &str, answer: &str, id: Option<&str>) {
        assert_eq!(identity.of_frame(frame).as_deref(), id, "{frame}");
        let published = identity.of_publish(&mark(), answer.as_bytes());
        assert_eq!(published.as_deref(), id, "{answer}");
    }

    #[test]
    fn a_frame_is_brought_together_with_its_publish() {
        let event = r#"{"type":"t","id":"7"}"#;
        check(&Identity::Event, event, r#"{"id":"7"}"#, Some("7"));
        let id = Identity::Id {
            frame: pointer("/push/0/offset"),
            answer: pointer("/result/offset"),
        };
        check(
            &id,
            r#"{"push":[{"offset":7}]}"#,
            r#"{"result":{"offset":"7"}}"#,
            Some("7"),
        );
        check(&id, r#"{"push":[]}"#, "", None);
        let intended = Identity::Intended(pointer("/at"));
        check(&intended, r#"{"at":77}"#, "ok", Some("77"));
        let frame = format!(r#"["message","{{\"m\":\"{}\"}}"]"#, mark());
        check(&Identity::Mark, &frame, "", Some(&mark().to_string()));
    }

    #[test]
    fn a_pointer_is_absolute() {
        assert_eq!(
            "data/id".parse::<Pointer>().unwrap_err().to_string(),
            "expected a JSON pointer such as /data/id, got \"data/id\""
        );
    }
}
