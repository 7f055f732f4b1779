//! Storing, changing and deleting connections and their subscriptions.

mod forget;
mod messages;
mod relisten;

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};

use super::Store;
use super::attributes::{
    Row, key, milliseconds, read_milliseconds, read_number, read_text, seconds, text,
};
use crate::aws::store_error;
use crate::connection::{Connection, ConnectionId, Recipient};
use crate::store::{Counted, Forget, Registry, Relistened, StoreError};
use crate::topic::Topic;

/// The most requests in one `BatchWriteItem`
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>).
const MAX_BATCH: usize = 25;
/// How often what a batch left unprocessed is sent again.
const MAX_BATCH_ATTEMPTS: u32 = 6;
/// The first wait before that; it doubles.
const BATCH_BACKOFF: Duration = Duration::from_millis(50);

const OPEN: &str = "store a connection";
const FIND: &str = "find a connection";

/// How often a row's topics have been changed: what is deleted is deleted as it
/// was read.
const CHANGES: &str = "changes";

impl Registry for Store {
    /// The connection's own row goes first: from it, whoever cleans up knows
    /// the subscriptions.
    async fn open(&self, connection: &Connection) -> Result<(), StoreError> {
        self.client
            .put_item()
            .table_name(&self.settings.tables.connections)
            .set_item(Some(row_of(connection)))
            .send()
            .await
            .map_err(store_error(OPEN))?;
        let subscriptions = connection.subscriptions().map(|topic| {
            let row = self.subscription(&topic, connection);
            let put = PutRequest::builder().set_item(Some(row)).build();
            put.map(|put| WriteRequest::builder().put_request(put).build())
                .map_err(store_error(OPEN))
        });
        let subscriptions = subscriptions.collect::<Result<Vec<_>, _>>()?;
        self.write_subscriptions(subscriptions, OPEN).await
    }

    async fn find(&self, id: &ConnectionId) -> Result<Option<Connection>, StoreError> {
        let found = self
            .client
            .get_item()
            .table_name(&self.settings.tables.connections)
            .set_key(Some(key([("connectionId", id.as_str())])))
            .consistent_read(true)
            .send()
            .await
            .map_err(store_error(FIND))?;
        Ok(found.item.as_ref().and_then(connection_of))
    }

    async fn relisten(
        &self,
        as_read: &Connection,
        topics: &[Topic],
    ) -> Result<Relistened, StoreError> {
        self.relisten_at_once(as_read, topics).await
    }

    async fn count_message(
        &self,
        sender: &Recipient,
        window: i64,
        most: u32,
    ) -> Result<Counted, StoreError> {
        self.count_message_of(sender, window, most).await
    }
}

impl Forget for Store {
    async fn forget(&self, gone: &[Recipient], topic: Option<&Topic>) -> Result<(), StoreError> {
        for gone in gone.chunks(MAX_BATCH) {
            self.forget_batch(gone, topic).await?;
        }
        Ok(())
    }
}

impl Store {
    async fn write_subscriptions(
        &self,
        requests: Vec<WriteRequest>,
        operation: &'static str,
    ) -> Result<(), StoreError> {
        let table = &self.settings.tables.subscriptions;
        for batch in requests.chunks(MAX_BATCH) {
            let mut unprocessed = HashMap::from([(table.clone(), batch.to_vec())]);
            for attempt in 0..MAX_BATCH_ATTEMPTS {
                back_off(attempt).await;
                let written = self
                    .client
                    .batch_write_item()
                    .set_request_items(Some(std::mem::take(&mut unprocessed)))
                    .send()
                    .await
                    .map_err(store_error(operation))?;
                unprocessed = written.unprocessed_items.unwrap_or_default();
                if unprocessed.is_empty() {
                    break;
                }
            }
            if !unprocessed.is_empty() {
                return Err(unprocessed_error(operation));
            }
        }
        Ok(())
    }

    fn subscription(&self, topic: &Topic, connection: &Connection) -> Row {
        let mut row = self.subscription_key(topic, &connection.id);
        row.insert(
            "connectedAt".to_owned(),
            milliseconds(connection.connected_at),
        );
        row.insert("expiresAt".to_owned(), seconds(connection.expires_at));
        row
    }

    fn subscription_key(&self, topic: &Topic, connection: &ConnectionId) -> Row {
        let shard = Topic::shard_of(connection, self.settings.topic_shards);
        key([
            ("topicShard", Self::topic_shard(topic, shard).as_str()),
            ("connectionId", connection.as_str()),
        ])
    }
}

async fn back_off(attempt: u32) {
    if attempt > 0 {
        let longest = BATCH_BACKOFF.saturating_mul(1 << attempt);
        tokio::time::sleep(longest.mul_f64(fastrand::f64())).await;
    }
}

fn unprocessed_error(operation: &'static str) -> StoreError {
    StoreError {
        operation,
        detail: format!("items were left unprocessed {MAX_BATCH_ATTEMPTS} times"),
    }
}

fn row_of(connection: &Connection) -> Row {
    let mut row = key([("connectionId", connection.id.as_str())]);
    row.insert(
        "connectedAt".to_owned(),
        milliseconds(connection.connected_at),
    );
    row.insert("expiresAt".to_owned(), seconds(connection.expires_at));
    let ids = [
        ("userId", &connection.user_id),
        ("orgId", &connection.org_id),
    ];
    for (name, id) in ids {
        if let Some(id) = id {
            row.insert(name.to_owned(), text(id));
        }
    }
    if let Some(topics) = set_of(&connection.topics) {
        row.insert("topics".to_owned(), topics);
    }
    row
}

/// Topics as an attribute; none where there are none, because a set in
/// `DynamoDB` cannot be empty.
fn set_of(topics: &[Topic]) -> Option<AttributeValue> {
    let names = topics.iter().map(ToString::to_string).collect();
    (!topics.is_empty()).then_some(AttributeValue::Ss(names))
}

fn connection_of(row: &Row) -> Option<Connection> {
    let topics = match row.get("topics") {
        Some(AttributeValue::Ss(topics)) => topics.as_slice(),
        _ => &[],
    };
    Some(Connection {
        id: ConnectionId::from(read_text(row, "connectionId")?),
        connected_at: read_milliseconds(row, "connectedAt")?,
        expires_at: jiff::Timestamp::from_second(read_number(row, "expiresAt")?).ok()?,
        user_id: read_text(row, "userId").map(ToOwned::to_owned),
        org_id: read_text(row, "orgId").map(ToOwned::to_owned),
        topics: topics
            .iter()
            .filter_map(|topic| topic.parse().ok())
            .collect(),
    })
}
