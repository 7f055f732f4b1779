//! What a client sends over its socket, and what it gets back.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::connection::Connection;
use crate::topic::Topic;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// `whoami`, and `GET_CONNECTION_ID` as the field's tutorials send it.
    WhoAmI,
    /// `echo`: the same object back.
    Echo(Map<String, Value>),
    /// `ping`: keeps an idle connection open.
    Ping,
}

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
    /// The action is not known.
    #[error("unknown action {0:?}; known are {KNOWN}")]
    Unknown(String),
}

const KNOWN: &str = "whoami, echo, ping";
/// Longer action names are cut where they are quoted back.
const QUOTED_LENGTH: usize = 64;

impl ActionError {
    /// Returns the error's code, stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotJson(_) => "not_json",
            Self::NoAction => "no_action",
            Self::Unknown(_) => "unknown_action",
        }
    }
}

impl Action {
    /// Reads a client's message.
    pub fn parse(message: &str) -> Result<Self, ActionError> {
        let message: Value = serde_json::from_str(message)
            .map_err(|error| ActionError::NotJson(error.to_string()))?;
        let Value::Object(message) = message else {
            return Err(ActionError::NoAction);
        };
        match message.get("action").and_then(Value::as_str) {
            None => Err(ActionError::NoAction),
            Some("whoami" | "GET_CONNECTION_ID") => Ok(Self::WhoAmI),
            Some("echo") => Ok(Self::Echo(message)),
            Some("ping") => Ok(Self::Ping),
            Some(other) => Err(ActionError::Unknown(
                other.chars().take(QUOTED_LENGTH).collect(),
            )),
        }
    }
}

/// What a client gets back: one JSON object with a `type`, but for an echo.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Who the client is.
    WhoAmI(Connection),
    /// What it sent.
    Echo(Map<String, Value>),
    /// It is alive, and so is the connection.
    Pong,
    /// What was wrong.
    Error(ActionError),
}

impl Reply {
    /// Writes the reply as a frame.
    #[must_use]
    pub fn frame(&self) -> String {
        match self {
            Self::WhoAmI(connection) => who_am_i(connection),
            Self::Echo(message) => Value::Object(message.clone()),
            Self::Pong => json!({"type": "pong"}),
            Self::Error(error) => json!({
                "type": "error",
                "code": error.code(),
                "detail": error.to_string(),
            }),
        }
        .to_string()
    }
}

fn who_am_i(connection: &Connection) -> Value {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct WhoAmI<'a> {
        r#type: &'static str,
        connection_id: &'a str,
        user_id: Option<&'a str>,
        topics: Vec<&'a str>,
    }
    let reply = WhoAmI {
        r#type: "whoami",
        connection_id: connection.id.as_str(),
        user_id: connection.user_id.as_deref(),
        topics: connection.topics.iter().map(Topic::as_str).collect(),
    };
    serde_json::to_value(reply).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[track_caller]
    fn check(message: &str, expected: &Result<Action, &str>) {
        let got = Action::parse(message).map_err(|error| error.code());
        assert_eq!(&got, expected, "{message}");
    }

    #[test]
    fn actions_are_read() {
        check(r#"{"action":"whoami"}"#, &Ok(Action::WhoAmI));
        check(r#"{"action":"GET_CONNECTION_ID"}"#, &Ok(Action::WhoAmI));
        check(r#"{"action":"ping"}"#, &Ok(Action::Ping));
        let Value::Object(echo) = json!({"action": "echo", "n": 1}) else {
            unreachable!()
        };
        check(r#"{"action":"echo","n":1}"#, &Ok(Action::Echo(echo)));
    }

    #[test]
    fn everything_else_is_an_error() {
        check("hello", &Err("not_json"));
        check("", &Err("not_json"));
        check("[1]", &Err("no_action"));
        check("{}", &Err("no_action"));
        check(r#"{"action":1}"#, &Err("no_action"));
        check(r#"{"action":"dance"}"#, &Err("unknown_action"));
    }

    #[test]
    fn replies_are_objects_with_a_type() {
        let connection = Connection {
            id: "TXzPWdnOjoECGjA=".into(),
            connected_at: Timestamp::UNIX_EPOCH,
            expires_at: Timestamp::UNIX_EPOCH,
            user_id: None,
            org_id: None,
            topics: vec!["stocks/AAPL".parse().unwrap()],
        };
        let unknown = ActionError::Unknown("dance".to_owned());
        let frames: Vec<_> = [
            Reply::WhoAmI(connection),
            Reply::Pong,
            Reply::Error(unknown),
        ]
        .iter()
        .map(Reply::frame)
        .collect();
        insta::assert_snapshot!(frames.join("\n"));
    }
}
