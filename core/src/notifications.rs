//! The notifications that were accepted, as a port.

use jiff::Timestamp;

use crate::idempotency::IdempotencyKey;
use crate::ledger::Standing;
use crate::notification::{Notification, NotificationId};
use crate::store::StoreError;

/// What recording a notification under a key found.
#[derive(Clone, Debug, PartialEq)]
pub enum Recorded {
    /// It is recorded, and has to be enqueued.
    New,
    /// The same request was made before, under the same key.
    Again {
        /// The id that was given then.
        id: NotificationId,
        /// When it was accepted.
        accepted_at: Timestamp,
        /// The notification, if nobody has said that it was enqueued: to do so
        /// twice is harmless, to do so never is not.
        not_enqueued: Option<Box<Notification>>,
    },
    /// Another request was made before under the same key.
    OtherRequest,
}

/// Keeps notifications, and tells where they stand.
pub trait Notifications {
    /// Records a notification.
    fn record(
        &self,
        notification: &Notification,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Records a notification under a key, once, before it is enqueued: either
    /// both are recorded or neither. The key is kept from the notification's
    /// time for [`KEPT_FOR`](crate::idempotency::KEPT_FOR), or for as long as
    /// notifications are where that is shorter.
    ///
    /// # Errors
    /// The store failed, or what was recorded under the key and has yet to be
    /// enqueued cannot be read.
    fn record_once(
        &self,
        notification: &Notification,
        key: &IdempotencyKey,
    ) -> impl Future<Output = Result<Recorded, StoreError>> + Send;

    /// Claims a key at `now` for the request that it was sent with; returns
    /// whether it was free, or claimed for the same request. A claim that is
    /// repeated is kept no longer than the first.
    fn claim(
        &self,
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Notes that the notification that was recorded under `key` was enqueued.
    fn note_enqueued(
        &self,
        key: &IdempotencyKey,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Notes that a notification, which there is, was cancelled at `now`, unless
    /// it was before. Workers see it when they begin, and at their next
    /// checkpoint.
    fn cancel(
        &self,
        id: NotificationId,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Adds up the parts of a notification; `None` if it was never recorded.
    fn standing(
        &self,
        id: NotificationId,
    ) -> impl Future<Output = Result<Option<Standing>, StoreError>> + Send;
}
