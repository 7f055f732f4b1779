//! The registry of open connections, as a port, and how stores fail.

use crate::connection::{Connection, ConnectionId, Recipient};
use crate::topic::Topic;

/// The most topics of a connection that are changed at once: with the
/// connection's own row they are one transaction of `DynamoDB`, which takes 100
/// items
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>).
pub const MAX_TOPICS_AT_ONCE: usize = 90;

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

/// How a change of the topics of a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relistened {
    /// The topics are changed, durably and all at once.
    Changed,
    /// Nothing is changed: the connection is not as it was read, somebody else
    /// is changing it, or the store is asked for too much at once. Reading again
    /// after a pause tells.
    Stale,
}

/// Whether a client may send one more message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It may, and the message is counted.
    Within,
    /// It has sent as many as it may in this window.
    Over,
    /// The connection is not stored.
    Unknown,
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

    /// Makes `topics` the topics that a connection has chosen, if it is still as
    /// it was read: a compare-and-set of the row and of the subscriptions, all
    /// or nothing, durable before it returns. Its user's and organisation's
    /// topics stay.
    ///
    /// At most [`MAX_TOPICS_AT_ONCE`] topics may come and go at once.
    fn relisten(
        &self,
        as_read: &Connection,
        topics: &[Topic],
    ) -> impl Future<Output = Result<Relistened, StoreError>> + Send;

    /// Counts a message of a client, if it has sent fewer than `most` in this
    /// window. Windows are numbered upwards, such as the minutes of the epoch;
    /// a number that is behind the last one seen counts in that one.
    ///
    /// No more than `most` are within a window, whatever runs concurrently.
    /// Where an answer of the store is lost and asked for again, a message may
    /// count twice.
    fn count_message(
        &self,
        sender: &Recipient,
        window: i64,
        most: u32,
    ) -> impl Future<Output = Result<Counted, StoreError>> + Send;
}

/// Forgets connections that are gone.
pub trait Forget {
    /// Deletes connections and their subscriptions.
    ///
    /// A row is deleted only as of the recipient's `connected_at`; one that is
    /// not there is no error. `topic` names the topic in whose audience the
    /// recipients were found: that subscription is deleted even if the row does
    /// not name it, or went first.
    fn forget(
        &self,
        gone: &[Recipient],
        topic: Option<&Topic>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}
