//! Rows of idempotency keys, beside the notifications.

use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use jiff::{SignedDuration, Timestamp};

use super::attributes::{
    Row, flag, key, milliseconds, read_flag, read_milliseconds, read_text, seconds, text,
};
use super::{Store, is_passing};
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
/// How often a transaction is tried that runs into another one, or into a
/// limit.
const MAX_ATTEMPTS: u32 = 5;
/// The longest pause before the second attempt; it doubles.
const LONGEST_FIRST_PAUSE: Duration = Duration::from_millis(40);

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
        let mut row = self.key_row(key, notification.time);
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
        for attempt in 0..MAX_ATTEMPTS {
            pause_before(attempt).await;
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
                Some(Verdict::Temporary) => {}
                Some(Verdict::Permanent) | None => return Err(store_error(RECORD)(error)),
            }
        }
        Err(StoreError {
            operation: RECORD,
            detail: format!("{MAX_ATTEMPTS} transactions were cancelled for conflicts or limits"),
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
            .set_item(Some(self.key_row(key, now)))
            .condition_expression(IS_FREE)
            .expression_attribute_values(":now", seconds(now))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = claimed else {
            return Ok(true);
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                let earlier = refused.item().and_then(|row| read_text(row, "fingerprint"));
                Ok(earlier == Some(key.fingerprint()))
            }
            _ => Err(store_error(CLAIM)(error)),
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
        let Some(recorded) = read_text(row, "recorded") else {
            // Claimed alone.
            return Ok(Recorded::OtherRequest);
        };
        let accepted_at = read_milliseconds(row, "acceptedAt");
        let (Ok(id), Some(accepted_at)) = (recorded.parse(), accepted_at) else {
            return Err(unreadable("the row of the idempotency key is malformed"));
        };
        let is_enqueued = read_flag(row, "isEnqueued").unwrap_or_default();
        let not_enqueued = if is_enqueued {
            None
        } else {
            // To answer as if it were enqueued would lose it.
            let notification = self.read_notification(id).await?;
            let missing = || unreadable("the notification of the key is missing or malformed");
            Some(Box::new(notification.ok_or_else(missing)?))
        };
        Ok(Recorded::Again {
            id,
            accepted_at,
            not_enqueued,
        })
    }

    fn key_row(&self, key: &IdempotencyKey, now: Timestamp) -> Row {
        let mut row = row_key(key);
        let attributes = [
            ("fingerprint", text(key.fingerprint())),
            ("acceptedAt", milliseconds(now)),
            ("expiresAt", seconds(self.kept_until(now))),
        ];
        row.extend(attributes.map(|(name, value)| (name.to_owned(), value)));
        row
    }

    /// No key outlives the notification that it leads to.
    fn kept_until(&self, now: Timestamp) -> Timestamp {
        let kept = SignedDuration::try_from(KEPT_FOR).unwrap_or(SignedDuration::ZERO);
        self.retained_until(now).min(now + kept)
    }
}

async fn pause_before(attempt: u32) {
    if let Some(doubled) = attempt.checked_sub(1) {
        let longest = LONGEST_FIRST_PAUSE.saturating_mul(1 << doubled);
        tokio::time::sleep(longest.mul_f64(fastrand::f64())).await;
    }
}

fn unreadable(detail: &str) -> StoreError {
    StoreError {
        operation: RECORD,
        detail: detail.to_owned(),
    }
}

/// Why a transaction was cancelled, as far as it matters here.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// The key is there already.
    Taken(Row),
    /// Another transaction was at the same rows, or the table at its limit: the
    /// same may go well in a moment.
    Temporary,
    /// It would fail again.
    Permanent,
}

fn verdict_of(error: &TransactWriteItemsError) -> Verdict {
    match error {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            verdict_of_reasons(cancelled.cancellation_reasons())
        }
        TransactWriteItemsError::TransactionInProgressException(_) => Verdict::Temporary,
        _ => Verdict::Permanent,
    }
}

fn verdict_of_reasons(reasons: &[CancellationReason]) -> Verdict {
    if let Some(row) = reasons.iter().find_map(CancellationReason::item) {
        Verdict::Taken(row.clone())
    } else if is_passing(reasons) {
        // A condition that failed without a row: it was deleted meanwhile.
        Verdict::Temporary
    } else {
        Verdict::Permanent
    }
}

fn row_key(of: &IdempotencyKey) -> Row {
    let id = format!("idempotency#{}", of.name());
    key([("notificationId", id.as_str()), ("part", KEY)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_is_there_says_that_the_key_is_taken() {
        let row = key([("notificationId", "idempotency#1")]);
        let taken = CancellationReason::builder()
            .code("ConditionalCheckFailed")
            .set_item(Some(row.clone()))
            .build();
        let other = CancellationReason::builder()
            .code("ThrottlingError")
            .build();
        let verdict = verdict_of_reasons(&[taken, other]);
        assert_eq!(verdict, Verdict::Taken(row));
    }

    #[test]
    fn a_row_that_was_deleted_meanwhile_leaves_the_key_free() {
        let reason = |code: &str| CancellationReason::builder().code(code).build();
        let without_row = [reason("ConditionalCheckFailed"), reason("None")];
        assert_eq!(verdict_of_reasons(&without_row), Verdict::Temporary);
        let wrong = [reason("ConditionalCheckFailed"), reason("ValidationError")];
        assert_eq!(verdict_of_reasons(&wrong), Verdict::Permanent);
    }
}
