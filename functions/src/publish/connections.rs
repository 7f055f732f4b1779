//! Single connections: looking at one, and closing one.

use fanout_core::connection::{Connection, ConnectionId, Recipient};
use fanout_core::notifications::Notifications;
use fanout_core::problem::Problem;
use fanout_core::queue::TaskQueue;
use fanout_core::socket::{Socket, Sockets};
use fanout_core::store::{Forget, Registry, StoreError};
use fanout_core::topic::Topic;
use jiff::Timestamp;
use serde::Serialize;
use tracing::{error, info, warn};

use super::Publish;
use super::answer::{self, Response};

/// The longest id of a connection, in characters.
const MAX_ID_LENGTH: usize = 128;

/// A connection as it is shown: what the gateway says of it, and what is
/// stored of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    connection_id: ConnectionId,
    connected_at: Option<Timestamp>,
    last_active_at: Option<Timestamp>,
    source_ip: Option<String>,
    user_agent: Option<String>,
    user_id: Option<String>,
    org_id: Option<String>,
    topics: Vec<Topic>,
}

impl<S, Q, K> Publish<S, Q, K>
where
    S: Notifications + Registry + Forget,
    Q: TaskQueue,
    K: Sockets,
{
    pub(super) async fn inspect(&self, id: &str) -> Result<Response, Problem> {
        let id = connection_id_of(id)?;
        let (socket, stored) = futures::join!(self.sockets.inspect(&id), self.find(&id));
        let socket = socket.map_err(|error| unavailable(&id, &error))?;
        let socket = socket.ok_or_else(|| Problem::no_such_connection(id.as_str()))?;
        Ok(answer::json(200, &shown(id, socket, stored?)))
    }

    /// Closes a connection, and forgets it: that the gateway will say so too
    /// is best effort.
    pub(super) async fn close(&self, id: &str) -> Result<Response, Problem> {
        let id = connection_id_of(id)?;
        let stored = self.find(&id).await?;
        let was_open = self.sockets.close(&id).await;
        let was_open = was_open.map_err(|error| unavailable(&id, &error))?;
        if let Some(stored) = stored {
            let gone = Recipient {
                connection_id: stored.id,
                connected_at: stored.connected_at,
            };
            let forgotten = self.store.forget(&[gone], None).await;
            if let Err(error) = forgotten {
                // The next push finds it gone.
                warn!(connection_id = %id, %error, "closed connection was not forgotten");
            }
        }
        if !was_open {
            return Err(Problem::no_such_connection(id.as_str()));
        }
        info!(connection_id = %id, "connection closed");
        Ok(answer::empty(204))
    }

    async fn find(&self, id: &ConnectionId) -> Result<Option<Connection>, Problem> {
        let found = self.store.find(id).await;
        found.map_err(|error| unavailable(id, &error))
    }
}

/// Takes an id for what API Gateway may have given a connection. Nothing is
/// asked about any other.
fn connection_id_of(text: &str) -> Result<ConnectionId, Problem> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte);
    if (1..=MAX_ID_LENGTH).contains(&text.len()) && text.bytes().all(is_allowed) {
        Ok(ConnectionId::from(text))
    } else {
        Err(Problem::no_such_connection(text))
    }
}

fn shown(id: ConnectionId, socket: Socket, stored: Option<Connection>) -> Shown {
    let connected_at = stored.as_ref().map(|stored| stored.connected_at);
    let (user_id, org_id, topics) = stored.map_or_else(Default::default, |stored| {
        (stored.user_id, stored.org_id, stored.topics)
    });
    Shown {
        connection_id: id,
        connected_at: socket.connected_at.or(connected_at),
        last_active_at: socket.last_active_at,
        source_ip: socket.source_ip,
        user_agent: socket.user_agent,
        user_id,
        org_id,
        topics,
    }
}

fn unavailable(id: &ConnectionId, error: &StoreError) -> Problem {
    error!(connection_id = %id, %error, "connection was not looked up");
    Problem::unavailable("the connection could not be looked up, or not be closed")
}
