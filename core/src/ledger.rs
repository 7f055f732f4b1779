//! The ledger: what became of every connection that a notification was for.
//!
//! A notification has one part for its whole audience, or one for each slice.
//! Each part is settled by one worker at a time, which holds a lease on it, and
//! whose every write is conditional on that lease: a worker that was thought
//! dead cannot overwrite its successor. At all times, part by part and in sum,
//! `targeted = accepted + gone + failed + expired + cancelled + pending`.

mod standing;

use std::ops::AddAssign;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::standing::{PartStanding, Record, Standing, State};
use crate::notification::NotificationId;
use crate::store::StoreError;
use crate::task::{Left, Part};

/// How many connections were settled, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// The gateway accepted the payload.
    pub accepted: u64,
    /// The connection no longer existed.
    pub gone: u64,
    /// The payload could not be pushed.
    pub failed: u64,
    /// The notification expired before it could be pushed.
    pub expired: u64,
    /// The notification was cancelled before it could be pushed.
    pub cancelled: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.gone += other.gone;
        self.failed += other.failed;
        self.expired += other.expired;
        self.cancelled += other.cancelled;
    }
}

impl Counts {
    /// Returns what was settled since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            accepted: self.accepted.saturating_sub(earlier.accepted),
            gone: self.gone.saturating_sub(earlier.gone),
            failed: self.failed.saturating_sub(earlier.failed),
            expired: self.expired.saturating_sub(earlier.expired),
            cancelled: self.cancelled.saturating_sub(earlier.cancelled),
        }
    }

    /// Returns how many connections are settled.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.accepted + self.gone + self.failed + self.expired + self.cancelled
    }
}

/// Whether a part is finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartState {
    /// Being worked on, or waiting for its task.
    #[default]
    Open,
    /// Everybody in it is settled.
    Done,
    /// Attempts were used up; what is left waits in the dead-letter queue, and
    /// counts as failed until it is redriven.
    DeadLettered,
}

/// How far a part has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Who is settled.
    pub counts: Counts,
    /// Who is not.
    pub left: Left,
    /// Whether the part is finished.
    pub state: PartState,
    /// For the root of an audience that was cut: into how many slices.
    pub slices: Option<u16>,
}

impl Progress {
    /// Returns the part as it is shown: what waits in the dead-letter queue has
    /// failed, and is not pending.
    #[must_use]
    pub fn summary(&self) -> PartSummary {
        let outstanding = self.left.outstanding.len() as u64;
        let mut counts = self.counts;
        let pending = match self.state {
            PartState::Open => outstanding,
            PartState::Done => 0,
            PartState::DeadLettered => {
                counts.failed += outstanding;
                0
            }
        };
        PartSummary {
            counts,
            pending,
            state: self.state,
            slices: self.slices,
            is_read: self.left.unread.is_none(),
        }
    }
}

/// A part of the ledger without the names of those who are left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartSummary {
    /// Who is settled.
    pub counts: Counts,
    /// How many were read from the audience and are not settled.
    pub pending: u64,
    /// Whether the part is finished.
    pub state: PartState,
    /// For the root of an audience that was cut: into how many slices.
    pub slices: Option<u16>,
    /// Whether its audience was read to the end.
    pub is_read: bool,
}

/// The right to settle a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The notification.
    pub notification_id: NotificationId,
    /// The part of it.
    pub part: Part,
    /// Who holds the lease: unique for each delivery of a task.
    pub owner: String,
}

/// What the holder of a lease writes down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Counts the lease's entries, from 1: one that was thought lost and comes
    /// in late does not undo a later one.
    pub number: u32,
    /// How far the part has come.
    pub progress: Progress,
    /// When this was so.
    pub written_at: Timestamp,
    /// Whether it is the last one, which gives the lease back.
    pub is_last: bool,
}

/// What a worker finds when it begins a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It has the lease.
    Taken {
        /// How far the part has come; `None`: nobody has written down that they
        /// worked on it, and the task says what is to be done.
        progress: Option<Progress>,
        /// Whether the notification was cancelled before. Where that cannot be
        /// found out it is `false`, and the run asks again.
        is_cancelled: bool,
    },
    /// It is finished.
    Done,
    /// Somebody else holds the lease, until then at most.
    Held(Timestamp),
}

/// Why a part's progress could not be written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another worker holds the lease: this one must stop.
    #[error("lease on part {part} of notification {notification_id} was lost")]
    LeaseLost {
        /// The notification.
        notification_id: NotificationId,
        /// The part of it.
        part: Part,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Keeps what became of notifications.
pub trait Ledger {
    /// Takes the lease on a part until `until`, unless somebody holds it at
    /// `now` or the part is done, and finds out whether the notification was
    /// cancelled.
    fn begin(
        &self,
        lease: &Lease,
        now: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<Begun, StoreError>> + Send;

    /// Writes a part's progress, unless a later entry was written before.
    fn write(
        &self,
        lease: &Lease,
        entry: &Entry,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Whether a notification was cancelled, for who asks again: of what was
    /// written within about the last second it may not know.
    fn is_cancelled(
        &self,
        id: NotificationId,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}
