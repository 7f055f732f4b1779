//! What a client sends over its socket, and what it gets back.

mod error;
mod reply;

use serde_json::{Map, Value};

pub use self::error::ActionError;
pub use self::reply::Reply;
use crate::store::MAX_TOPICS_AT_ONCE;
use crate::topic::Topic;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// `whoami`, and `GET_CONNECTION_ID` as the field's tutorials send it.
    WhoAmI,
    /// `echo`: the message back, as it was written.
    Echo(String),
    /// `ping`: keeps an idle connection open.
    Ping,
    /// `subscribe`: listen to these topics too.
    Subscribe(Vec<Topic>),
    /// `unsubscribe`: listen to these topics no more.
    Unsubscribe(Vec<Topic>),
    /// `sendmessage`: publish this to everyone.
    SendMessage(Value),
}

impl Action {
    /// Reads a client's message.
    pub fn parse(text: &str) -> Result<Self, ActionError> {
        let message: Value =
            serde_json::from_str(text).map_err(|error| ActionError::NotJson(error.to_string()))?;
        let Value::Object(mut message) = message else {
            return Err(ActionError::NoAction);
        };
        match message.get("action").and_then(Value::as_str) {
            None => Err(ActionError::NoAction),
            Some("whoami" | "GET_CONNECTION_ID") => Ok(Self::WhoAmI),
            Some("echo") => Ok(Self::Echo(text.to_owned())),
            Some("ping") => Ok(Self::Ping),
            Some("subscribe") => topics_of(&message).map(Self::Subscribe),
            Some("unsubscribe") => topics_of(&message).map(Self::Unsubscribe),
            Some("sendmessage") => {
                let sent = message.get_mut("message").map(Value::take);
                sent.map(Self::SendMessage).ok_or(ActionError::NoMessage)
            }
            Some(other) => Err(ActionError::unknown(other)),
        }
    }
}

/// Reads the topics of a message, each once.
fn topics_of(message: &Map<String, Value>) -> Result<Vec<Topic>, ActionError> {
    let names = message.get("topics").and_then(Value::as_array);
    let names: Option<Vec<&str>> = names
        .filter(|names| !names.is_empty())
        .and_then(|names| names.iter().map(Value::as_str).collect());
    let names = names.ok_or(ActionError::NoTopics)?;
    if names.len() > MAX_TOPICS_AT_ONCE {
        return Err(ActionError::TooManyTopicsAtOnce { count: names.len() });
    }
    let mut topics: Vec<Topic> = Vec::with_capacity(names.len());
    let mut malformed = Vec::new();
    for name in names {
        match name.parse() {
            Ok(topic) if topics.contains(&topic) => {}
            Ok(topic) => topics.push(topic),
            Err(error) => malformed.push((name, error)),
        }
    }
    match malformed.as_slice() {
        [] => Ok(topics),
        [(_, first), ..] => {
            let names = malformed.iter().map(|(name, _)| *name);
            Err(ActionError::malformed_topics(names, first.clone()))
        }
    }
}

#[cfg(test)]
mod tests;
