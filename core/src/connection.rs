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
    /// The topics that it chose.
    pub topics: Vec<Topic>,
}

impl Connection {
    /// Returns what the connection listens to beside what goes to everyone: the
    /// topics that it chose, and those of its user and organisation.
    pub fn subscriptions(&self) -> impl Iterator<Item = Topic> {
        let user = self.user_id.as_deref().map(Topic::of_user);
        let org = self.org_id.as_deref().map(Topic::of_org);
        // Ids are checked where an identity is read: none is lost here.
        let own = user.into_iter().chain(org).filter_map(Result::ok);
        self.topics.iter().cloned().chain(own)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_listens_to_its_user_and_organisation_too() {
        let mut connection = Connection {
            id: "a".into(),
            connected_at: Timestamp::UNIX_EPOCH,
            expires_at: Timestamp::UNIX_EPOCH,
            user_id: None,
            org_id: None,
            topics: vec!["news".parse().unwrap()],
        };
        let listens_to = |connection: &Connection| -> Vec<String> {
            connection.subscriptions().map(String::from).collect()
        };
        assert_eq!(listens_to(&connection), ["news"]);
        connection.user_id = Some("auth0|1".to_owned());
        connection.org_id = Some("acme".to_owned());
        assert_eq!(
            listens_to(&connection),
            ["news", "user:auth0|1", "org:acme"]
        );
    }
}
