//! `$default`: answers what clients send. The answer is the route's response,
//! so that it takes nothing from the account's rate for pushes.

use fanout_core::action::{Action, Reply};
use fanout_core::aws::{self, dynamodb::Store};
use fanout_core::clock::Clock;
use fanout_core::connection::Connection;
use fanout_core::store::Registry;
use lambda_runtime::Error;
use tracing::debug;

use crate::websocket::{Request, Response, connection_of, respond};
use crate::{runtime, settings};

/// Answers clients.
#[derive(Clone, Debug)]
pub struct Message<R> {
    /// Where connections are stored.
    pub registry: R,
}

impl<R: Registry> Message<R> {
    /// Handles a MESSAGE event.
    ///
    /// # Errors
    /// The connection could not be looked up: the client gets API Gateway's
    /// error frame.
    pub async fn handle(&self, event: &Request) -> Result<Response, Error> {
        let sender = connection_of(&event.request_context)?;
        let body = event.body.as_deref().unwrap_or_default();
        let reply = match Action::parse(body) {
            Ok(Action::WhoAmI) => {
                let found = self.registry.find(&sender.connection_id).await?;
                Reply::WhoAmI(found.unwrap_or_else(|| Connection {
                    id: sender.connection_id.clone(),
                    connected_at: sender.connected_at,
                    expires_at: sender.connected_at,
                    user_id: None,
                    org_id: None,
                    topics: Vec::new(),
                }))
            }
            Ok(Action::Echo(message)) => Reply::Echo(message),
            Ok(Action::Ping) => Reply::Pong,
            Err(error) => {
                debug!(connection_id = %sender.connection_id, %error, "message refused");
                Reply::Error(error)
            }
        };
        Ok(respond(200, Some(reply.frame())))
    }
}

/// Runs the function.
///
/// # Errors
/// See [`crate::run`].
pub async fn run() -> Result<(), Error> {
    let settings = runtime::start(settings::read_store)?;
    let config = aws::load_config().await;
    let message = Message {
        registry: Store::new(&config, settings, Clock::System),
    };
    let message = &message;
    runtime::serve(|event| async move { message.handle(&event.payload).await }).await
}

#[cfg(test)]
mod tests {
    use fanout_core::memory::MemoryStore;
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::websocket::tests::event;

    async fn answer_to(body: &Value) -> Value {
        let store = MemoryStore::new(Clock::starting_at(Timestamp::UNIX_EPOCH), 4);
        let connection = Connection {
            id: "TXzPWdnOjoECGjA=".into(),
            connected_at: Timestamp::UNIX_EPOCH,
            expires_at: Timestamp::MAX,
            user_id: Some("u1".to_owned()),
            org_id: None,
            topics: vec!["stocks/AAPL".parse().unwrap()],
        };
        store.open(&connection).await.unwrap();
        let event = event("$default", &json!({"body": body}));
        let response = Message { registry: store }.handle(&event).await.unwrap();
        assert_eq!(response.status_code, 200);
        serde_json::from_slice(&response.body.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_client_learns_who_it_is() {
        let expected = json!({
            "type": "whoami",
            "connectionId": "TXzPWdnOjoECGjA=",
            "userId": "u1",
            "topics": ["stocks/AAPL"],
        });
        for action in ["whoami", "GET_CONNECTION_ID"] {
            let body = json!({"action": action}).to_string();
            assert_eq!(answer_to(&json!(body)).await, expected);
        }
    }

    #[tokio::test]
    async fn an_echo_is_the_same_object_back() {
        let sent = json!({"action": "echo", "n": [1, {"z": 1, "a": null}]});
        assert_eq!(answer_to(&json!(sent.to_string())).await, sent);
    }

    #[tokio::test]
    async fn a_ping_is_answered() {
        let body = json!({"action": "ping"}).to_string();
        assert_eq!(answer_to(&json!(body)).await, json!({"type": "pong"}));
    }

    #[tokio::test]
    async fn everything_else_is_answered_with_an_error_frame() {
        for (body, code) in [
            (json!("hello"), "not_json"),
            (json!(null), "not_json"),
            (json!("{}"), "no_action"),
            (json!(r#"{"action":"dance"}"#), "unknown_action"),
        ] {
            let answer = answer_to(&body).await;
            assert_eq!(
                (&answer["type"], &answer["code"]),
                (&json!("error"), &json!(code))
            );
            assert!(answer["detail"].is_string());
        }
    }
}
