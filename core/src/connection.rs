//! Connections: one open WebSocket each.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::topic::Topic;

/// The id that API Gateway gave a connection, such as `TXzPWdnOjoECGjA=`.
///
/// Opaque: nothing but the gateway may read a meaning into it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnectionId(String);

impl ConnectionId {
    /// Returns the id as API Gateway wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ConnectionId {
    fn from(id: &str) -> Self {
        Self(id.to_owned())
    }
}

impl From<String> for ConnectionId {
    fn from(id: String) -> Self {
        Self(id)
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A connection as it is stored when its socket opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The connection's id.
    pub id: ConnectionId,
    /// When API Gateway opened it. Together with the id it names one life of a
    /// connection: what is deleted is always a connection as of that time.
    pub connected_at: Timestamp,
    /// After this time the socket cannot be open any more.
    pub expires_at: Timestamp,
    /// The user, where the connection was authenticated.
    pub user_id: Option<String>,
    /// The organisation, where the connection was authenticated.
    pub org_id: Option<String>,
    /// What it listens to, beside what goes to everyone.
    pub topics: Vec<Topic>,
}

/// Somebody to push to: a connection as the audience names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recipient {
    /// The connection to push to.
    #[serde(rename = "id")]
    pub connection_id: ConnectionId,
    /// When the connection was opened.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub connected_at: Timestamp,
}
