//! What a client gets back.

use serde::Serialize;

use super::ActionError;
use crate::connection::{Connection, ConnectionId};
use crate::notification::NotificationId;
use crate::topic::Topic;

/// What a client gets back: one JSON object with a `type`, but for an echo.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Who the client is.
    WhoAmI(Connection),
    /// What it sent, a JSON object as text.
    Echo(String),
    /// It is alive, and so is the connection.
    Pong,
    /// What it asked to hear is subscribed to. All topics that it has chosen,
    /// sorted.
    Subscribed(Vec<Topic>),
    /// What it asked not to hear is not subscribed to any more. All topics that
    /// it has chosen, sorted.
    Unsubscribed(Vec<Topic>),
    /// Its message was accepted, as a notification.
    Sent(NotificationId),
    /// What was wrong.
    Error(ActionError),
}

impl Reply {
    /// Writes the reply as a frame.
    #[must_use]
    pub fn frame(&self) -> String {
        match self {
            Self::WhoAmI(connection) => text_of(&WhoAmI::of(connection)),
            Self::Echo(message) => message.clone(),
            Self::Pong => text_of(&Pong { r#type: "pong" }),
            Self::Subscribed(topics) => text_of(&Topics {
                r#type: "subscribed",
                topics,
            }),
            Self::Unsubscribed(topics) => text_of(&Topics {
                r#type: "unsubscribed",
                topics,
            }),
            Self::Sent(id) => text_of(&Sent {
                r#type: "sent",
                id: *id,
            }),
            Self::Error(error) => text_of(&error.frame()),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WhoAmI<'a> {
    r#type: &'static str,
    connection_id: &'a ConnectionId,
    user_id: Option<&'a str>,
    topics: Vec<&'a Topic>,
}

#[derive(Serialize)]
struct Pong {
    r#type: &'static str,
}

#[derive(Serialize)]
struct Topics<'a> {
    r#type: &'static str,
    topics: &'a [Topic],
}

#[derive(Serialize)]
struct Sent {
    r#type: &'static str,
    id: NotificationId,
}

impl<'a> WhoAmI<'a> {
    fn of(connection: &'a Connection) -> Self {
        let mut topics: Vec<_> = connection.topics.iter().collect();
        topics.sort_unstable();
        Self {
            r#type: "whoami",
            connection_id: &connection.id,
            user_id: connection.user_id.as_deref(),
            topics,
        }
    }
}

/// Strings and numbers under names: there is nothing in it that could fail.
fn text_of(frame: &impl Serialize) -> String {
    serde_json::to_string(frame).unwrap_or_default()
}
