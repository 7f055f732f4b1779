//! `$connect`: stores the connection before its socket opens.

use std::time::Duration;

use fanout_core::aws::{self, dynamodb::Store};
use fanout_core::clock::Clock;
use fanout_core::connection::Connection;
use fanout_core::identity::Identity;
use fanout_core::store::Registry;
use fanout_core::topic::{Topic, TopicError};
use http::HeaderValue;
use http::header::SEC_WEBSOCKET_PROTOCOL;
use jiff::SignedDuration;
use lambda_runtime::Error;
use tracing::{error, info, warn};

use crate::metrics::{Line, Metric, Metrics};
use crate::settings::Subscribers;
use crate::token::offer::Offer;
use crate::websocket::{Request, Response, connection_of, identity_of, respond};
use crate::{runtime, settings};

/// Stores connections with what they listen to.
#[derive(Clone, Debug)]
pub struct Connect<R> {
    /// Where connections are stored.
    pub registry: R,
    /// Who may connect.
    pub subscribers: Subscribers,
    /// The query parameter that names topics: several values, comma-separated
    /// or repeated.
    pub topics_parameter: String,
    /// Whether a connection must name a topic.
    pub topics_required: bool,
    /// How many topics one connection may name.
    pub max_topics: usize,
    /// How long the row lives if nobody deletes it.
    pub connection_lifetime: Duration,
    /// Where it is told.
    pub metrics: Metrics,
}

/// Why a connection is refused: the handshake's status and text.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    status: i64,
    text: String,
}

impl<R: Registry> Connect<R> {
    /// Handles a CONNECT event. The handshake waits for the answer, and fails
    /// with its status unless that is 200.
    ///
    /// # Errors
    /// The connection could not be stored: API Gateway refuses it with 502.
    pub async fn handle(&self, event: &Request) -> Result<Response, Error> {
        let opened = connection_of(&event.request_context)?;
        let admitted = self.identify(event).and_then(|identity| {
            let topics = self.topics_of(event, &identity)?;
            Ok((identity, topics))
        });
        let (identity, topics) = match admitted {
            Ok(admitted) => admitted,
            Err(Refusal { status, text }) => {
                let connection_id = &opened.connection_id;
                warn!(%connection_id, status, refusal = text, "connection refused");
                self.count(Metric::ConnectionsRefused);
                return Ok(respond(status, Some(text)));
            }
        };
        let lifetime = SignedDuration::try_from(self.connection_lifetime)?;
        let connection = Connection {
            id: opened.connection_id,
            connected_at: opened.connected_at,
            expires_at: opened.connected_at + lifetime,
            user_id: identity.user_id,
            org_id: identity.org_id,
            topics,
        };
        self.registry.open(&connection).await?;
        let topics = connection.topics.len();
        info!(connection_id = %connection.id, topics, "connection opened");
        self.count(Metric::ConnectionsOpened);
        Ok(welcome(event))
    }

    fn count(&self, metric: Metric) {
        let mut line = Line::default();
        line.count(metric, 1);
        self.metrics.write(line);
    }

    fn identify(&self, event: &Request) -> Result<Identity, Refusal> {
        match self.subscribers {
            Subscribers::Anyone => Ok(Identity::anyone()),
            Subscribers::Jwt => identity_of(&event.request_context).ok_or_else(|| {
                error!("event has no identity: $connect has no authorizer, or another one");
                Refusal {
                    status: 403,
                    text: "the API is not set up to tell who connects".to_owned(),
                }
            }),
        }
    }

    fn topics_of(&self, event: &Request, identity: &Identity) -> Result<Vec<Topic>, Refusal> {
        let name = self.topics_parameter.as_str();
        let refuse = |status, problem: String| Refusal {
            status,
            text: format!("{name}: {problem}"),
        };
        // Every event has the last value of a parameter; those of several
        // values are under the other name.
        let several = event.multi_value_query_string_parameters.all(name);
        let one = event.query_string_parameters.all(name);
        let values = several.or(one).unwrap_or_default();
        let mut topics: Vec<Topic> = Vec::new();
        // A value that is empty as a whole is a form's field left empty.
        let values = values.into_iter().filter(|value| !value.is_empty());
        for value in values.flat_map(|value| value.split(',')) {
            let topic: Topic = value
                .trim()
                .parse()
                .map_err(|error: TopicError| refuse(400, error.to_string()))?;
            if !topics.contains(&topic) {
                topics.push(topic);
            }
        }
        let (most, count) = (self.max_topics, topics.len());
        if count > most {
            let problem = format!("at most {most} topics a connection, got {count}");
            return Err(refuse(400, problem));
        }
        if topics.is_empty() && self.topics_required {
            return Err(refuse(400, "at least one topic is required".to_owned()));
        }
        let not_allowed = topics.iter().filter(|topic| !identity.topics.allows(topic));
        let not_allowed: Vec<_> = not_allowed.map(Topic::as_str).collect();
        if !not_allowed.is_empty() {
            let problem = format!("not allowed to listen to {}", not_allowed.join(", "));
            return Err(refuse(403, problem));
        }
        Ok(topics)
    }
}

/// Lets in, with the subprotocol where the client speaks it: a browser that
/// offered one and gets none closes the socket.
fn welcome(event: &Request) -> Response {
    let mut response = respond(200, None);
    let offer = Offer::read(
        [
            &event.multi_value_query_string_parameters,
            &event.query_string_parameters,
        ],
        [&event.multi_value_headers, &event.headers],
    );
    if let Some(subprotocol) = offer.subprotocol() {
        let value = HeaderValue::from_static(subprotocol);
        response.headers.insert(SEC_WEBSOCKET_PROTOCOL, value);
    }
    response
}

/// Runs the function.
///
/// # Errors
/// See [`crate::run`].
pub async fn run() -> Result<(), Error> {
    let started = runtime::start(settings::Connect::read)?;
    let settings = started.settings;
    settings.subscribers.warn_if_off();
    let config = aws::load_config().await;
    let connect = Connect {
        subscribers: settings.subscribers,
        topics_required: settings.topics_required,
        registry: Store::new(&config, settings.store, Clock::System),
        topics_parameter: settings.topics_parameter,
        max_topics: settings.max_topics,
        connection_lifetime: settings.connection_lifetime,
        metrics: started.metrics,
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

    fn connect_function(store: &MemoryStore) -> Connect<MemoryStore> {
        Connect {
            registry: store.clone(),
            subscribers: Subscribers::Anyone,
            topics_parameter: "topics".to_owned(),
            topics_required: false,
            max_topics: 2,
            connection_lifetime: Duration::from_mins(130),
            metrics: Metrics::new(None, Clock::System),
        }
    }

    /// Connects with a query and returns the status, the refusal, and what was
    /// stored.
    async fn connect(query: &Value) -> (i64, Option<String>, Option<Connection>) {
        connect_to(query, |_| {}).await
    }

    async fn connect_to(
        query: &Value,
        change: impl FnOnce(&mut Connect<MemoryStore>),
    ) -> (i64, Option<String>, Option<Connection>) {
        let store = MemoryStore::new(Clock::starting_at(Timestamp::UNIX_EPOCH), 4);
        let mut connect = connect_function(&store);
        let (metrics, written) = crate::metrics::tests::recording(Clock::System);
        connect.metrics = metrics;
        change(&mut connect);
        let response = connect.handle(&event("$connect", query)).await.unwrap();
        let told = match response.status_code {
            200 => "ConnectionsOpened",
            _ => "ConnectionsRefused",
        };
        assert_eq!(written.take_figures(), json!({told: 1}));
        let body = response
            .body
            .and_then(|body| String::from_utf8(body.to_vec()).ok());
        let stored = store.find(&"TXzPWdnOjoECGjA=".into()).await.unwrap();
        (response.status_code, body, stored)
    }

    /// An event with what the authorizer said, and topics in the query.
    fn authorized(authorizer: &Value, topics: &str) -> Value {
        let mut event = serde_json::to_value(event("$connect", &json!({}))).unwrap();
        let context = event["requestContext"].as_object_mut().unwrap();
        context.insert("authorizer".to_owned(), authorizer.clone());
        json!({
            "requestContext": event["requestContext"],
            "queryStringParameters": {"topics": topics},
        })
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
    async fn an_empty_parameter_names_no_topic() {
        let empty = json!({"queryStringParameters": {"topics": ""}});
        let (status, _, stored) = connect(&empty).await;
        assert_eq!((status, stored.unwrap().topics), (200, Vec::new()));
        let (status, _, stored) = connect_to(&empty, |connect| {
            connect.topics_required = true;
        })
        .await;
        assert_eq!((status, stored), (400, None));
        let and_another = json!({"multiValueQueryStringParameters": {"topics": ["", "a"]}});
        let (_, _, stored) = connect(&and_another).await;
        assert_eq!(stored.unwrap().topics, ["a".parse().unwrap()]);
    }

    #[tokio::test]
    async fn a_wrong_topic_refuses_the_connection_and_stores_nothing() {
        for (status, topics, refusal) in [
            (
                400,
                "a b",
                "topics: a topic's name is made of letters, digits and . _ - : /, got ' '",
            ),
            (400, "a,,b", "topics: a topic's name must not be empty"),
            (400, ",", "topics: a topic's name must not be empty"),
            (400, "a,b,c", "topics: at most 2 topics a connection, got 3"),
            (
                403,
                "user:u1,org:o1",
                "topics: not allowed to listen to user:u1, org:o1",
            ),
        ] {
            let query = json!({"queryStringParameters": {"topics": topics}});
            let (got, body, stored) = connect(&query).await;
            let expected = (status, Some(refusal), None);
            assert_eq!((got, body.as_deref(), stored), expected);
        }
    }

    #[tokio::test]
    async fn a_topic_can_be_required() {
        let (status, body, stored) = connect_to(&json!({}), |connect| {
            connect.topics_required = true;
        })
        .await;
        let refusal = Some("topics: at least one topic is required".to_owned());
        assert_eq!((status, body, stored), (400, refusal, None));
    }

    #[tokio::test]
    async fn a_connection_is_its_users_and_chooses_what_the_token_allows() {
        let by_token = |connect: &mut Connect<_>| connect.subscribers = Subscribers::Jwt;
        let authorizer = json!({"userId": "auth0|1", "orgId": "acme", "topics": "news stocks/*"});
        let event = authorized(&authorizer, "stocks/A,news");
        let (status, _, stored) = connect_to(&event, by_token).await;
        let stored = stored.unwrap();
        assert_eq!(status, 200);
        assert_eq!(stored.user_id.as_deref(), Some("auth0|1"));
        assert_eq!(stored.org_id.as_deref(), Some("acme"));

        let event = authorized(&authorizer, "bonds,news");
        let (status, body, stored) = connect_to(&event, by_token).await;
        let refusal = Some("topics: not allowed to listen to bonds".to_owned());
        assert_eq!((status, body, stored), (403, refusal, None));
    }

    #[tokio::test]
    async fn without_an_authorizer_nobody_is_let_in_where_tokens_are_asked_for() {
        let by_token = |connect: &mut Connect<_>| connect.subscribers = Subscribers::Jwt;
        let (status, _, stored) = connect_to(&json!({}), by_token).await;
        assert_eq!((status, stored), (403, None));
        let unreadable = authorized(&json!({"userId": "u1", "topics": "a|b"}), "a");
        let (status, _, stored) = connect_to(&unreadable, by_token).await;
        assert_eq!((status, stored), (403, None));
    }

    #[tokio::test]
    async fn the_subprotocol_is_answered_and_the_token_never() {
        let store = MemoryStore::new(Clock::System, 4);
        for (offered, answered) in [
            ("fanout.v1, bearer.a.b.c", Some("fanout.v1")),
            ("bearer.a.b.c", None),
            ("other", None),
        ] {
            let headers = json!({"headers": {"Sec-WebSocket-Protocol": offered}});
            let event = event("$connect", &headers);
            let response = connect_function(&store).handle(&event).await.unwrap();
            let response = serde_json::to_value(response).unwrap();
            let headers = response["headers"].as_object().unwrap();
            let got = headers
                .get("sec-websocket-protocol")
                .and_then(Value::as_str);
            assert_eq!(got, answered);
            assert!(!response.to_string().contains("a.b.c"));
        }
    }

    #[tokio::test]
    async fn an_event_of_another_kind_is_an_error() {
        let store = MemoryStore::new(Clock::System, 4);
        let connect = connect_function(&store);
        assert!(connect.handle(&Request::default()).await.is_err());
    }
}
