//! Rows of idempotency keys, beside the notifications.

use std::time::Duration;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use jiff::{SignedDuration, Timestamp};

use super::attributes::{
    Row, flag, key, milliseconds, read_flag, read_milliseconds, read_text, seconds, text,
};
use super::{Store, is_refused};
use crate::aws::store_error;
use crate::idempotency::{IdempotencyKey, KEPT_FOR};
use crate::notification::Notification;
use crate::notifications::Recorded;
use crate::store::StoreError;

/// The sort key of what is recorded under an idempotency key.
const KEY: &str = "key";
/// Whether a key can be taken. TTL deletes within days, so that one may be there
/// that is not kept any more.
const IS_FREE: &str = "attribute_not_exists(notificationId) OR expiresAt <= :now";
/// The most often that a transaction is tried which runs into another one.
const MAX_CONFLICTS: u32 = 5;
/// The longest wait after the first conflict; it doubles.
const CONFLICT_BACKOFF: Duration = Duration::from_millis(20);

const RECORD: &str = "record a notification under its idempotency key";
const CLAIM: &str = "claim an idempotency key";
const NOTE_ENQUEUED: &str = "note that a notification was enqueued";

impl Store {
    /// Records both in one transaction: should this die, either both are there
    /// or neither, and the same request made again finds out which.
    pub(super) async fn record_with_key(
        &self,
        notification: &Notification,
        key: &IdempotencyKey,
    ) -> Result<Recorded, StoreError> {
        let put = |row| {
            Put::builder()
                .table_name(&self.settings.tables.notifications)
                .set_item(Some(row))
        };
        let mut row = key_row(key, notification.time);
        row.insert("recorded".to_owned(), text(notification.id.to_string()));
        let key_put = put(row)
            .condition_expression(IS_FREE)
            .expression_attribute_values(":now", seconds(notification.time))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(store_error(RECORD))?;
        let notification_put = put(self.notification_row(notification))
            .build()
            .map_err(store_error(RECORD))?;
        let items = [key_put, notification_put]
            .map(|put| TransactWriteItem::builder().put(put).build())
            .to_vec();
        for attempt in 0..MAX_CONFLICTS {
            if attempt > 0 {
                let longest = CONFLICT_BACKOFF * (1 << attempt);
                tokio::time::sleep(longest.mul_f64(fastrand::f64())).await;
            }
            let written = self
                .client
                .transact_write_items()
                .set_transact_items(Some(items.clone()))
                .send()
                .await;
            let Err(error) = written else {
                return Ok(Recorded::New);
            };
            match error.as_service_error().map(verdict_of) {
                Some(Verdict::Taken(row)) => return self.recorded_before(key, &row).await,
                Some(Verdict::Conflict) => {}
                Some(Verdict::Other) | None => return Err(store_error(RECORD)(error)),
            }
        }
        Err(StoreError {
            operation: RECORD,
            detail: format!("{MAX_CONFLICTS} transactions on its idempotency key conflicted"),
        })
    }

    pub(super) async fn claim_key(
        &self,
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let claimed = self
            .client
            .put_item()
            .table_name(&self.settings.tables.notifications)
            .set_item(Some(key_row(key, now)))
            .condition_expression(format!("{IS_FREE} OR fingerprint = :fingerprint"))
            .expression_attribute_values(":now", seconds(now))
            .expression_attribute_values(":fingerprint", text(key.fingerprint()))
            .send()
            .await;
        match claimed {
            Ok(_) => Ok(true),
            Err(error) if is_refused(&error) => Ok(false),
            Err(error) => Err(store_error(CLAIM)(error)),
        }
    }

    pub(super) async fn note_key_enqueued(&self, key: &IdempotencyKey) -> Result<(), StoreError> {
        self.client
            .update_item()
            .table_name(&self.settings.tables.notifications)
            .set_key(Some(row_key(key)))
            .update_expression("SET isEnqueued = :yes")
            .condition_expression("attribute_exists(notificationId)")
            .expression_attribute_values(":yes", flag(true))
            .send()
            .await
            .map_err(store_error(NOTE_ENQUEUED))?;
        Ok(())
    }

    /// Reads what the same key was used for before.
    async fn recorded_before(
        &self,
        key: &IdempotencyKey,
        row: &Row,
    ) -> Result<Recorded, StoreError> {
        if read_text(row, "fingerprint") != Some(key.fingerprint()) {
            return Ok(Recorded::OtherRequest);
        }
        let id = read_text(row, "recorded").and_then(|id| id.parse().ok());
        let accepted_at = read_milliseconds(row, "acceptedAt");
        let (Some(id), Some(accepted_at)) = (id, accepted_at) else {
            return Err(StoreError {
                operation: RECORD,
                detail: "the row of the idempotency key is malformed".to_owned(),
            });
        };
        let is_enqueued = read_flag(row, "isEnqueued").unwrap_or_default();
        let not_enqueued = if is_enqueued {
            None
        } else {
            self.read_notification(id).await?.map(Box::new)
        };
        Ok(Recorded::Again {
            id,
            accepted_at,
            not_enqueued,
        })
    }
}

/// Why a transaction was cancelled, as far as it matters here.
enum Verdict {
    /// The key is there already.
    Taken(Row),
    /// Another transaction was at the same rows.
    Conflict,
    Other,
}

fn verdict_of(error: &TransactWriteItemsError) -> Verdict {
    match error {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            let reasons = cancelled.cancellation_reasons();
            let taken = reasons.iter().find_map(CancellationReason::item);
            let is_conflict = |reason: &CancellationReason| {
                matches!(
                    reason.code(),
                    Some("TransactionConflict" | "ConditionalCheckFailed")
                )
            };
            match taken {
                Some(row) => Verdict::Taken(row.clone()),
                None if reasons.iter().any(is_conflict) => Verdict::Conflict,
                None => Verdict::Other,
            }
        }
        TransactWriteItemsError::TransactionInProgressException(_) => Verdict::Conflict,
        _ => Verdict::Other,
    }
}

fn row_key(of: &IdempotencyKey) -> Row {
    let id = format!("idempotency#{}", of.name());
    key([("notificationId", id.as_str()), ("part", KEY)])
}

fn key_row(key: &IdempotencyKey, now: Timestamp) -> Row {
    let mut row = row_key(key);
    let attributes = [
        ("fingerprint", text(key.fingerprint())),
        ("acceptedAt", milliseconds(now)),
        ("expiresAt", seconds(kept_until(now))),
    ];
    row.extend(attributes.map(|(name, value)| (name.to_owned(), value)));
    row
}

fn kept_until(now: Timestamp) -> Timestamp {
    now + SignedDuration::try_from(KEPT_FOR).unwrap_or(SignedDuration::ZERO)
}
