//! Deleting connections that are gone, with everything that names them.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::types::{
    DeleteRequest, KeysAndAttributes, ReturnValuesOnConditionCheckFailure, WriteRequest,
};
use futures::future::try_join_all;
use tracing::warn;

use super::super::Store;
use super::super::attributes::{key, milliseconds, number, read_milliseconds, read_number};
use super::{CHANGES, MAX_BATCH_ATTEMPTS, back_off, connection_of, unprocessed_error};
use crate::aws::store_error;
use crate::connection::{Connection, ConnectionId, Recipient};
use crate::store::StoreError;
use crate::topic::Topic;

const FORGET: &str = "delete gone connections";
/// How often a connection is read again whose topics were changed meanwhile.
const MAX_ATTEMPTS: u32 = 5;

/// A connection as it is stored.
struct Stored {
    connection: Connection,
    /// How often its topics had been changed; `None` for never.
    changes: Option<u64>,
}

impl Store {
    /// Deletes as many connections as one batch takes.
    ///
    /// Subscriptions go first: should this die half-way, the connection's row
    /// is still there to be found gone again. The row goes only if its topics
    /// are those whose subscriptions went, so that none is left over when the
    /// client subscribes at the same time.
    pub(super) async fn forget_batch(
        &self,
        gone: &[Recipient],
        found_in: Option<&Topic>,
    ) -> Result<(), StoreError> {
        let mut left = gone.to_vec();
        for attempt in 0..MAX_ATTEMPTS {
            back_off(attempt).await;
            left = self.forget_as_read(&left, found_in).await?;
            if left.is_empty() {
                return Ok(());
            }
        }
        let connections = left.len();
        warn!(
            connections,
            "gone connections kept: their topics kept changing"
        );
        Ok(())
    }

    /// Returns those whose topics were changed meanwhile.
    async fn forget_as_read(
        &self,
        gone: &[Recipient],
        found_in: Option<&Topic>,
    ) -> Result<Vec<Recipient>, StoreError> {
        let stored = self.read_connections(gone).await?;
        let mut subscriptions = Vec::new();
        let mut connections = Vec::new();
        for recipient in gone {
            let id = &recipient.connection_id;
            let mut topics: Vec<Topic> = match stored.get(id) {
                Some(row) if row.connection.connected_at == recipient.connected_at => {
                    connections.push((recipient, row.changes));
                    row.connection.subscriptions().collect()
                }
                // The id lives again: that is not the one that is gone.
                Some(_) => continue,
                None => Vec::new(),
            };
            topics.extend(found_in.filter(|topic| !topics.contains(topic)).cloned());
            for topic in topics {
                let key = self.subscription_key(&topic, id);
                let delete = DeleteRequest::builder().set_key(Some(key)).build();
                let delete = delete.map_err(store_error(FORGET))?;
                subscriptions.push(WriteRequest::builder().delete_request(delete).build());
            }
        }
        self.write_subscriptions(subscriptions, FORGET).await?;
        let deleting = connections.into_iter().map(async |(gone, changes)| {
            let is_over = self.delete_connection(gone, changes).await?;
            Ok((!is_over).then(|| gone.clone()))
        });
        let left = try_join_all(deleting).await?;
        Ok(left.into_iter().flatten().collect())
    }

    /// Deletes a row as it was read; returns whether nothing of that life of
    /// the connection is left.
    async fn delete_connection(
        &self,
        gone: &Recipient,
        changes: Option<u64>,
    ) -> Result<bool, StoreError> {
        let as_read = match changes {
            Some(_) => "connectedAt = :connectedAt AND #changes = :changes",
            None => "connectedAt = :connectedAt AND attribute_not_exists(#changes)",
        };
        let mut delete = self
            .client
            .delete_item()
            .table_name(&self.settings.tables.connections)
            .set_key(Some(key([("connectionId", gone.connection_id.as_str())])))
            .condition_expression(as_read)
            .expression_attribute_names("#changes", CHANGES)
            .expression_attribute_values(":connectedAt", milliseconds(gone.connected_at))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        if let Some(changes) = changes {
            delete = delete.expression_attribute_values(":changes", number(changes));
        }
        let Err(error) = delete.send().await else {
            return Ok(true);
        };
        match error.as_service_error() {
            Some(DeleteItemError::ConditionalCheckFailedException(refused)) => {
                let row = refused.item.as_ref();
                let connected_at = row.and_then(|row| read_milliseconds(row, "connectedAt"));
                Ok(connected_at != Some(gone.connected_at))
            }
            // The client is subscribing right now.
            Some(DeleteItemError::TransactionConflictException(_)) => Ok(false),
            _ => Err(store_error(FORGET)(error)),
        }
    }

    async fn read_connections(
        &self,
        gone: &[Recipient],
    ) -> Result<HashMap<ConnectionId, Stored>, StoreError> {
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
            let connections = rows.iter().flatten().filter_map(|row| {
                let connection = connection_of(row)?;
                let changes = read_number(row, CHANGES);
                let stored = Stored {
                    connection,
                    changes,
                };
                Some((stored.connection.id.clone(), stored))
            });
            found.extend(connections);
            unprocessed = read.unprocessed_keys.unwrap_or_default();
            if unprocessed.is_empty() {
                return Ok(found);
            }
        }
        Err(unprocessed_error(FORGET))
    }
}
