//! The gateway's own view of a connection, as a port.

use jiff::Timestamp;

use crate::connection::ConnectionId;
use crate::store::StoreError;

/// An open socket, as the gateway describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// When it was opened.
    pub connected_at: Option<Timestamp>,
    /// When something last came or went over it.
    pub last_active_at: Option<Timestamp>,
    /// The client's address.
    pub source_ip: Option<String>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
}

/// Looks at sockets and closes them.
pub trait Sockets {
    /// Returns an open socket, or `None` if there is none of that id.
    fn inspect(
        &self,
        id: &ConnectionId,
    ) -> impl Future<Output = Result<Option<Socket>, StoreError>> + Send;

    /// Closes a socket; returns whether there was one.
    fn close(&self, id: &ConnectionId) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
