//! Counting what a client sends, on its connection's row.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;

use super::super::Store;
use super::super::attributes::{Row, key, milliseconds, number, read_milliseconds, read_number};
use super::back_off;
use crate::aws::store_error;
use crate::connection::Recipient;
use crate::store::{Counted, StoreError};

const COUNT: &str = "count a message";
/// How often it is tried while others count or change the same row.
const MAX_ATTEMPTS: u32 = 6;

/// One more message in the window that is stored, if that is this one or, by
/// another environment's clock, a later one.
const ONE_MORE: (&str, &str) = (
    "ADD messages :one",
    "connectedAt = :connectedAt AND messageWindow >= :window AND messages < :most",
);
/// The first message of this window.
const FIRST: (&str, &str) = (
    "SET messageWindow = :window, messages = :one",
    "connectedAt = :connectedAt \
     AND (attribute_not_exists(messageWindow) OR messageWindow < :window)",
);

/// Why a message was not counted.
enum Refused {
    /// The row is not as it has to be; this is what it is.
    Row(Option<Row>),
    /// A transaction is changing the row.
    Busy,
}

impl Store {
    /// Counts in one write, in two for the first message of a window.
    pub(super) async fn count_message_of(
        &self,
        sender: &Recipient,
        window: i64,
        most: u32,
    ) -> Result<Counted, StoreError> {
        if most == 0 {
            return Ok(Counted::Over);
        }
        let mut next = ONE_MORE;
        for attempt in 0..MAX_ATTEMPTS {
            let refused = self.try_to_count(sender, window, most, next).await?;
            let row = match refused {
                None => return Ok(Counted::Within),
                Some(Refused::Row(row)) => row,
                Some(Refused::Busy) => {
                    back_off(attempt + 1).await;
                    continue;
                }
            };
            let is_senders =
                |row: &Row| read_milliseconds(row, "connectedAt") == Some(sender.connected_at);
            let Some(row) = row.filter(is_senders) else {
                return Ok(Counted::Unknown);
            };
            let counted_in: Option<i64> = read_number(&row, "messageWindow");
            let count: u32 = read_number(&row, "messages").unwrap_or_default();
            next = match counted_in {
                Some(counted_in) if counted_in >= window && count >= most => {
                    return Ok(Counted::Over);
                }
                Some(counted_in) if counted_in >= window => ONE_MORE,
                Some(_) | None => FIRST,
            };
        }
        Err(StoreError {
            operation: COUNT,
            detail: format!("the row was being changed {MAX_ATTEMPTS} times"),
        })
    }

    async fn try_to_count(
        &self,
        sender: &Recipient,
        window: i64,
        most: u32,
        (update, condition): (&str, &str),
    ) -> Result<Option<Refused>, StoreError> {
        let mut counting = self
            .client
            .update_item()
            .table_name(&self.settings.tables.connections)
            .set_key(Some(key([("connectionId", sender.connection_id.as_str())])))
            .update_expression(update)
            .condition_expression(condition)
            .expression_attribute_values(":connectedAt", milliseconds(sender.connected_at))
            .expression_attribute_values(":window", number(window))
            .expression_attribute_values(":one", number(1))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        if condition.contains(":most") {
            counting = counting.expression_attribute_values(":most", number(most));
        }
        let Err(error) = counting.send().await else {
            return Ok(None);
        };
        match error.into_service_error() {
            UpdateItemError::ConditionalCheckFailedException(refused) => {
                Ok(Some(Refused::Row(refused.item)))
            }
            UpdateItemError::TransactionConflictException(_) => Ok(Some(Refused::Busy)),
            error => Err(store_error(COUNT)(error)),
        }
    }
}
