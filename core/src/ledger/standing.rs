//! Where a notification stands, as publishers see it.

use jiff::Timestamp;
use serde::Serialize;

use super::{Counts, PartState, PartSummary};
use crate::notification::NotificationId;

/// What is recorded of a notification beside its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The notification's id.
    pub id: NotificationId,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// After this time it is not pushed any more.
    pub expires_at: Option<Timestamp>,
    /// When it was cancelled.
    pub cancel_requested_at: Option<Timestamp>,
}

/// A part of the ledger, and when it was worked on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartStanding {
    /// How far the part is.
    pub summary: PartSummary,
    /// When a worker first took it.
    pub started_at: Option<Timestamp>,
    /// When it was last written.
    pub updated_at: Option<Timestamp>,
}

/// Where a notification stands.
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
    /// When a worker first took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When the ledger was last written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// When everybody was settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// After this time it is not pushed any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was cancelled; what was pushed by then, or was in flight, is
    /// counted as what came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_requested_at: Option<Timestamp>,
    /// How many connections a second were settled, from the first worker's
    /// start to the last entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<u64>,
    /// How long it will take at that rate, where the size of the audience is
    /// known, or can be told from the slices that are read to their end: all
    /// slices of an audience are about the same size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_seconds_left: Option<u64>,
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
    /// It was cancelled before everybody was reached.
    Cancelled,
    /// Nothing is pending, and some could not be reached.
    Failed,
}

impl State {
    /// Whether nothing more will happen, unless somebody redrives what failed.
    #[must_use]
    pub fn is_ended(self) -> bool {
        match self {
            Self::Accepted | Self::InProgress => false,
            Self::Done | Self::Expired | Self::Cancelled | Self::Failed => true,
        }
    }

    /// Whether there may be something left to cancel: also of what failed,
    /// because whoever waits in the dead-letter queue may be redriven.
    #[must_use]
    pub fn is_cancellable(self) -> bool {
        match self {
            Self::Accepted | Self::InProgress | Self::Failed => true,
            Self::Done | Self::Expired | Self::Cancelled => false,
        }
    }
}

impl Standing {
    /// Adds up the parts of a notification, in any order.
    #[must_use]
    pub fn of(record: &Record, parts: impl IntoIterator<Item = PartStanding>) -> Self {
        let sum = Sum::of(parts);
        let state = sum.state();
        let rate = sum.rate_per_second();
        let left = sum
            .expected()
            .map(|all| all.saturating_sub(sum.counts.settled()));
        let estimate = |left: u64| Some(left.div_ceil(rate.filter(|rate| *rate > 0)?));
        Self {
            id: record.id,
            state,
            targeted: sum.counts.settled() + sum.pending,
            counts: sum.counts,
            pending: sum.pending,
            accepted_at: record.accepted_at,
            started_at: sum.started_at,
            updated_at: sum.updated_at,
            completed_at: sum.updated_at.filter(|_| state.is_ended()),
            expires_at: record.expires_at,
            cancel_requested_at: record.cancel_requested_at,
            rate_per_second: rate,
            estimated_seconds_left: left.filter(|_| !state.is_ended()).and_then(estimate),
        }
    }
}

/// The parts of a notification, added up.
#[derive(Debug, Default)]
struct Sum {
    counts: Counts,
    pending: u64,
    /// How many parts there are, and how many of them are not finished.
    seen: u64,
    open: u64,
    /// Into how many slices the audience was cut; 0 if it was not.
    slices: u64,
    /// How many parts are read to their end, and how many connections those
    /// have. The root of an audience that was cut has none of its own.
    read: u64,
    in_read: u64,
    started_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
}

impl Sum {
    fn of(parts: impl IntoIterator<Item = PartStanding>) -> Self {
        let mut sum = Self::default();
        for part in parts {
            let PartSummary {
                counts,
                pending,
                state,
                slices,
                is_read,
            } = part.summary;
            sum.counts += counts;
            sum.pending += pending;
            sum.seen += 1;
            sum.open += u64::from(state == PartState::Open);
            sum.slices = sum.slices.max(slices.map_or(0, u64::from));
            if is_read && slices.is_none() {
                sum.read += 1;
                sum.in_read += counts.settled() + pending;
            }
            sum.started_at = earliest(sum.started_at, part.started_at);
            sum.updated_at = sum.updated_at.max(part.updated_at);
        }
        sum
    }

    fn state(&self) -> State {
        let is_settled = self.open == 0 && self.seen > self.slices;
        if self.seen == 0 {
            State::Accepted
        } else if !is_settled {
            State::InProgress
        } else if self.counts.failed > 0 {
            State::Failed
        } else if self.counts.cancelled > 0 {
            State::Cancelled
        } else if self.counts.expired > 0 {
            State::Expired
        } else {
            State::Done
        }
    }

    fn rate_per_second(&self) -> Option<u64> {
        let busy = self.updated_at?.duration_since(self.started_at?);
        let milliseconds = u64::try_from(busy.as_millis()).ok()?;
        let settled = self.counts.settled().checked_mul(1_000)?;
        settled.checked_div(milliseconds)
    }

    /// How large the audience is, as far as can be told.
    fn expected(&self) -> Option<u64> {
        let parts = self.slices.max(1);
        let all = self.in_read.checked_mul(parts)?.checked_div(self.read)?;
        Some(all.max(self.counts.settled() + self.pending))
    }
}

fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(milliseconds).unwrap()
    }

    fn counts(accepted: u64) -> Counts {
        Counts {
            accepted,
            ..Counts::default()
        }
    }

    fn part(state: PartState, counts: Counts, pending: u64) -> PartStanding {
        PartStanding {
            summary: PartSummary {
                counts,
                pending,
                state,
                slices: None,
                is_read: true,
            },
            started_at: Some(at(1_000)),
            updated_at: Some(at(3_000)),
        }
    }

    /// The root of an audience that was cut.
    fn root(slices: u16) -> PartStanding {
        let mut root = part(PartState::Done, Counts::default(), 0);
        root.summary.slices = Some(slices);
        root
    }

    fn unread(mut part: PartStanding) -> PartStanding {
        part.summary.is_read = false;
        part
    }

    fn standing(parts: &[PartStanding]) -> Standing {
        let record = Record {
            id: NotificationId::generate(at(0)),
            accepted_at: at(0),
            expires_at: None,
            cancel_requested_at: None,
        };
        Standing::of(&record, parts.iter().copied())
    }

    #[track_caller]
    fn check(parts: &[PartStanding], state: State, targeted: u64, pending: u64) {
        let got = standing(parts);
        assert_eq!(
            (got.state, got.targeted, got.pending),
            (state, targeted, pending)
        );
    }

    #[test]
    fn a_standing_adds_up() {
        use PartState::{DeadLettered, Done, Open};
        let failed = Counts {
            failed: 2,
            ..counts(3)
        };
        let expired = Counts {
            expired: 2,
            ..counts(3)
        };
        let cancelled = Counts {
            cancelled: 2,
            ..expired
        };
        check(&[], State::Accepted, 0, 0);
        check(&[part(Open, counts(3), 2)], State::InProgress, 5, 2);
        check(&[part(Done, counts(5), 0)], State::Done, 5, 0);
        check(&[part(DeadLettered, failed, 0)], State::Failed, 5, 0);
        check(&[part(Done, expired, 0)], State::Expired, 5, 0);
        check(&[part(Done, cancelled, 0)], State::Cancelled, 7, 0);
    }

    #[test]
    fn a_cut_notification_is_done_when_all_its_slices_are() {
        let slice = |accepted| part(PartState::Done, counts(accepted), 0);
        check(&[root(2)], State::InProgress, 0, 0);
        check(&[root(2), slice(4)], State::InProgress, 4, 0);
        check(&[root(2), slice(4), slice(3)], State::Done, 7, 0);
    }

    #[test]
    fn the_rate_is_what_was_settled_in_the_time_it_took() {
        let mut late = part(PartState::Open, counts(4_000), 1_000);
        late.updated_at = Some(at(5_000));
        let early = part(PartState::Done, counts(4_000), 0);
        let standing = standing(&[root(2), early, late]);
        assert_eq!(standing.rate_per_second, Some(2_000));
        assert_eq!(standing.estimated_seconds_left, Some(1));
        assert_eq!(standing.completed_at, None);
    }

    #[test]
    fn what_is_left_is_told_from_the_slices_that_were_read() {
        let read = part(PartState::Done, counts(1_000), 0);
        let unread = unread(part(PartState::Open, counts(500), 10));
        // 1,500 in two seconds; 4,000 in all.
        let some_read = standing(&[root(4), read, unread]);
        assert_eq!(some_read.rate_per_second, Some(750));
        assert_eq!(some_read.estimated_seconds_left, Some(4));
        let none_read = standing(&[root(4), unread]);
        assert_eq!(none_read.estimated_seconds_left, None);
    }

    #[test]
    fn what_has_ended_has_a_time_of_completion_and_nothing_left() {
        let done = standing(&[part(PartState::Done, counts(5), 0)]);
        assert_eq!(done.completed_at, Some(at(3_000)));
        assert_eq!(done.estimated_seconds_left, None);
    }
}
