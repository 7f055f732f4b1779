//! The audience of a notification, read slice by slice and page by page.

use serde::{Deserialize, Serialize};

use crate::connection::{ConnectionId, Recipient};
use crate::notification::Target;
use crate::store::StoreError;
use crate::topic::Topic;

/// A part of an audience that can be read without the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Slice {
    /// One of `of` segments of all connections: a segment of a parallel Scan.
    Everyone {
        /// The segment, from 0.
        segment: u16,
        /// How many segments there are.
        of: u16,
    },
    /// One shard of the subscribers to a topic.
    Topic {
        /// The topic.
        topic: Topic,
        /// The shard, from 0.
        shard: u16,
    },
    /// One connection.
    Connection {
        /// The connection's id.
        id: ConnectionId,
    },
}

impl Slice {
    /// Cuts the audience of `target` into slices: everyone into `segments`, a
    /// topic into its `shards`.
    #[must_use]
    pub fn cut(target: &Target, segments: u16, shards: u16) -> Vec<Self> {
        match target {
            Target::Everyone => (0..segments)
                .map(|segment| Self::Everyone {
                    segment,
                    of: segments,
                })
                .collect(),
            Target::Topic { topic } => (0..shards)
                .map(|shard| Self::Topic {
                    topic: topic.clone(),
                    shard,
                })
                .collect(),
            Target::Connection { id } => vec![Self::Connection { id: id.clone() }],
        }
    }
}

/// Where to go on reading a slice: after this connection, in the slice's own
/// order. The connection need not exist any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub ConnectionId);

/// One page of a slice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Whom to push to. May be empty though the slice goes on.
    pub recipients: Vec<Recipient>,
    /// Where the slice goes on; `None` at its end.
    pub next: Option<Cursor>,
}

/// Reads audiences.
pub trait Audience {
    /// Reads the page of `slice` that begins after `after`, at most `limit`
    /// recipients. Connections that have expired are left out.
    fn page(
        &self,
        slice: &Slice,
        after: Option<&Cursor>,
        limit: u32,
    ) -> impl Future<Output = Result<Page, StoreError>> + Send;
}

/// Counts audiences.
pub trait Listeners {
    /// Counts who listens to a topic now, or did a second ago. Connections that
    /// have expired are left out.
    ///
    /// Every subscription is read, if not sent: on `DynamoDB` about half a read
    /// unit for 40 of them, some 12,000 units for a million, and a request for
    /// every 10,000. Whoever calls sets the deadline.
    fn count(&self, topic: &Topic) -> impl Future<Output = Result<u64, StoreError>> + Send;
}
