//! The ledger's rows, one for each part of a notification.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use futures::future::join;
use jiff::Timestamp;
use tracing::warn;

use super::attributes::{
    Row, flag, key, milliseconds, number, read_flag, read_milliseconds, read_number, read_text,
    seconds, text,
};
use super::{Store, is_refused};
use crate::aws::store_error;
use crate::ledger::{
    Begun, Counts, Entry, Lease, Ledger, LedgerError, PartState, PartSummary, Progress,
};
use crate::notification::NotificationId;
use crate::store::StoreError;
use crate::task::Part;

/// What the sort keys of parts begin with.
const PART_PREFIX: &str = "part#";

const BEGIN: &str = "begin a part of the ledger";
const CANCEL: &str = "cancel a notification";
const WRITE: &str = "write a part of the ledger";
const READ_CANCELLED: &str = "find out whether a notification was cancelled";

impl Ledger for Store {
    async fn begin(
        &self,
        lease: &Lease,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Begun, StoreError> {
        let taking = self
            .client
            .update_item()
            .table_name(&self.settings.tables.notifications)
            .set_key(Some(part_key(lease.notification_id, &lease.part)))
            .update_expression(
                "SET #owner = :owner, leaseUntil = :until, entries = :none, \
                 expiresAt = :retained, startedAt = if_not_exists(startedAt, :now), \
                 #state = if_not_exists(#state, :open)",
            )
            .condition_expression(
                // Its own lease refuses nobody: the SDK may have tried before,
                // and not have seen the answer.
                "(attribute_not_exists(leaseUntil) OR leaseUntil <= :now OR #owner = :owner) \
                 AND (attribute_not_exists(#state) OR #state <> :done)",
            )
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":owner", text(&lease.owner))
            .expression_attribute_values(":until", milliseconds(until))
            .expression_attribute_values(":none", number(0))
            .expression_attribute_values(":retained", seconds(self.retained_until(now)))
            .expression_attribute_values(":now", milliseconds(now))
            .expression_attribute_values(":open", text(name_of(PartState::Open)))
            .expression_attribute_values(":done", text(name_of(PartState::Done)))
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send();
        // The root's own row says it, and so spares a small notification the
        // request.
        let looking_up = async {
            if lease.part == Part::root() {
                return false;
            }
            self.read_cancelled(lease.notification_id, true)
                .await
                .unwrap_or_else(|error| {
                    warn!(%error, "cancellation was not looked up");
                    false
                })
        };
        let (taken, is_cancelled) = join(taking, looking_up).await;
        let error = match taken {
            Ok(taken) => {
                let row = taken.attributes.unwrap_or_default();
                return Ok(Begun::Taken {
                    progress: progress_of(&row)?,
                    is_cancelled: is_cancelled || cancelled_at(&row).is_some(),
                });
            }
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                let row = refused.item.as_ref();
                Ok(match row.map(state_of) {
                    Some(PartState::Done) => Begun::Done,
                    Some(PartState::Open | PartState::DeadLettered) | None => {
                        let held = row.and_then(|row| read_milliseconds(row, "leaseUntil"));
                        Begun::Held(held.unwrap_or(until))
                    }
                })
            }
            _ => Err(store_error(BEGIN)(error)),
        }
    }

    async fn write(&self, lease: &Lease, entry: &Entry) -> Result<(), LedgerError> {
        let progress = &entry.progress;
        let left = serde_json::to_string(&progress.left).map_err(store_error(WRITE))?;
        let summary = progress.summary();
        let mut update = "SET accepted = :accepted, gone = :gone, failed = :failed, \
             expired = :expired, cancelled = :cancelled, pending = :pending, isRead = :isRead, #state = :state, #left = :left, \
             slices = :slices, entries = :number, updatedAt = :now"
            .to_owned();
        if entry.is_last {
            update.push_str(" REMOVE leaseUntil");
        }
        let written = self
            .client
            .update_item()
            .table_name(&self.settings.tables.notifications)
            .set_key(Some(part_key(lease.notification_id, &lease.part)))
            .update_expression(update)
            .condition_expression("#owner = :owner AND entries <= :number")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#left", "left")
            .expression_attribute_values(":owner", text(&lease.owner))
            .expression_attribute_values(":accepted", number(summary.counts.accepted))
            .expression_attribute_values(":gone", number(summary.counts.gone))
            .expression_attribute_values(":failed", number(summary.counts.failed))
            .expression_attribute_values(":expired", number(summary.counts.expired))
            .expression_attribute_values(":cancelled", number(summary.counts.cancelled))
            .expression_attribute_values(":pending", number(summary.pending))
            .expression_attribute_values(":isRead", flag(summary.is_read))
            .expression_attribute_values(":state", text(name_of(progress.state)))
            .expression_attribute_values(":left", text(left))
            .expression_attribute_values(":slices", number(progress.slices.unwrap_or_default()))
            .expression_attribute_values(":number", number(entry.number))
            .expression_attribute_values(":now", milliseconds(entry.written_at))
            .send()
            .await;
        match written {
            Ok(_) => Ok(()),
            Err(error) if is_refused(&error) => Err(LedgerError::LeaseLost {
                notification_id: lease.notification_id,
                part: lease.part.clone(),
            }),
            Err(error) => Err(store_error(WRITE)(error).into()),
        }
    }

    async fn is_cancelled(&self, id: NotificationId) -> Result<bool, StoreError> {
        self.read_cancelled(id, false).await
    }
}

impl Store {
    /// Tells the root's row that its notification was cancelled, begun or not.
    ///
    /// There, and there alone: the notification's own is as large as its frame,
    /// and both reads and writes are charged by what a row holds.
    pub(super) async fn cancel_root(
        &self,
        id: NotificationId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let cancelling = self
            .client
            .update_item()
            .table_name(&self.settings.tables.notifications)
            .set_key(Some(part_key(id, &Part::root())))
            .update_expression(
                // Kept as long as anything that it is to stop.
                "SET cancelRequestedAt = if_not_exists(cancelRequestedAt, :now), \
                 expiresAt = :retained",
            )
            .expression_attribute_values(":now", milliseconds(now))
            .expression_attribute_values(":retained", seconds(self.retained_until(now)));
        let cancelled = cancelling.send().await;
        cancelled.map(drop).map_err(store_error(CANCEL))
    }

    async fn read_cancelled(
        &self,
        id: NotificationId,
        is_latest: bool,
    ) -> Result<bool, StoreError> {
        let found = self
            .client
            .get_item()
            .table_name(&self.settings.tables.notifications)
            .set_key(Some(part_key(id, &Part::root())))
            .projection_expression("cancelRequestedAt")
            .consistent_read(is_latest)
            .send()
            .await
            .map_err(store_error(READ_CANCELLED))?;
        Ok(found.item.as_ref().and_then(cancelled_at).is_some())
    }
}

/// Whether anybody has worked on a part: the root's row may be there for its
/// notification's cancellation alone.
pub(super) fn is_begun(row: &Row) -> bool {
    row.contains_key("state")
}

/// Reads from the root's row when its notification was cancelled.
pub(super) fn cancelled_at(row: &Row) -> Option<Timestamp> {
    read_milliseconds(row, "cancelRequestedAt")
}

/// Reads how far a part had come; `None`: no progress was ever written.
fn progress_of(row: &Row) -> Result<Option<Progress>, StoreError> {
    let Some(left) = read_text(row, "left") else {
        return Ok(None);
    };
    let state = state_of(row);
    let left: crate::task::Left = serde_json::from_str(left).map_err(store_error(BEGIN))?;
    let PartSummary {
        mut counts, slices, ..
    } = summary_of(row);
    if state == PartState::DeadLettered {
        // Shown as failed as long as nobody redrives them.
        let outstanding = left.outstanding.len() as u64;
        counts.failed = counts.failed.saturating_sub(outstanding);
    }
    Ok(Some(Progress {
        counts,
        left,
        state,
        slices,
    }))
}

pub(super) fn summary_of(row: &Row) -> PartSummary {
    let count = |name| read_number(row, name).unwrap_or_default();
    PartSummary {
        counts: Counts {
            accepted: count("accepted"),
            gone: count("gone"),
            failed: count("failed"),
            expired: count("expired"),
            cancelled: count("cancelled"),
        },
        pending: count("pending"),
        state: state_of(row),
        slices: read_number(row, "slices").filter(|slices| *slices > 0),
        is_read: read_flag(row, "isRead").unwrap_or_default(),
    }
}

fn part_key(id: NotificationId, part: &Part) -> Row {
    let (id, part) = (id.to_string(), format!("{PART_PREFIX}{part}"));
    key([("notificationId", id.as_str()), ("part", part.as_str())])
}

fn name_of(state: PartState) -> &'static str {
    match state {
        PartState::Open => "open",
        PartState::Done => "done",
        PartState::DeadLettered => "dead_lettered",
    }
}

fn state_of(row: &Row) -> PartState {
    match read_text(row, "state") {
        Some("done") => PartState::Done,
        Some("dead_lettered") => PartState::DeadLettered,
        _ => PartState::Open,
    }
}
