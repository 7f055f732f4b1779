//! The ledger: what became of every connection that a notification was for.
//!
//! A notification has one part for its whole audience, or one for each slice.
//! Each part is settled by one worker at a time, which holds a lease on it, and
//! whose every write is conditional on that lease: a worker that was thought
//! dead cannot overwrite its successor. At all times, part by part and in sum,
//! `targeted = accepted + gone + failed + expired + pending`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::notification::{Notification, NotificationId};
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
}

impl Counts {
    /// Returns how many connections are settled.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.accepted + self.gone + self.failed + self.expired
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
    /// Nobody has worked on it; the task says what is to be done.
    Fresh,
    /// Somebody has; this is what was left.
    Resumed(Progress),
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

/// Keeps notifications and what became of them.
pub trait Ledger {
    /// Records a notification, once, before it is enqueued.
    fn record(
        &self,
        notification: &Notification,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Takes the lease on a part until `until`, unless somebody holds it at
    /// `now` or the part is done.
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

    /// Adds up the parts of a notification; `None` if it was never recorded.
    fn standing(
        &self,
        id: NotificationId,
    ) -> impl Future<Output = Result<Option<Standing>, StoreError>> + Send;
}

/// Where a notification stands, as publishers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The notification's id.
    pub id: NotificationId,
    /// How far it is.
    pub state: State,
    /// For how many connections it is, as far as the audience was read.
    pub targeted: u64,
    /// See [`Counts`].
    #[serde(flatten)]
    pub counts: Counts,
    /// Read from the audience, not settled.
    pub pending: u64,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When the ledger was last written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

/// How far a notification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Recorded; no worker has begun it.
    Accepted,
    /// Workers are at it, or what is left waits in a queue.
    InProgress,
    /// Everybody is settled.
    Done,
    /// It expired before everybody could be reached.
    Expired,
    /// Nothing is pending, and some could not be reached.
    Failed,
}

impl Standing {
    /// Adds up the parts of a notification, in any order.
    #[must_use]
    pub fn of(
        id: NotificationId,
        accepted_at: Timestamp,
        updated_at: Option<Timestamp>,
        parts: impl IntoIterator<Item = PartSummary>,
    ) -> Self {
        let mut counts = Counts::default();
        let (mut pending, mut seen, mut open, mut slices) = (0, 0, 0, 0);
        for part in parts {
            counts.accepted += part.counts.accepted;
            counts.gone += part.counts.gone;
            counts.failed += part.counts.failed;
            counts.expired += part.counts.expired;
            pending += part.pending;
            seen += 1;
            open += usize::from(part.state == PartState::Open);
            slices = slices.max(part.slices.map_or(0, usize::from));
        }
        let is_settled = open == 0 && seen > slices;
        let state = if seen == 0 {
            State::Accepted
        } else if !is_settled {
            State::InProgress
        } else if counts.failed > 0 {
            State::Failed
        } else if counts.expired > 0 {
            State::Expired
        } else {
            State::Done
        };
        Self {
            id,
            state,
            targeted: counts.settled() + pending,
            counts,
            pending,
            accepted_at,
            updated_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Recipient;

    fn part(state: PartState, accepted: u64, outstanding: usize) -> Progress {
        let recipient = |n: usize| Recipient {
            connection_id: format!("c{n}").into(),
            connected_at: Timestamp::UNIX_EPOCH,
        };
        Progress {
            counts: Counts {
                accepted,
                ..Counts::default()
            },
            left: Left {
                unread: None,
                outstanding: (0..outstanding).map(|n| recipient(n).into()).collect(),
            },
            state,
            slices: None,
        }
    }

    #[track_caller]
    fn check(parts: &[Progress], state: State, targeted: u64, failed: u64, pending: u64) {
        let id = NotificationId::generate(Timestamp::UNIX_EPOCH);
        let standing = Standing::of(
            id,
            Timestamp::UNIX_EPOCH,
            None,
            parts.iter().map(Progress::summary),
        );
        let got = (
            standing.state,
            standing.targeted,
            standing.counts.failed,
            standing.pending,
        );
        assert_eq!(got, (state, targeted, failed, pending));
    }

    #[test]
    fn a_standing_adds_up() {
        use PartState::{DeadLettered, Done, Open};
        check(&[], State::Accepted, 0, 0, 0);
        check(&[part(Open, 3, 2)], State::InProgress, 5, 0, 2);
        check(&[part(Done, 5, 0)], State::Done, 5, 0, 0);
        check(&[part(DeadLettered, 3, 2)], State::Failed, 5, 2, 0);
    }

    #[test]
    fn a_cut_notification_is_done_when_all_its_slices_are() {
        let root = Progress {
            slices: Some(2),
            ..part(PartState::Done, 0, 0)
        };
        let slice = |accepted| part(PartState::Done, accepted, 0);
        check(std::slice::from_ref(&root), State::InProgress, 0, 0, 0);
        check(&[root.clone(), slice(4)], State::InProgress, 4, 0, 0);
        check(&[root, slice(4), slice(3)], State::Done, 7, 0, 0);
    }
}
