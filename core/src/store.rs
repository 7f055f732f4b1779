//! The registry of open connections, as a port, and how stores fail.

use crate::connection::{Connection, ConnectionId, Recipient};
use crate::topic::Topic;

/// Why a store could not do what it was asked.
///
/// The adapters retry what is worth retrying; by the time this error is seen,
/// that has been done.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation}: {detail}")]
pub struct StoreError {
    /// What was attempted, such as `read a page of the audience`.
    pub operation: &'static str,
    /// What the service said.
    pub detail: String,
}

/// Keeps the rows of open connections.
pub trait Registry {
    /// Stores a connection and its subscriptions, durably before it returns.
    fn open(&self, connection: &Connection) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns a connection, or `None` if it is not stored.
    fn find(
        &self,
        id: &ConnectionId,
    ) -> impl Future<Output = Result<Option<Connection>, StoreError>> + Send;

    /// Deletes connections and their subscriptions.
    ///
    /// A row is deleted only as of the recipient's `connected_at`; one that is
    /// not there is no error. `topic` names the topic in whose audience the
    /// recipients were found, so that a subscription whose connection row went
    /// first is deleted all the same.
    fn forget(
        &self,
        gone: &[Recipient],
        topic: Option<&Topic>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}
