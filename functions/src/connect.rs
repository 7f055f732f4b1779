//! `$connect`: stores the connection before its socket opens.

use std::time::Duration;

use fanout_core::aws::{self, dynamodb::Store};
use fanout_core::clock::Clock;
use fanout_core::connection::Connection;
use fanout_core::store::Registry;
use fanout_core::topic::Topic;
use jiff::SignedDuration;
use lambda_runtime::Error;
use tracing::{info, warn};

use crate::websocket::{Request, Response, connection_of, respond};
use crate::{runtime, settings};

/// Stores connections with what they listen to.
#[derive(Clone, Debug)]
pub struct Connect<R> {
    /// Where connections are stored.
    pub registry: R,
    /// The query parameter that names topics: several values, comma-separated
    /// or repeated.
    pub topics_parameter: String,
    /// How many topics one connection may name.
    pub max_topics: usize,
    /// How long the row lives if nobody deletes it.
    pub connection_lifetime: Duration,
}

impl<R: Registry> Connect<R> {
    /// Handles a CONNECT event. The handshake waits for the answer, and fails
    /// with its status unless that is 200.
    ///
    /// # Errors
    /// The connection could not be stored: API Gateway refuses it with 502.
    pub async fn handle(&self, event: &Request) -> Result<Response, Error> {
        let opened = connection_of(&event.request_context)?;
        let topics = match self.topics_of(event) {
            Ok(topics) => topics,
            Err(refusal) => {
                warn!(connection_id = %opened.connection_id, %refusal, "connection refused");
                return Ok(respond(400, Some(refusal)));
            }
        };
        let lifetime = SignedDuration::try_from(self.connection_lifetime)?;
        let connection = Connection {
            id: opened.connection_id,
            connected_at: opened.connected_at,
            expires_at: opened.connected_at + lifetime,
            user_id: None,
            org_id: None,
            topics,
        };
        self.registry.open(&connection).await?;
        let topics = connection.topics.len();
        info!(connection_id = %connection.id, topics, "connection opened");
        Ok(respond(200, None))
    }

    fn topics_of(&self, event: &Request) -> Result<Vec<Topic>, String> {
        let name = self.topics_parameter.as_str();
        // Every event has the last value of a parameter; those of several
        // values are under the other name.
        let several = event.multi_value_query_string_parameters.all(name);
        let one = event.query_string_parameters.all(name);
        let values = several.or(one).unwrap_or_default();
        let mut topics: Vec<Topic> = Vec::new();
        for value in values.iter().flat_map(|value| value.split(',')) {
            let topic: Topic = value
                .trim()
                .parse()
                .map_err(|error| format!("{name}: {error}"))?;
            if topic.is_reserved() {
                return Err(format!("{name}: {topic} is not for a client to choose"));
            }
            if !topics.contains(&topic) {
                topics.push(topic);
            }
        }
        let (most, count) = (self.max_topics, topics.len());
        if count > most {
            return Err(format!(
                "{name}: at most {most} topics a connection, got {count}"
            ));
        }
        Ok(topics)
    }
}

/// Runs the function.
///
/// # Errors
/// See [`crate::run`].
pub async fn run() -> Result<(), Error> {
    let settings = runtime::start(settings::Connect::read)?;
    let config = aws::load_config().await;
    let connect = Connect {
        registry: Store::new(&config, settings.store, Clock::System),
        topics_parameter: settings.topics_parameter,
        max_topics: settings.max_topics,
        connection_lifetime: settings.connection_lifetime,
    };
    let connect = &connect;
    runtime::serve(|event| async move { connect.handle(&event.payload).await }).await
}

#[cfg(test)]
mod tests {
    use fanout_core::memory::MemoryStore;
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::websocket::tests::event;

    /// Connects with a query and returns the status, the refusal, and what was
    /// stored.
    async fn connect(query: &Value) -> (i64, Option<String>, Option<Connection>) {
        let store = MemoryStore::new(Clock::starting_at(Timestamp::UNIX_EPOCH), 4);
        let connect = Connect {
            registry: store.clone(),
            topics_parameter: "topics".to_owned(),
            max_topics: 2,
            connection_lifetime: Duration::from_mins(130),
        };
        let response = connect.handle(&event("$connect", query)).await.unwrap();
        let body = response
            .body
            .and_then(|body| String::from_utf8(body.to_vec()).ok());
        let stored = store.find(&"TXzPWdnOjoECGjA=".into()).await.unwrap();
        (response.status_code, body, stored)
    }

    #[tokio::test]
    async fn a_connection_is_stored_with_its_topics() {
        let query = json!({
            "queryStringParameters": {"topics": "b"},
            "multiValueQueryStringParameters": {"topics": ["a, b", "b"]},
        });
        let (status, _, stored) = connect(&query).await;
        let stored = stored.unwrap();
        assert_eq!(status, 200);
        assert_eq!(stored.connected_at.as_millisecond(), 1_700_000_000_000);
        assert_eq!(stored.expires_at.as_second(), 1_700_007_800);
        assert_eq!(
            stored.topics.iter().map(Topic::as_str).collect::<Vec<_>>(),
            ["a", "b"]
        );
    }

    #[tokio::test]
    async fn a_connection_without_a_query_listens_to_what_is_for_everyone() {
        let (status, _, stored) = connect(&json!({})).await;
        assert_eq!((status, stored.unwrap().topics), (200, Vec::new()));
    }

    #[tokio::test]
    async fn a_wrong_topic_refuses_the_connection_and_stores_nothing() {
        for (topics, refusal) in [
            (
                "a b",
                "topics: a topic's name is made of letters, digits and . _ - : /, got ' '",
            ),
            ("a,,b", "topics: a topic's name must not be empty"),
            ("a,user:u1", "topics: user:u1 is not for a client to choose"),
            ("a,b,c", "topics: at most 2 topics a connection, got 3"),
        ] {
            let query = json!({"queryStringParameters": {"topics": topics}});
            let (status, body, stored) = connect(&query).await;
            assert_eq!(
                (status, body.as_deref(), stored),
                (400, Some(refusal), None)
            );
        }
    }

    #[tokio::test]
    async fn an_event_of_another_kind_is_an_error() {
        let connect = Connect {
            registry: MemoryStore::new(Clock::System, 4),
            topics_parameter: "topics".to_owned(),
            max_topics: 2,
            connection_lifetime: Duration::from_secs(1),
        };
        assert!(connect.handle(&Request::default()).await.is_err());
    }
}
