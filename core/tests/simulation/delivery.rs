//! What one delivery of a message may do, and what it must write down.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use fanout_core::audience::Page;
use fanout_core::connection::{ConnectionId, Recipient};
use fanout_core::ledger::{Begun, PartState, Progress};
use fanout_core::notification::NotificationId;
use fanout_core::push::PushOutcome;
use fanout_core::task::{Part, Task, Tries, Work};
use fanout_core::worker::last_word;
use tokio::time::Instant;

use crate::audit::audit;
use crate::invariants::Invariant;
use crate::look_ups::LookUps;
use crate::script::Shape;
use crate::world::{CHECKPOINT_EVERY, MARGIN, MAX_FAILED, MAX_THROTTLED};

/// A promise that a delivery broke, and how.
pub(crate) struct Broken(pub(crate) Invariant, pub(crate) String);

/// A timer may be late by this.
pub(crate) const TICK: Duration = Duration::from_millis(2);

/// What keeps a delivery from doing all that it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hindrance {
    Death,
    FailedWrite,
    FailedForget,
    /// Still going on when the run was over.
    UnfinishedForget,
}

pub(crate) struct Delivery {
    pub(crate) process: usize,
    pub(crate) hindrances: BTreeSet<Hindrance>,
    pub(crate) expires_at: Option<Instant>,
    pub(crate) look_ups: LookUps,
    task: Option<Task>,
    stop_at: Instant,
    /// Where it began.
    pub(crate) base: Progress,
    is_fresh: bool,
    /// Whom the job named, and who was read for it.
    pub(crate) known: BTreeMap<ConnectionId, Recipient>,
    /// Read to find out how large the audience is.
    surveyed: BTreeMap<ConnectionId, Recipient>,
    attempts: BTreeMap<ConnectionId, u32>,
    pub(crate) in_flight: BTreeSet<ConnectionId>,
    /// Whose fate is known, and since when.
    pub(crate) settled: BTreeMap<ConnectionId, (Instant, PushOutcome)>,
    /// Since when something is settled that no write has told.
    untold_since: Option<Instant>,
    is_writing: bool,
    written_at: Option<Instant>,
}

impl Delivery {
    pub(crate) fn new(
        process: usize,
        task: Option<Task>,
        delivered_at: Instant,
        stop_at: Instant,
        expires_at: Option<Instant>,
    ) -> Self {
        Self {
            process,
            hindrances: BTreeSet::new(),
            expires_at,
            look_ups: LookUps::new(delivered_at),
            task,
            stop_at,
            base: Progress::default(),
            is_fresh: false,
            known: BTreeMap::new(),
            surveyed: BTreeMap::new(),
            attempts: BTreeMap::new(),
            in_flight: BTreeSet::new(),
            settled: BTreeMap::new(),
            untold_since: None,
            is_writing: false,
            written_at: None,
        }
    }

    pub(crate) fn begun(&mut self, begun: &Begun) {
        let Begun::Taken { progress, .. } = begun else {
            return;
        };
        self.is_fresh = progress.is_none();
        if let Some(progress) = progress {
            self.base = progress.clone();
        } else {
            if let Work::Left(left) = &self.task().work {
                self.base.left = left.clone();
            }
            self.known.append(&mut self.surveyed);
        }
        let outstanding = self.base.left.outstanding.iter();
        let named = outstanding.map(|one| one.recipient.clone());
        self.known
            .extend(named.map(|one| (one.connection_id.clone(), one)));
        // Whoever is redriven is tried anew.
        if self.base.state == PartState::Open {
            let outstanding = self.base.left.outstanding.iter();
            let attempts = outstanding.map(|one| {
                let Tries { failed, throttled } = one.tries;
                (one.recipient.connection_id.clone(), failed + throttled)
            });
            self.attempts.extend(attempts);
        }
    }

    /// `page` is `None` if the call failed.
    pub(crate) fn page_ended(
        &mut self,
        page: Option<&Page>,
        now: Instant,
        shape: Shape,
    ) -> Result<(), Broken> {
        let is_survey = matches!(self.task().work, Work::Audience(_));
        if is_survey {
            self.look_ups.held_up(now);
        }
        let Some(page) = page else { return Ok(()) };
        let recipients = page.recipients.iter().cloned();
        let read = recipients.map(|one| (one.connection_id.clone(), one));
        if is_survey && !self.is_fresh {
            self.surveyed.extend(read);
        } else {
            self.known.extend(read);
        }
        let held = self.known.len() + self.surveyed.len() - self.settled.len();
        // The survey of an audience, or a run.
        let surveyed = 2 * shape.small_audience + u32::from(shape.topic_shards);
        let most = (2 * shape.page_size + surveyed) as usize + shape.max_outstanding;
        // Whoever is settled unseen, by a verdict, is not held.
        require(
            held <= most || self.has_verdict(now),
            Invariant::Memory,
            || format!("{held} recipients held, at most {most} were due"),
        )
    }

    pub(crate) fn push_started(
        &mut self,
        connection: &ConnectionId,
        payload: &Bytes,
        cancelled_at: Option<Instant>,
        now: Instant,
        shape: Shape,
    ) -> Result<(), Broken> {
        use Invariant::{Late, Ledger, Memory, NoNeedlessRepeats, Reach};
        let who = |what: &'static str| move || format!("{connection} {what}");
        let attempts = self.attempts.entry(connection.clone()).or_default();
        *attempts += 1;
        let attempts = *attempts;
        let is_new = self.in_flight.insert(connection.clone());
        let is_known = self.known.contains_key(connection);
        let is_settled = self.settled.contains_key(connection);
        require(
            payload == &self.task().frame,
            Reach,
            who("gets another frame"),
        )?;
        require(now < self.stop_at, Late, who("is pushed to after the stop"))?;
        require(
            !self.is_expired(now),
            Late,
            who("is pushed to after the expiry"),
        )?;
        self.look_ups.allow_push(cancelled_at, now)?;
        require(is_known, NoNeedlessRepeats, who("was not left"))?;
        require(!is_settled, NoNeedlessRepeats, who("was settled"))?;
        require(is_new, NoNeedlessRepeats, who("is being pushed to already"))?;
        require(
            attempts < MAX_FAILED + MAX_THROTTLED,
            NoNeedlessRepeats,
            who("is tried too often"),
        )?;
        let in_flight = self.in_flight.len();
        require(
            in_flight <= shape.max_in_flight,
            Memory,
            who("is one too many in flight"),
        )?;
        let untold = self
            .untold_since
            .map(|untold| now - self.written_at.max(Some(untold)).unwrap());
        let is_told =
            self.is_writing || untold.is_none_or(|untold| untold <= CHECKPOINT_EVERY + TICK);
        require(is_told, Ledger, || {
            format!("nothing was written for {untold:?}")
        })
    }

    pub(crate) fn push_ended(
        &mut self,
        connection: &ConnectionId,
        outcome: PushOutcome,
        now: Instant,
    ) {
        self.in_flight.remove(connection);
        match outcome {
            PushOutcome::Throttled { .. } | PushOutcome::Transient { .. } => return,
            // It was not this connection's fault.
            PushOutcome::Forbidden => {
                self.attempts
                    .entry(connection.clone())
                    .and_modify(|attempts| *attempts -= 1);
                return;
            }
            PushOutcome::Accepted
            | PushOutcome::Gone
            | PushOutcome::TooLarge
            | PushOutcome::Rejected { .. } => {}
        }
        self.untold_since.get_or_insert(now);
        self.settled.insert(connection.clone(), (now, outcome));
    }

    pub(crate) fn write_called(
        &mut self,
        progress: &Progress,
        now: Instant,
        shape: Shape,
    ) -> Result<(), Broken> {
        self.untold_since = None;
        self.is_writing = true;
        audit(self, progress, now, shape)
    }

    pub(crate) fn write_ended(&mut self, has_failed: bool, now: Instant) {
        self.is_writing = false;
        self.written_at = Some(now);
        if has_failed {
            self.hindrances.insert(Hindrance::FailedWrite);
        }
    }

    pub(crate) fn forget_ended(&mut self, has_failed: bool, now: Instant) {
        // At the very end of the run there is no time to forget those who were
        // found gone meanwhile.
        let end_by = self.stop_at + MARGIN - last_word(MARGIN);
        if now + TICK < end_by {
            self.hindrances.remove(&Hindrance::UnfinishedForget);
        }
        if has_failed {
            self.hindrances.insert(Hindrance::FailedForget);
        }
    }

    pub(crate) fn forget_called(&mut self, gone: &[Recipient]) -> Result<(), Broken> {
        self.hindrances.insert(Hindrance::UnfinishedForget);
        for one in gone {
            let id = &one.connection_id;
            let is_gone = matches!(self.settled.get(id), Some((_, PushOutcome::Gone)));
            let is_that_life = self.known.get(id) == Some(one);
            require(is_gone && is_that_life, Invariant::Gone, || {
                format!("{one:?} is forgotten, and was not gone")
            })?;
        }
        Ok(())
    }

    pub(crate) fn is_of(&self, id: NotificationId) -> bool {
        let task = self.task.as_ref();
        task.is_some_and(|task| task.notification_id == id)
    }

    pub(crate) fn key(&self) -> (NotificationId, Part) {
        let task = self.task();
        (task.notification_id, task.part.clone())
    }

    /// Whether it was sure what became of this connection.
    pub(crate) fn has_settled(&self, connection: &ConnectionId) -> bool {
        self.settled.contains_key(connection)
    }

    /// Whether it may have been kept from writing down what it knew.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.has(Hindrance::Death) || self.has(Hindrance::FailedWrite)
    }

    pub(crate) fn is_excused(&self, connection: &ConnectionId) -> bool {
        matches!(
            self.settled.get(connection),
            Some((
                _,
                PushOutcome::Gone | PushOutcome::Rejected { .. } | PushOutcome::TooLarge
            ))
        )
    }

    pub(crate) fn refused(&self) -> impl Iterator<Item = &ConnectionId> {
        self.settled_as(|outcome| {
            matches!(
                outcome,
                PushOutcome::Rejected { .. } | PushOutcome::TooLarge
            )
        })
    }

    pub(crate) fn accepted(&self) -> impl Iterator<Item = &ConnectionId> {
        self.settled_as(|outcome| matches!(outcome, PushOutcome::Accepted))
    }

    pub(crate) fn owed(&self) -> impl Iterator<Item = &Recipient> {
        let is_able = !self.has(Hindrance::Death)
            && !self.has(Hindrance::FailedForget)
            && !self.has(Hindrance::UnfinishedForget);
        let gone = self.settled_as(|outcome| matches!(outcome, PushOutcome::Gone));
        gone.filter(move |_| is_able)
            .filter_map(|id| self.known.get(id))
    }

    fn settled_as(&self, is: impl Fn(&PushOutcome) -> bool) -> impl Iterator<Item = &ConnectionId> {
        let settled = self.settled.iter();
        settled.filter_map(move |(id, (_, outcome))| is(outcome).then_some(id))
    }

    fn task(&self) -> &Task {
        self.task.as_ref().expect("what is no task calls no port")
    }

    fn has(&self, hindrance: Hindrance) -> bool {
        self.hindrances.contains(&hindrance)
    }

    /// Whether the gateway said that nobody takes the payload.
    pub(crate) fn is_too_large(&self) -> bool {
        let mut settled = self.settled.values();
        settled.any(|(_, outcome)| *outcome == PushOutcome::TooLarge)
    }

    /// Whether the rest may be settled without a push.
    pub(crate) fn has_verdict(&self, now: Instant) -> bool {
        self.is_too_large() || self.is_expired(now) || self.look_ups.have_found_cancelled()
    }

    pub(crate) fn is_expired(&self, now: Instant) -> bool {
        self.expires_at.is_some_and(|expiry| expiry <= now)
    }
}

pub(crate) fn require(
    holds: bool,
    invariant: Invariant,
    detail: impl FnOnce() -> String,
) -> Result<(), Broken> {
    if holds {
        Ok(())
    } else {
        Err(Broken(invariant, detail()))
    }
}
