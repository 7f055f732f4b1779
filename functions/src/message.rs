//! `$default`: does what clients ask for. The answer is the route's response,
//! so that it takes nothing from the account's rate for pushes.

use std::time::Duration;

use fanout_core::action::{Action, ActionError, Reply};
use fanout_core::aws::{self, dynamodb::Store};
use fanout_core::clock::Clock;
use fanout_core::connection::{Connection, Recipient};
use fanout_core::identity::Identity;
use fanout_core::notification::{Draft, NotificationId, Target};
use fanout_core::notifications::Notifications;
use fanout_core::publish::{Publisher, TooLarge};
use fanout_core::queue::TaskQueue;
use fanout_core::store::{Counted, Registry, Relistened, StoreError};
use fanout_core::subscription::{Change, Limits};
use fanout_core::topic::Topic;
use fanout_core::trace::TraceHeader;
use lambda_runtime::Error;
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use crate::metrics::{Line, Metric, Metrics};
use crate::settings::Subscribers;
use crate::websocket::{Request, Response, connection_of, identity_of, respond};
use crate::{runtime, settings};

/// The event type of what a client sends to everyone.
const EVENT_TYPE: &str = "message.sent";
/// How long a change of topics is tried while others change the same
/// connection: long enough for dozens of them, and well within a function's
/// timeout.
const RELISTEN_PATIENCE: Duration = Duration::from_secs(5);
/// The longest pause before it is tried again; it doubles up to the other one.
const LONGEST_FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(320);

/// Does what clients ask for.
#[derive(Clone, Debug)]
pub struct Message<R, N, Q> {
    /// Where connections are stored.
    pub registry: R,
    /// Takes what clients send to everyone.
    pub publisher: Publisher<N, Q>,
    /// Whether clients have to be authenticated.
    pub subscribers: Subscribers,
    /// How many topics one connection may choose.
    pub max_topics: usize,
    /// How many messages one connection may send in a minute; 0 for none at
    /// all.
    pub messages_per_minute: u32,
    /// Where it is told.
    pub metrics: Metrics,
}

/// A client, as an event says.
#[derive(Debug)]
struct Client {
    connection: Recipient,
    identity: Identity,
    /// The trace of the invocation.
    trace: Option<TraceHeader>,
}

impl<R: Registry, N: Notifications, Q: TaskQueue> Message<R, N, Q> {
    /// Handles a MESSAGE event. Whatever goes wrong is told in an error frame.
    ///
    /// # Errors
    /// The event is not from a WebSocket API.
    pub async fn handle(
        &self,
        event: &Request,
        trace: Option<TraceHeader>,
    ) -> Result<Response, Error> {
        let connection = connection_of(&event.request_context)?;
        let connection_id = connection.connection_id.clone();
        let answer = if let Some(identity) = self.identity(event) {
            let client = Client {
                connection,
                identity,
                trace,
            };
            let body = event.body.as_deref().unwrap_or_default();
            self.answer(&client, body).await
        } else {
            error!(%connection_id, "event has no identity: the API has no authorizer");
            Err(ActionError::Unavailable)
        };
        let reply = answer.unwrap_or_else(|error| {
            debug!(%connection_id, code = error.code(), "message refused");
            Reply::Error(error)
        });
        Ok(respond(200, Some(reply.frame())))
    }

    fn identity(&self, event: &Request) -> Option<Identity> {
        match self.subscribers {
            Subscribers::Jwt => identity_of(&event.request_context),
            Subscribers::Anyone => Some(Identity::anyone()),
        }
    }

    async fn answer(&self, client: &Client, message: &str) -> Result<Reply, ActionError> {
        Ok(match Action::parse(message)? {
            Action::WhoAmI => Reply::WhoAmI(self.find(client).await?),
            Action::Echo(message) => Reply::Echo(message),
            Action::Ping => Reply::Pong,
            Action::Subscribe(topics) => {
                let change = Change::Subscribe(topics);
                Reply::Subscribed(self.relisten(client, &change).await?)
            }
            Action::Unsubscribe(topics) => {
                let change = Change::Unsubscribe(topics);
                Reply::Unsubscribed(self.relisten(client, &change).await?)
            }
            Action::SendMessage(message) => {
                let sent = self.send(client, message).await;
                self.metrics.write(line_of(&sent));
                Reply::Sent(sent?)
            }
        })
    }

    async fn find(&self, client: &Client) -> Result<Connection, ActionError> {
        let Recipient {
            connection_id,
            connected_at,
        } = &client.connection;
        let found = self.registry.find(connection_id).await;
        found
            .map_err(|error| unavailable(client, &error))?
            .filter(|found| found.connected_at == *connected_at)
            .ok_or(ActionError::NotConnected)
    }

    /// Changes the topics of a connection and returns them.
    ///
    /// API Gateway invokes at once for every message of a client: whoever finds
    /// that another invocation was faster decides again on what that one left.
    /// One of them gets through at a time, so the others pause for a random
    /// time.
    async fn relisten(&self, client: &Client, change: &Change) -> Result<Vec<Topic>, ActionError> {
        let limits = Limits {
            permission: &client.identity.topics,
            max_topics: self.max_topics,
        };
        let deadline = Instant::now() + RELISTEN_PATIENCE;
        let mut longest_pause = LONGEST_FIRST_PAUSE;
        loop {
            let connection = self.find(client).await?;
            let topics = change.decide(&connection, &limits)?;
            let mut before = connection.topics.clone();
            before.sort_unstable();
            if topics == before {
                return Ok(topics);
            }
            let relistened = self.registry.relisten(&connection, &topics).await;
            match relistened.map_err(|error| unavailable(client, &error))? {
                Relistened::Changed => return Ok(topics),
                Relistened::Stale => {}
            }
            let next = Instant::now() + longest_pause.mul_f64(fastrand::f64());
            if next > deadline {
                break;
            }
            tokio::time::sleep_until(next).await;
            longest_pause = longest_pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
        let connection_id = &client.connection.connection_id;
        warn!(%connection_id, "topics not changed: others kept changing them");
        Err(ActionError::Unavailable)
    }

    /// Publishes a client's message to everyone.
    async fn send(&self, client: &Client, message: Value) -> Result<NotificationId, ActionError> {
        if self.messages_per_minute == 0 {
            return Err(ActionError::SendMessageOff);
        }
        let connection_id = &client.connection.connection_id;
        let data = json!({
            "message": message,
            "connectionId": connection_id,
            "userId": client.identity.user_id,
        });
        let draft = Draft::new(EVENT_TYPE, Target::Everyone, data);
        // What cannot be sent is not counted.
        let notification = self.publisher.accept(draft);
        let mut notification = notification
            .map_err(|TooLarge { bytes, limit }| ActionError::TooLarge { bytes, limit })?;
        notification.trace = client.trace;
        self.count(client).await?;
        let sent = self.publisher.send(notification, None).await;
        let sent = sent.map_err(|error| {
            error!(%connection_id, %error, "message was not published");
            ActionError::Unavailable
        })?;
        info!(%connection_id, notification_id = %sent.id, "message accepted");
        Ok(sent.id)
    }

    /// Counts a message against the client's rate.
    async fn count(&self, client: &Client) -> Result<(), ActionError> {
        let per_minute = self.messages_per_minute;
        let now = self.publisher.clock.now().as_second();
        let (minute, second) = (now.div_euclid(60), now.rem_euclid(60));
        let counted = self
            .registry
            .count_message(&client.connection, minute, per_minute)
            .await;
        match counted.map_err(|error| unavailable(client, &error))? {
            Counted::Within => Ok(()),
            Counted::Over => Err(ActionError::RateLimited {
                per_minute,
                retry_after_seconds: u32::try_from(60 - second).unwrap_or(60),
            }),
            Counted::Unknown => Err(ActionError::NotConnected),
        }
    }
}

fn line_of(sent: &Result<NotificationId, ActionError>) -> Line {
    let mut line = Line::default();
    match sent {
        Ok(id) => {
            line.count(Metric::NotificationsAccepted, 1);
            line.field("notification_id", id);
        }
        Err(ActionError::Unavailable) => line.count(Metric::PublishesUnavailable, 1),
        // What the client did wrong is told to the client.
        Err(_) => {}
    }
    line
}

fn unavailable(client: &Client, error: &StoreError) -> ActionError {
    let connection_id = &client.connection.connection_id;
    error!(%connection_id, %error, "client was not served");
    ActionError::Unavailable
}

/// Runs the function.
///
/// # Errors
/// See [`crate::run`].
pub async fn run() -> Result<(), Error> {
    let started = runtime::start(settings::Message::read)?;
    let settings = started.settings;
    settings.subscribers.warn_if_off();
    let config = aws::load_config().await;
    let store = Store::new(&config, settings.store, Clock::System);
    let message = Message {
        registry: store.clone(),
        publisher: settings.publishing.publisher(&config, store, Clock::System),
        subscribers: settings.subscribers,
        max_topics: settings.max_topics,
        messages_per_minute: settings.messages_per_minute,
        metrics: started.metrics,
    };
    let message = &message;
    runtime::serve(|event| async move {
        let trace = runtime::trace_of(&event.context);
        message.handle(&event.payload, trace).await
    })
    .await
}

#[cfg(test)]
mod tests;
