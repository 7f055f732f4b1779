//! Why a client's message is answered with an error frame.

use serde::Serialize;

use crate::store::MAX_TOPICS_AT_ONCE;
use crate::topic::{Topic, TopicError};

const KNOWN: &str = "whoami, echo, ping, subscribe, unsubscribe, sendmessage";
/// What is malformed is cut to so many characters where it is quoted back.
const QUOTED_LENGTH: usize = 48;
/// How many topics an error names. All of them would be a frame as large as
/// the message.
const NAMED_TOPICS: usize = 10;
/// How many bytes the names of topics have that are not cut: those of ten
/// topics as clients may choose, or of the longest one of a user. Twice as many,
/// should JSON escape all of them, leave the frame under 4 KiB.
const NAMED_BYTES: usize = 1_700;

/// Why a client's message is answered with an error frame. The connection
/// stays open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// The message is no JSON.
    #[error("the message is not JSON: {0}")]
    NotJson(String),
    /// The message is JSON, but no object with an `action` that is a string.
    #[error("expected a JSON object with \"action\", a string, such as {{\"action\":\"ping\"}}")]
    NoAction,
    /// The action, cut to a few dozen characters, is not known.
    #[error("unknown action {0:?}; known are {KNOWN}")]
    Unknown(String),
    /// There are no topics, or something that is not a list of names.
    #[error("expected \"topics\", a list of at least one name, such as [\"news\"]")]
    NoTopics,
    /// Some topics are misspelt.
    #[error("{first}")]
    MalformedTopics {
        /// The first of them, each cut to a few dozen characters.
        names: Vec<String>,
        /// What is wrong with the first one.
        first: TopicError,
    },
    /// One message names more topics than are changed at once.
    #[error("at most {MAX_TOPICS_AT_ONCE} topics a message, got {count}")]
    TooManyTopicsAtOnce {
        /// How many it names.
        count: usize,
    },
    /// The connection would listen to more topics than it may.
    #[error("at most {most} topics a connection, this would make {count}")]
    TooManyTopics {
        /// How many it would listen to.
        count: usize,
        /// How many it may.
        most: usize,
    },
    /// Some topics are not for this client to choose.
    #[error("topics that are not for this client to choose: {count}")]
    ForbiddenTopics {
        /// The first of them, whole.
        names: Vec<String>,
        /// How many there are.
        count: usize,
    },
    /// There is nothing to send.
    #[error("expected \"message\", any JSON")]
    NoMessage,
    /// What is to be sent would be a frame larger than is pushed.
    #[error("the message makes a frame of {bytes} bytes, at most {limit} are pushed")]
    TooLarge {
        /// The frame's size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The client has sent as many messages as it may.
    #[error("at most {per_minute} messages a minute; try again in {retry_after_seconds} seconds")]
    RateLimited {
        /// How many it may send.
        per_minute: u32,
        /// When it may go on.
        retry_after_seconds: u32,
    },
    /// Clients may not send messages here.
    #[error("clients cannot send messages here")]
    SendMessageOff,
    /// The connection is not stored, and so reached by nothing.
    #[error("this connection is not known any more; connect again")]
    NotConnected,
    /// A store or a queue did not answer: what was asked for may have been done.
    #[error(
        "it is not known whether this was done; try again: to subscribe twice is harmless, \
         a message may go out twice"
    )]
    Unavailable,
}

impl ActionError {
    pub(super) fn unknown(action: &str) -> Self {
        Self::Unknown(quoted(action))
    }

    pub(super) fn malformed_topics<'a>(
        names: impl Iterator<Item = &'a str>,
        first: TopicError,
    ) -> Self {
        let names = names.take(NAMED_TOPICS).map(quoted).collect();
        Self::MalformedTopics { names, first }
    }

    /// Makes the error of topics that a client may not choose.
    #[must_use]
    pub fn forbidden_topics(topics: &[&Topic]) -> Self {
        let names = topics.iter().map(|topic| topic.as_str());
        let fitting = names.take(NAMED_TOPICS).scan(NAMED_BYTES, |left, name| {
            *left = left.checked_sub(name.len())?;
            Some(name.to_owned())
        });
        Self::ForbiddenTopics {
            names: fitting.collect(),
            count: topics.len(),
        }
    }

    /// Returns the error's code, stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotJson(_) => "not_json",
            Self::NoAction => "no_action",
            Self::Unknown(_) => "unknown_action",
            Self::NoTopics | Self::MalformedTopics { .. } => "invalid_topics",
            Self::TooManyTopicsAtOnce { .. } | Self::TooManyTopics { .. } => "too_many_topics",
            Self::ForbiddenTopics { .. } => "forbidden_topics",
            Self::NoMessage => "no_message",
            Self::TooLarge { .. } => "too_large",
            Self::RateLimited { .. } => "rate_limited",
            Self::SendMessageOff => "sendmessage_off",
            Self::NotConnected => "not_connected",
            Self::Unavailable => "unavailable",
        }
    }

    /// Writes the error as a frame, well under 4 KiB whatever the client sent.
    pub(super) fn frame(&self) -> impl Serialize + '_ {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Frame<'a> {
            r#type: &'static str,
            code: &'static str,
            detail: String,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            topics: &'a [String],
            #[serde(skip_serializing_if = "Option::is_none")]
            retry_after_seconds: Option<u32>,
        }
        Frame {
            r#type: "error",
            code: self.code(),
            detail: self.to_string(),
            topics: self.topics(),
            retry_after_seconds: match self {
                Self::RateLimited {
                    retry_after_seconds,
                    ..
                } => Some(*retry_after_seconds),
                _ => None,
            },
        }
    }

    fn topics(&self) -> &[String] {
        match self {
            Self::MalformedTopics { names, .. } | Self::ForbiddenTopics { names, .. } => names,
            _ => &[],
        }
    }
}

/// Cuts what was sent, with a sign that it was cut.
fn quoted(text: &str) -> String {
    let mut rest = text.chars();
    let mut quoted: String = rest.by_ref().take(QUOTED_LENGTH).collect();
    if rest.next().is_some() {
        quoted.push('…');
    }
    quoted
}
