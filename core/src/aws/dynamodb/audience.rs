//! Reading audiences: parallel Scans of the connections, Queries of a topic's
//! shards.

use aws_sdk_dynamodb::types::{AttributeValue, Select};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

use super::Store;
use super::attributes::{Row, key, milliseconds_in, seconds, text};
use crate::audience::{Audience, Cursor, Listeners, Page, Slice};
use crate::aws::store_error;
use crate::connection::{ConnectionId, Recipient};
use crate::store::{Registry as _, StoreError};
use crate::topic::Topic;

// All reads of an audience are strongly consistent: whose socket opened before
// the POST is in it, and is counted. They cost twice the read units, some 25 for
// 1,000 connections, and a partition still yields more than an account may push.

/// How many shards of a topic are counted at once.
const COUNTED_AT_ONCE: usize = 8;

const COUNT: &str = "count who listens to a topic";
const OPERATION: &str = "read a page of the audience";
const WHAT_IS_READ: &str = "connectionId, connectedAt";
// TTL deletes within days, so that what has expired may still be there.
const NOT_EXPIRED: &str = "expiresAt > :now";

impl Audience for Store {
    async fn page(
        &self,
        slice: &Slice,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page, StoreError> {
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        match slice {
            Slice::Everyone { segment, of } => self.scan(*segment, *of, after, limit).await,
            Slice::Topic { topic, shard } => self.query(topic, *shard, after, limit).await,
            Slice::Connection { id } => {
                let now = self.clock.now();
                let found = self.find(id).await?;
                let found = found.filter(|connection| connection.expires_at > now);
                let recipients = found.map(|connection| Recipient {
                    connection_id: connection.id,
                    connected_at: connection.connected_at,
                });
                Ok(Page {
                    recipients: recipients.into_iter().collect(),
                    next: None,
                })
            }
        }
    }
}

impl Listeners for Store {
    async fn count(&self, topic: &Topic) -> Result<u64, StoreError> {
        let shards = (0..self.settings.topic_shards).map(|shard| self.count_shard(topic, shard));
        // So many at once: a topic may have a thousand shards.
        let counts = stream::iter(shards).buffer_unordered(COUNTED_AT_ONCE);
        counts.try_fold(0, async |sum, count| Ok(sum + count)).await
    }
}

impl Store {
    /// Counts a shard page by page: DynamoDB counts what a page of 1 MB holds.
    async fn count_shard(&self, topic: &Topic, shard: u16) -> Result<u64, StoreError> {
        let mut count = 0;
        let mut start = None;
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.settings.tables.subscriptions)
                .select(Select::Count)
                .consistent_read(true)
                .key_condition_expression("topicShard = :shard")
                .set_exclusive_start_key(start)
                .filter_expression(NOT_EXPIRED)
                .expression_attribute_values(":shard", text(Self::topic_shard(topic, shard)))
                .expression_attribute_values(":now", seconds(self.clock.now()))
                .send()
                .await
                .map_err(store_error(COUNT))?;
            count += u64::try_from(page.count()).unwrap_or_default();
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(count);
            }
        }
    }

    async fn scan(
        &self,
        segment: u16,
        of: u16,
        after: Option<&Cursor>,
        limit: i32,
    ) -> Result<Page, StoreError> {
        let start = after.map(|Cursor(id)| key([("connectionId", id.as_str())]));
        let page = self
            .client
            .scan()
            .table_name(&self.settings.tables.connections)
            .segment(segment.into())
            .total_segments(of.into())
            .limit(limit)
            .set_exclusive_start_key(start)
            .consistent_read(true)
            .projection_expression(WHAT_IS_READ)
            .filter_expression(NOT_EXPIRED)
            .expression_attribute_values(":now", seconds(self.clock.now()))
            .send()
            .await
            .map_err(store_error(OPERATION))?;
        Ok(page_of(page.items, page.last_evaluated_key))
    }

    async fn query(
        &self,
        topic: &Topic,
        shard: u16,
        after: Option<&Cursor>,
        limit: i32,
    ) -> Result<Page, StoreError> {
        let shard = Self::topic_shard(topic, shard);
        let start = after.map(|Cursor(id)| {
            key([
                ("topicShard", shard.as_str()),
                ("connectionId", id.as_str()),
            ])
        });
        let page = self
            .client
            .query()
            .table_name(&self.settings.tables.subscriptions)
            .key_condition_expression("topicShard = :shard")
            .limit(limit)
            .set_exclusive_start_key(start)
            .consistent_read(true)
            .projection_expression(WHAT_IS_READ)
            .filter_expression(NOT_EXPIRED)
            .expression_attribute_values(":shard", text(shard))
            .expression_attribute_values(":now", seconds(self.clock.now()))
            .send()
            .await
            .map_err(store_error(OPERATION))?;
        Ok(page_of(page.items, page.last_evaluated_key))
    }
}

fn page_of(rows: Option<Vec<Row>>, last: Option<Row>) -> Page {
    let next = last.and_then(|mut key| match key.remove("connectionId")? {
        AttributeValue::S(id) => Some(Cursor(ConnectionId::from(id))),
        _ => None,
    });
    let rows = rows.into_iter().flatten();
    Page {
        recipients: rows.filter_map(recipient_of).collect(),
        next,
    }
}

/// Reads a row that this product wrote; one without a time of connection was
/// not, but can be pushed to all the same.
fn recipient_of(row: Row) -> Option<Recipient> {
    let mut connection_id = None;
    let mut connected_at = Timestamp::UNIX_EPOCH;
    // There are no others than these two: looking them up would hash their names.
    for (name, value) in row {
        match value {
            AttributeValue::S(id) if name == "connectionId" => connection_id = Some(id),
            AttributeValue::N(time) if name == "connectedAt" => {
                connected_at = milliseconds_in(&time).unwrap_or(connected_at);
            }
            _ => {}
        }
    }
    Some(Recipient {
        connection_id: ConnectionId::from(connection_id?),
        connected_at,
    })
}
