//! Storing and deleting connections and their subscriptions.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::{
    AttributeValue, DeleteRequest, KeysAndAttributes, PutRequest, WriteRequest,
};
use futures::future::try_join_all;

use super::attributes::{
    Row, key, milliseconds, read_milliseconds, read_number, read_text, seconds, text,
};
use super::{Store, is_refused};
use crate::aws::store_error;
use crate::connection::{Connection, ConnectionId, Recipient};
use crate::store::{Registry, StoreError};
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
const FORGET: &str = "delete gone connections";

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
        let subscriptions = connection.topics.iter().map(|topic| {
            let mut row = self.subscription_key(topic, &connection.id);
            row.insert(
                "connectedAt".to_owned(),
                milliseconds(connection.connected_at),
            );
            row.insert("expiresAt".to_owned(), seconds(connection.expires_at));
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

    /// Subscriptions go first: should this die half-way, the connection's row
    /// is still there to be found gone again.
    async fn forget(&self, gone: &[Recipient], topic: Option<&Topic>) -> Result<(), StoreError> {
        for gone in gone.chunks(MAX_BATCH) {
            self.forget_batch(gone, topic).await?;
        }
        Ok(())
    }
}

impl Store {
    async fn forget_batch(
        &self,
        gone: &[Recipient],
        found_in: Option<&Topic>,
    ) -> Result<(), StoreError> {
        let stored = self.read_connections(gone).await?;
        let mut subscriptions = Vec::new();
        let mut connections = Vec::new();
        for recipient in gone {
            let id = &recipient.connection_id;
            let topics = match stored.get(id) {
                Some(row) if row.connected_at == recipient.connected_at => {
                    connections.push(recipient);
                    row.topics.as_slice()
                }
                // The id lives again: that is not the one that is gone.
                Some(_) => &[],
                None => found_in.map(std::slice::from_ref).unwrap_or_default(),
            };
            for topic in topics {
                let key = self.subscription_key(topic, id);
                let delete = DeleteRequest::builder().set_key(Some(key)).build();
                let delete = delete.map_err(store_error(FORGET))?;
                subscriptions.push(WriteRequest::builder().delete_request(delete).build());
            }
        }
        self.write_subscriptions(subscriptions, FORGET).await?;
        try_join_all(
            connections
                .into_iter()
                .map(|gone| self.delete_connection(gone)),
        )
        .await?;
        Ok(())
    }

    async fn delete_connection(&self, gone: &Recipient) -> Result<(), StoreError> {
        let deleted = self
            .client
            .delete_item()
            .table_name(&self.settings.tables.connections)
            .set_key(Some(key([("connectionId", gone.connection_id.as_str())])))
            .condition_expression("connectedAt = :connectedAt")
            .expression_attribute_values(":connectedAt", milliseconds(gone.connected_at))
            .send()
            .await;
        match deleted {
            Ok(_) => Ok(()),
            Err(error) if is_refused(&error) => Ok(()),
            Err(error) => Err(store_error(FORGET)(error)),
        }
    }

    async fn read_connections(
        &self,
        gone: &[Recipient],
    ) -> Result<HashMap<ConnectionId, Connection>, StoreError> {
        let table = &self.settings.tables.connections;
        let keys = gone
            .iter()
            .map(|gone| key([("connectionId", gone.connection_id.as_str())]));
        let keys = KeysAndAttributes::builder()
            .set_keys(Some(keys.collect()))
            .consistent_read(true)
            .build()
            .map_err(store_error(FORGET))?;
        let mut unprocessed = HashMap::from([(table.clone(), keys)]);
        let mut found = HashMap::new();
        for attempt in 0..MAX_BATCH_ATTEMPTS {
            back_off(attempt).await;
            let read = self
                .client
                .batch_get_item()
                .set_request_items(Some(std::mem::take(&mut unprocessed)))
                .send()
                .await
                .map_err(store_error(FORGET))?;
            let rows = read.responses.unwrap_or_default().remove(table);
            let connections = rows.iter().flatten().filter_map(connection_of);
            found.extend(connections.map(|connection| (connection.id.clone(), connection)));
            unprocessed = read.unprocessed_keys.unwrap_or_default();
            if unprocessed.is_empty() {
                return Ok(found);
            }
        }
        Err(unprocessed_error(FORGET))
    }

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
    // A set in DynamoDB cannot be empty.
    if !connection.topics.is_empty() {
        let topics = connection.topics.iter().map(ToString::to_string).collect();
        row.insert("topics".to_owned(), AttributeValue::Ss(topics));
    }
    row
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
