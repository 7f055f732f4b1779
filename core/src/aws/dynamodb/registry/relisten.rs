//! Changing the topics of a connection: its row and its subscriptions in one
//! transaction.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem, Update};

use super::super::attributes::{key, milliseconds, number};
use super::super::{Store, is_passing};
use super::{CHANGES, set_of};
use crate::aws::store_error;
use crate::connection::Connection;
use crate::store::{Relistened, StoreError};
use crate::topic::Topic;

const RELISTEN: &str = "change the topics of a connection";

impl Store {
    /// Changes the topics in one transaction, on the condition that the row is
    /// as it was read.
    ///
    /// The SDK gives the transaction a token, so that an attempt whose answer
    /// was lost is not taken for somebody else's
    /// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>).
    pub(super) async fn relisten_at_once(
        &self,
        as_read: &Connection,
        topics: &[Topic],
    ) -> Result<Relistened, StoreError> {
        let before: BTreeSet<&Topic> = as_read.topics.iter().collect();
        let after: BTreeSet<&Topic> = topics.iter().collect();
        let row = self.row_with(as_read, topics)?;
        let mut items = vec![TransactWriteItem::builder().update(row).build()];
        for topic in after.difference(&before) {
            let put = Put::builder()
                .table_name(&self.settings.tables.subscriptions)
                .set_item(Some(self.subscription(topic, as_read)))
                .build()
                .map_err(store_error(RELISTEN))?;
            items.push(TransactWriteItem::builder().put(put).build());
        }
        for topic in before.difference(&after) {
            let delete = Delete::builder()
                .table_name(&self.settings.tables.subscriptions)
                .set_key(Some(self.subscription_key(topic, &as_read.id)))
                .build()
                .map_err(store_error(RELISTEN))?;
            items.push(TransactWriteItem::builder().delete(delete).build());
        }
        let changed = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .send()
            .await;
        let Err(error) = changed else {
            return Ok(Relistened::Changed);
        };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(canceled))
                if is_passing(canceled.cancellation_reasons()) =>
            {
                Ok(Relistened::Stale)
            }
            _ => Err(store_error(RELISTEN)(error)),
        }
    }

    fn row_with(&self, as_read: &Connection, topics: &[Topic]) -> Result<Update, StoreError> {
        let (before, after) = (set_of(&as_read.topics), set_of(topics));
        let condition = match before {
            Some(_) => "connectedAt = :connectedAt AND topics = :before",
            None => "connectedAt = :connectedAt AND attribute_not_exists(topics)",
        };
        let update = match after {
            Some(_) => "SET topics = :after ADD #changes :one",
            None => "REMOVE topics ADD #changes :one",
        };
        let mut row = Update::builder()
            .table_name(&self.settings.tables.connections)
            .set_key(Some(key([("connectionId", as_read.id.as_str())])))
            .condition_expression(condition)
            .update_expression(update)
            .expression_attribute_names("#changes", CHANGES)
            .expression_attribute_values(":connectedAt", milliseconds(as_read.connected_at))
            .expression_attribute_values(":one", number(1));
        for (name, set) in [(":before", before), (":after", after)] {
            if let Some(set) = set {
                row = row.expression_attribute_values(name, set);
            }
        }
        row.build().map_err(store_error(RELISTEN))
    }
}
