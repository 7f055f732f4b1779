//! A notification to a socket of one's own: the whole path, and how long each
//! step of it takes.

pub mod log;
pub mod metrics;
pub mod settings;
pub mod token;

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::{ApiError, Call};
use crate::deployment::Deployment;
use crate::ledger::Ledger;
use crate::socket::{Socket, SocketError};

/// How long each step took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flight {
    /// The notification's id.
    pub id: String,
    /// From the POST to its answer.
    pub accepted: Duration,
    /// From the POST to the frame at the socket.
    pub arrived: Duration,
    /// From the POST to the closed ledger.
    pub closed: Duration,
}

/// Where a canary was lost.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// TLS cannot be spoken.
    #[error("this system trusts no certificates")]
    Certificates(#[source] std::io::Error),
    /// The socket could not be opened.
    #[error("no socket could be opened")]
    Open(#[source] SocketError),
    /// The socket does not tell which connection it is.
    #[error("the socket does not tell its connection's id (whoami)")]
    Identity(#[source] SocketError),
    /// The reply to `whoami` is none.
    #[error("whoami was answered {0}")]
    NoIdentity(Value),
    /// The notification was not accepted.
    #[error("the notification was not accepted")]
    Publish(#[source] ApiError),
    /// The answer has no id.
    #[error("the publish was answered without an id: {0}")]
    NoId(Value),
    /// The notification did not arrive.
    #[error("notification {id} was accepted, and did not arrive: {ledger}")]
    Arrival {
        /// Which.
        id: String,
        /// What the ledger says.
        ledger: String,
        /// Why not.
        source: SocketError,
    },
    /// The ledger did not close.
    #[error("the notification arrived, and its ledger is not right")]
    Ledger(#[source] ApiError),
    /// The ledger says something else than that it arrived.
    #[error("the notification arrived, and its ledger says otherwise: {0}")]
    Otherwise(Box<Ledger>),
}

impl fmt::Display for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            accepted,
            arrived,
            closed,
        } = self;
        let [accepted, arrived, closed] = [accepted, arrived, closed].map(Duration::as_millis);
        write!(
            f,
            "notification {id} was accepted after {accepted} ms, arrived after {arrived} ms, and \
             its ledger closed within {closed} ms"
        )
    }
}

/// Opens a socket, publishes to its connection, and waits for the frame and for
/// the ledger.
///
/// # Errors
/// [`Lost`]: which step failed.
pub async fn fly(deployment: &Deployment) -> Result<Flight, Lost> {
    let mut socket = deployment.open(&[]).await.map_err(Lost::Open)?;
    let connection = identity(&mut socket).await?;
    let flight = fly_to(deployment, &mut socket, &connection).await;
    // The other side notices either way.
    let _closed = socket.close().await;
    flight
}

/// Publishes to the connection of an open socket, and waits for the frame and
/// for the ledger.
///
/// # Errors
/// [`Lost`]: which step failed.
pub async fn fly_to(
    deployment: &Deployment,
    socket: &mut Socket,
    connection: &str,
) -> Result<Flight, Lost> {
    let api = &deployment.api;
    let call = Call::post(
        "/notifications",
        &json!({"type": "canary", "data": null, "target": {"connection": connection}}),
    );
    let started = Instant::now();
    let answer = api.expect(&call, StatusCode::ACCEPTED).await;
    let answer = answer.map_err(Lost::Publish)?;
    let accepted = started.elapsed();
    let Some(id) = answer.body.get("id").and_then(Value::as_str) else {
        return Err(Lost::NoId(answer.body));
    };
    if let Err(source) = socket.notification(id).await {
        let ledger = api.ledger(id).await;
        let ledger = ledger.map_or_else(|error| error.to_string(), |ledger| ledger.to_string());
        let id = id.to_owned();
        return Err(Lost::Arrival { id, ledger, source });
    }
    let arrived = started.elapsed();
    let ledger = api.closed_ledger(id).await.map_err(Lost::Ledger)?;
    if (ledger.targeted, ledger.accepted) != (1, 1) {
        return Err(Lost::Otherwise(Box::new(ledger)));
    }
    Ok(Flight {
        id: id.to_owned(),
        accepted,
        arrived,
        closed: started.elapsed(),
    })
}

/// Asks a socket for its connection's id.
///
/// # Errors
/// It does not tell.
pub async fn identity(socket: &mut Socket) -> Result<String, Lost> {
    let who = socket.ask(&json!({"action": "whoami"})).await;
    let who = who.map_err(Lost::Identity)?;
    match who.get("connectionId").and_then(Value::as_str) {
        Some(id) => Ok(id.to_owned()),
        None => Err(Lost::NoIdentity(who)),
    }
}
