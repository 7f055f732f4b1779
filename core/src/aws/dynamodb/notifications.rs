//! The notifications' own rows, and where they stand.

use jiff::Timestamp;

use super::Store;
use super::attributes::{Row, key, milliseconds, read_milliseconds, read_text, seconds, text};
use super::ledger::{cancelled_at, is_begun, summary_of};
use crate::aws::store_error;
use crate::idempotency::IdempotencyKey;
use crate::ledger::{PartStanding, Record, Standing};
use crate::notification::{Notification, NotificationId};
use crate::notifications::{Notifications, Recorded};
use crate::store::StoreError;

/// The sort key of the notification itself.
const NOTIFICATION: &str = "notification";

const RECORD: &str = "record a notification";
const READ: &str = "read the ledger";

impl Notifications for Store {
    async fn record(&self, notification: &Notification) -> Result<(), StoreError> {
        let recording = self
            .client
            .put_item()
            .table_name(&self.settings.tables.notifications)
            .set_item(Some(self.notification_row(notification)));
        let recorded = recording.send().await;
        recorded.map(drop).map_err(store_error(RECORD))
    }

    async fn record_once(
        &self,
        notification: &Notification,
        key: &IdempotencyKey,
    ) -> Result<Recorded, StoreError> {
        self.record_with_key(notification, key).await
    }

    async fn claim(&self, key: &IdempotencyKey, now: Timestamp) -> Result<bool, StoreError> {
        self.claim_key(key, now).await
    }

    async fn note_enqueued(&self, key: &IdempotencyKey) -> Result<(), StoreError> {
        self.note_key_enqueued(key).await
    }

    async fn cancel(&self, id: NotificationId, now: Timestamp) -> Result<(), StoreError> {
        self.cancel_root(id, now).await
    }

    async fn standing(&self, id: NotificationId) -> Result<Option<Standing>, StoreError> {
        let (mut record, mut cancel_requested_at) = (None, None);
        let mut parts = Vec::new();
        let mut start = None;
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.settings.tables.notifications)
                .key_condition_expression("notificationId = :id")
                .projection_expression(
                    "part, acceptedAt, staleAt, cancelRequestedAt, accepted, gone, failed, \
                     expired, cancelled, pending, #state, slices, isRead, startedAt, updatedAt",
                )
                .expression_attribute_names("#state", "state")
                .expression_attribute_values(":id", text(id.to_string()))
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(store_error(READ))?;
            for row in page.items() {
                cancel_requested_at = cancel_requested_at.or(cancelled_at(row));
                if read_text(row, "part") == Some(NOTIFICATION) {
                    record = Some(row.clone());
                } else if is_begun(row) {
                    parts.push(part_standing_of(row));
                }
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        let record = record.and_then(|row| record_of(id, &row, cancel_requested_at));
        Ok(record.map(|record| Standing::of(&record, parts)))
    }
}

impl Store {
    pub(super) async fn read_notification(
        &self,
        id: NotificationId,
    ) -> Result<Option<Notification>, StoreError> {
        let found = self
            .client
            .get_item()
            .table_name(&self.settings.tables.notifications)
            .set_key(Some(notification_key(id)))
            .consistent_read(true)
            .send()
            .await
            .map_err(store_error(READ))?;
        Ok(found.item.as_ref().and_then(|row| notification_of(id, row)))
    }

    pub(super) fn notification_row(&self, notification: &Notification) -> Row {
        let id = notification.id.to_string();
        let target = serde_json::to_string(&notification.target).unwrap_or_default();
        let mut row = key([("notificationId", id.as_str()), ("part", NOTIFICATION)]);
        let attributes = [
            ("acceptedAt", milliseconds(notification.time)),
            ("frame", text(&notification.frame)),
            ("target", text(target)),
            ("expiresAt", seconds(self.retained_until(notification.time))),
        ];
        row.extend(attributes.map(|(name, value)| (name.to_owned(), value)));
        if let Some(stale_at) = notification.expires_at {
            row.insert("staleAt".to_owned(), milliseconds(stale_at));
        }
        row
    }
}

fn notification_key(id: NotificationId) -> Row {
    let id = id.to_string();
    key([("notificationId", id.as_str()), ("part", NOTIFICATION)])
}

fn notification_of(id: NotificationId, row: &Row) -> Option<Notification> {
    Some(Notification {
        id,
        time: read_milliseconds(row, "acceptedAt")?,
        target: serde_json::from_str(read_text(row, "target")?).ok()?,
        frame: read_text(row, "frame")?.to_owned(),
        expires_at: read_milliseconds(row, "staleAt"),
        trace: None,
    })
}

fn record_of(
    id: NotificationId,
    row: &Row,
    cancel_requested_at: Option<Timestamp>,
) -> Option<Record> {
    Some(Record {
        id,
        accepted_at: read_milliseconds(row, "acceptedAt")?,
        expires_at: read_milliseconds(row, "staleAt"),
        cancel_requested_at,
    })
}

fn part_standing_of(row: &Row) -> PartStanding {
    PartStanding {
        summary: summary_of(row),
        started_at: read_milliseconds(row, "startedAt"),
        updated_at: read_milliseconds(row, "updatedAt"),
    }
}
