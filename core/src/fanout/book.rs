//! The book of a run: who is where between the audience and the ledger.
//!
//! A recipient is read, taken, in flight, then settled, or waiting to be tried
//! again, or given up on. The book is plain state: time and randomness are
//! arguments, and every snapshot of it ([`Book::progress`]) is a [`Progress`]
//! from which another worker can go on.

use std::collections::{BTreeMap, VecDeque};

use tokio::time::Instant;

use super::Settings;
use super::retry::{Decision, decide};
use crate::audience::{Cursor, Page, Slice};
use crate::connection::Recipient;
use crate::ledger::{Counts, PartState, Progress};
use crate::push::PushOutcome;
use crate::task::{Left, Outstanding, Unread};

/// How the rest is settled once pushing has lost its sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The notification has expired.
    Expired,
    /// The notification was cancelled.
    Cancelled,
    /// Nobody takes this payload.
    Failed,
}

/// Names a push in flight.
pub(super) type Ticket = u64;

/// What the outcome of a push asks of the run.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Consequence {
    /// Nothing more.
    None,
    /// This connection must be forgotten.
    Forget(Recipient),
    /// The run must end.
    Abort,
}

pub(super) struct Book {
    settings: Settings,
    counts: Counts,
    slice: Option<Slice>,
    /// Everything up to this position was taken.
    taken: Option<Cursor>,
    /// Pages that were read and not taken in whole, in order.
    pages: VecDeque<UntakenPage>,
    /// Whether there is more to read behind the last page.
    is_read_to_end: bool,
    /// Recipients that the job named itself, before any page.
    named: VecDeque<Outstanding>,
    in_flight: BTreeMap<Ticket, Outstanding>,
    waiting: BTreeMap<(Instant, Ticket), Outstanding>,
    given_up: Vec<Outstanding>,
    next_ticket: Ticket,
    verdict: Option<Verdict>,
    has_advanced: bool,
}

struct UntakenPage {
    recipients: VecDeque<Recipient>,
    next: Option<Cursor>,
}

impl Book {
    pub(super) fn open(settings: Settings, progress: Progress) -> Self {
        let Left {
            unread,
            outstanding,
        } = progress.left;
        let (slice, taken) = match unread {
            Some(Unread { slice, after }) => (Some(slice), after),
            None => (None, None),
        };
        // A worker before this one gave up on some. Tried again and again, they
        // could use up the time of every run before anybody else is taken.
        let (given_up, named): (Vec<_>, Vec<_>) = outstanding
            .into_iter()
            .partition(|one: &Outstanding| settings.retry.is_used_up(one.tries));
        Self {
            settings,
            counts: progress.counts,
            is_read_to_end: slice.is_none(),
            slice,
            taken,
            pages: VecDeque::new(),
            named: named.into(),
            in_flight: BTreeMap::new(),
            waiting: BTreeMap::new(),
            given_up,
            next_ticket: 0,
            verdict: None,
            has_advanced: false,
        }
    }

    /// What to read next, if there is more and room for it.
    pub(super) fn wants_page(&self) -> Option<(Slice, Option<Cursor>)> {
        if self.is_read_to_end || self.pages.len() > 1 {
            return None;
        }
        let after = match self.pages.back() {
            Some(page) => page.next.clone(),
            None => self.taken.clone(),
        };
        self.slice.clone().map(|slice| (slice, after))
    }

    pub(super) fn add_page(&mut self, page: Page) {
        self.is_read_to_end = page.next.is_none();
        self.pages.push_back(UntakenPage {
            recipients: page.recipients.into(),
            next: page.next,
        });
        self.drop_taken_pages();
    }

    /// From now on nobody is pushed to: whoever is left is settled by
    /// `verdict`.
    pub(super) fn settle_rest_as(&mut self, verdict: Verdict) {
        self.verdict.get_or_insert(verdict);
    }

    pub(super) fn has_verdict(&self) -> bool {
        self.verdict.is_some()
    }

    /// Settles everybody who waits, if there is a verdict.
    pub(super) fn apply_verdict(&mut self) {
        let Some(verdict) = self.verdict else { return };
        let mut settled = self.named.len() + self.waiting.len() + self.given_up.len();
        self.named.clear();
        self.waiting.clear();
        self.given_up.clear();
        for page in &mut self.pages {
            settled += page.recipients.len();
            if let Some(last) = page.recipients.back() {
                self.taken = Some(Cursor(last.connection_id.clone()));
            }
            page.recipients.clear();
        }
        self.drop_taken_pages();
        self.has_advanced |= settled > 0;
        match verdict {
            Verdict::Expired => self.counts.expired += settled as u64,
            Verdict::Cancelled => self.counts.cancelled += settled as u64,
            Verdict::Failed => self.counts.failed += settled as u64,
        }
    }

    /// Whether somebody could be pushed to now, if the pacer allows.
    pub(super) fn can_start(&self, now: Instant) -> bool {
        if self.verdict.is_some() || self.in_flight.len() >= self.settings.max_in_flight {
            return false;
        }
        self.is_retry_due(now) || (self.has_untaken() && self.has_room())
    }

    /// Takes the next recipient: a retry that is due before anybody new.
    pub(super) fn start(&mut self, now: Instant) -> Option<(Ticket, Outstanding)> {
        let next = if self.is_retry_due(now) {
            self.waiting.pop_first().map(|(_, waiting)| waiting)
        } else {
            self.take()
        };
        let next = next?;
        self.has_advanced = true;
        let ticket = self.ticket();
        self.in_flight.insert(ticket, next.clone());
        Some((ticket, next))
    }

    /// Settles a push that ended, or plans the next attempt.
    pub(super) fn end(
        &mut self,
        ticket: Ticket,
        outcome: PushOutcome,
        now: Instant,
        jitter: f64,
    ) -> Consequence {
        let Some(mut ended) = self.in_flight.remove(&ticket) else {
            return Consequence::None;
        };
        match outcome {
            PushOutcome::Throttled { .. } => ended.tries.throttled += 1,
            PushOutcome::Transient { .. } => ended.tries.failed += 1,
            PushOutcome::Accepted
            | PushOutcome::Gone
            | PushOutcome::TooLarge
            | PushOutcome::Forbidden
            | PushOutcome::Rejected { .. } => {}
        }
        match decide(&self.settings.retry, ended.tries, outcome, jitter) {
            Decision::Accepted => self.counts.accepted += 1,
            Decision::Gone => {
                self.counts.gone += 1;
                return Consequence::Forget(ended.recipient);
            }
            Decision::Failed => self.counts.failed += 1,
            Decision::FailAll => {
                self.counts.failed += 1;
                self.settle_rest_as(Verdict::Failed);
            }
            Decision::Retry(wait) => {
                let ticket = self.ticket();
                self.waiting.insert((now + wait, ticket), ended);
            }
            Decision::Exhausted => self.given_up.push(ended),
            Decision::Abort => {
                let ticket = self.ticket();
                self.waiting.insert((now, ticket), ended);
                return Consequence::Abort;
            }
        }
        Consequence::None
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// When the first retry is due.
    pub(super) fn next_retry(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|((due, _), _)| *due)
    }

    /// Whether the audience is read and nobody is left to be pushed to for the
    /// first time.
    pub(super) fn is_taken(&self) -> bool {
        self.is_read_to_end && !self.has_untaken()
    }

    /// Whether so many used up their attempts that nobody else can be taken.
    pub(super) fn is_clogged(&self) -> bool {
        self.in_flight.is_empty() && self.waiting.is_empty() && !self.has_room()
    }

    /// Whether somebody used up its attempts.
    pub(super) fn has_given_up(&self) -> bool {
        !self.given_up.is_empty()
    }

    /// Whether anybody was tried or settled, or the audience read on.
    pub(super) fn has_advanced(&self) -> bool {
        self.has_advanced
    }

    /// Whether nobody is left to be taken from the pages that were read.
    pub(super) fn is_drained(&self) -> bool {
        self.in_flight.is_empty() && !self.has_untaken()
    }

    /// Where the part stands: who is in flight counts as not settled.
    pub(super) fn progress(&self) -> Progress {
        let unread = match &self.slice {
            Some(slice) if !(self.is_read_to_end && self.pages.is_empty()) => Some(Unread {
                slice: slice.clone(),
                after: self.taken.clone(),
            }),
            _ => None,
        };
        let outstanding = self
            .named
            .iter()
            .chain(self.in_flight.values())
            .chain(self.waiting.values())
            .chain(&self.given_up)
            .cloned()
            .collect();
        let left = Left {
            unread,
            outstanding,
        };
        Progress {
            counts: self.counts,
            state: if left.is_empty() {
                PartState::Done
            } else {
                PartState::Open
            },
            left,
            slices: None,
        }
    }

    fn take(&mut self) -> Option<Outstanding> {
        if let Some(named) = self.named.pop_front() {
            return Some(named);
        }
        let recipient = self.pages.front_mut()?.recipients.pop_front()?;
        self.taken = Some(Cursor(recipient.connection_id.clone()));
        self.drop_taken_pages();
        Some(recipient.into())
    }

    fn drop_taken_pages(&mut self) {
        while let Some(page) = self.pages.pop_front_if(|page| page.recipients.is_empty()) {
            self.has_advanced = true;
            if page.next.is_some() {
                self.taken = page.next;
            }
        }
    }

    fn is_retry_due(&self, now: Instant) -> bool {
        self.next_retry().is_some_and(|due| due <= now)
    }

    fn has_untaken(&self) -> bool {
        !self.named.is_empty() || !self.pages.is_empty()
    }

    fn has_room(&self) -> bool {
        let outstanding = self.in_flight.len() + self.waiting.len() + self.given_up.len();
        outstanding < self.settings.max_outstanding
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        self.next_ticket
    }
}

#[cfg(test)]
mod tests;
