//! Reading audiences: parallel Scans of the connections, Queries of a topic's
//! shards.

use jiff::Timestamp;

use super::Store;
use super::attributes::{Row, key, read_milliseconds, read_text, seconds, text};
use crate::audience::{Audience, Cursor, Page, Slice};
use crate::aws::store_error;
use crate::connection::{ConnectionId, Recipient};
use crate::store::{Registry as _, StoreError};
use crate::topic::Topic;

// Both reads are strongly consistent: whose socket opened before the POST is in
// the audience. They cost twice the read units, some 25 for 1,000 connections,
// and a partition still yields more than an account may push.

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

impl Store {
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
        Ok(page_of(page.items(), page.last_evaluated_key()))
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
        Ok(page_of(page.items(), page.last_evaluated_key()))
    }
}

fn page_of(rows: &[Row], last: Option<&Row>) -> Page {
    let next = last.and_then(|key| {
        let id = read_text(key, "connectionId")?;
        Some(Cursor(ConnectionId::from(id)))
    });
    Page {
        recipients: rows.iter().filter_map(recipient_of).collect(),
        next,
    }
}

/// Reads a row that this product wrote; one without a time of connection was
/// not, but can be pushed to all the same.
fn recipient_of(row: &Row) -> Option<Recipient> {
    Some(Recipient {
        connection_id: ConnectionId::from(read_text(row, "connectionId")?),
        connected_at: read_milliseconds(row, "connectedAt").unwrap_or(Timestamp::UNIX_EPOCH),
    })
}
