//! The witness: sees every call, and notes what may not be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use fanout_core::audience::Page;
use fanout_core::connection::{ConnectionId, Recipient};
use fanout_core::ledger::{Begun, Progress, Standing, State};
use fanout_core::notification::NotificationId;
use fanout_core::push::PushOutcome;
use fanout_core::task::{Part, Task};
use tokio::time::Instant;

use crate::audit::written_off;
use crate::delivery::{Broken, Delivery, Hindrance};
use crate::invariants::{Invariant, Violation};
use crate::script::Shape;
use crate::world::ATTEMPT_TIMEOUT;

/// Names one delivery of one message, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DeliveryId(pub(crate) usize);

/// A notification that somebody published.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) id: NotificationId,
    pub(crate) at: Duration,
    pub(crate) audience: PublishedTo,
}

#[derive(Clone, Debug)]
pub(crate) enum PublishedTo {
    Everyone,
    Listeners,
    One(ConnectionId),
}

/// One life of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) id: ConnectionId,
    pub(crate) is_listening: bool,
    pub(crate) is_stale: bool,
    pub(crate) opened_at: Duration,
    pub(crate) is_closed: bool,
}

pub(crate) struct Witness {
    pub(crate) violations: Vec<Violation>,
    pub(crate) published: Vec<Published>,
    pub(crate) lives: Vec<Life>,
    /// When each process started pushes.
    pub(crate) starts: Vec<Vec<Instant>>,
    shape: Shape,
    deliveries: Vec<Delivery>,
    holders: BTreeMap<(NotificationId, Part), DeliveryId>,
    arrivals: BTreeMap<(NotificationId, ConnectionId), Vec<DeliveryId>>,
    /// Whose rows were deleted because they were said to be gone.
    forgotten: BTreeSet<ConnectionId>,
    /// What can change no more.
    finished: BTreeMap<NotificationId, Standing>,
    cancelled_at: BTreeMap<NotificationId, Instant>,
    /// Who was settled without a push, part by part.
    written_off: BTreeMap<(NotificationId, Part), BTreeSet<ConnectionId>>,
}

impl Witness {
    pub(crate) fn new(shape: Shape) -> Self {
        Self {
            violations: Vec::new(),
            published: Vec::new(),
            lives: Vec::new(),
            starts: Vec::new(),
            shape,
            deliveries: Vec::new(),
            holders: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            forgotten: BTreeSet::new(),
            finished: BTreeMap::new(),
            cancelled_at: BTreeMap::new(),
            written_off: BTreeMap::new(),
        }
    }

    pub(crate) fn broken(&mut self, invariant: Invariant, detail: String) {
        self.violations.push(Violation { invariant, detail });
    }

    pub(crate) fn process_started(&mut self) -> usize {
        self.starts.push(Vec::new());
        self.starts.len() - 1
    }

    pub(crate) fn delivered(
        &mut self,
        process: usize,
        task: Option<Task>,
        now: Instant,
        stop_at: Instant,
        expires_at: Option<Instant>,
    ) -> DeliveryId {
        let delivery = Delivery::new(process, task, now, stop_at, expires_at);
        self.deliveries.push(delivery);
        DeliveryId(self.deliveries.len() - 1)
    }

    pub(crate) fn begun(&mut self, of: DeliveryId, begun: &Begun) {
        let delivery = &mut self.deliveries[of.0];
        delivery.begun(begun);
        if let Begun::Taken { .. } = begun {
            self.holders.insert(delivery.key(), of);
        }
    }

    /// `begun` is `None` if the call failed.
    pub(crate) fn begin_ended(&mut self, of: DeliveryId, begun: Option<&Begun>, now: Instant) {
        let look_ups = &mut self.deliveries[of.0].look_ups;
        match begun {
            Some(Begun::Taken { is_cancelled, .. }) => look_ups.ended(Some(*is_cancelled), now),
            Some(Begun::Done | Begun::Held(_)) | None => look_ups.held_up(now),
        }
    }

    pub(crate) fn page_ended(&mut self, of: DeliveryId, page: Option<&Page>, now: Instant) {
        let result = self.deliveries[of.0].page_ended(page, now, self.shape);
        self.note(of, result);
    }

    pub(crate) fn cancelled(&mut self, id: NotificationId, now: Instant) {
        self.cancelled_at.insert(id, now);
    }

    pub(crate) fn look_up_called(&mut self, of: DeliveryId) {
        self.deliveries[of.0].look_ups.called();
    }

    pub(crate) fn look_up_ended(&mut self, of: DeliveryId, answer: Option<bool>, now: Instant) {
        self.deliveries[of.0].look_ups.ended(answer, now);
    }

    pub(crate) fn push_started(
        &mut self,
        of: DeliveryId,
        connection: &ConnectionId,
        payload: &Bytes,
        now: Instant,
    ) {
        let delivery = &mut self.deliveries[of.0];
        self.starts[delivery.process].push(now);
        let key = delivery.key();
        let holder = self.holders.get(&key).copied();
        if holder != Some(of) {
            let detail = format!("{of:?} pushes to a part that {holder:?} holds");
            self.broken(Invariant::NoNeedlessRepeats, detail);
            return;
        }
        let written_off = self.written_off.get(&key);
        let is_written_off = written_off.is_some_and(|them| them.contains(connection));
        let cancelled_at = self.cancelled_at.get(&key.0).copied();
        let result = delivery.push_started(connection, payload, cancelled_at, now, self.shape);
        self.note(of, result);
        if is_written_off {
            let detail = format!("{of:?} pushes to {connection}, which was settled without");
            self.broken(Invariant::NoNeedlessRepeats, detail);
        }
    }

    pub(crate) fn arrived(&mut self, of: DeliveryId, connection: &ConnectionId, now: Instant) {
        let delivery = &self.deliveries[of.0];
        let (id, _) = delivery.key();
        if let Some(expiry) = delivery.expires_at
            && now > expiry + ATTEMPT_TIMEOUT
        {
            let detail = format!("{connection} got it {:?} after its expiry", now - expiry);
            self.broken(Invariant::Late, detail);
        }
        let arrivals = self.arrivals.entry((id, connection.clone())).or_default();
        let earlier = arrivals.iter().filter(|earlier| **earlier != of);
        let mut needless = earlier.filter(|earlier| {
            let earlier = &self.deliveries[earlier.0];
            earlier.has_settled(connection) && !earlier.was_interrupted()
        });
        let needless = needless.next().copied();
        arrivals.push(of);
        if let Some(earlier) = needless {
            let detail = format!("{connection} got from {of:?} what {earlier:?} had settled");
            self.broken(Invariant::NoNeedlessRepeats, detail);
        }
    }

    pub(crate) fn push_ended(
        &mut self,
        of: DeliveryId,
        connection: &ConnectionId,
        outcome: PushOutcome,
        now: Instant,
    ) {
        self.deliveries[of.0].push_ended(connection, outcome, now);
    }

    pub(crate) fn write_called(&mut self, of: DeliveryId, progress: &Progress, now: Instant) {
        let result = self.deliveries[of.0].write_called(progress, now, self.shape);
        self.note(of, result);
    }

    /// The ledger has it.
    pub(crate) fn written(&mut self, of: DeliveryId, progress: &Progress) {
        let delivery = &self.deliveries[of.0];
        if delivery.has_verdict(Instant::now()) {
            let them = written_off(delivery, progress).cloned();
            let known = self.written_off.entry(delivery.key()).or_default();
            known.extend(them);
        }
    }

    pub(crate) fn write_ended(&mut self, of: DeliveryId, is_lost: bool, now: Instant) {
        self.deliveries[of.0].write_ended(is_lost, now);
    }

    /// Looks at what `GET /notifications/{id}` would show.
    pub(crate) fn stood(&mut self, standing: Option<Standing>) {
        let Some(standing) = standing else { return };
        let settled = standing.counts.settled();
        if standing.targeted != settled + standing.pending {
            let detail = format!("it does not add up: {standing:?}");
            self.broken(Invariant::Ledger, detail);
        }
        if standing.state != State::InProgress && standing.pending > 0 {
            let detail = format!("nothing may be pending any more: {standing:?}");
            self.broken(Invariant::Ledger, detail);
        }
        if let Some(before) = self.finished.get(&standing.id)
            && *before != standing
        {
            let detail = format!("what had ended changed: {before:?} to {standing:?}");
            self.broken(Invariant::Ledger, detail);
        }
        if standing.counts.cancelled > 0 && !self.cancelled_at.contains_key(&standing.id) {
            let detail = format!("it was never cancelled: {standing:?}");
            self.broken(Invariant::Ledger, detail);
        }
        // One that failed may still be redriven.
        if matches!(
            standing.state,
            State::Done | State::Expired | State::Cancelled
        ) {
            self.finished.insert(standing.id, standing);
        }
    }

    pub(crate) fn forget_called(&mut self, of: DeliveryId, gone: &[Recipient]) {
        let result = self.deliveries[of.0].forget_called(gone);
        self.note(of, result);
    }

    pub(crate) fn forget_ended(&mut self, of: DeliveryId, has_failed: bool, now: Instant) {
        self.deliveries[of.0].forget_ended(has_failed, now);
    }

    pub(crate) fn forgotten(&mut self, connection: ConnectionId) {
        self.forgotten.insert(connection);
    }

    pub(crate) fn died(&mut self, of: DeliveryId) {
        self.deliveries[of.0].hindrances.insert(Hindrance::Death);
    }

    fn note(&mut self, of: DeliveryId, result: Result<(), Broken>) {
        if let Err(Broken(invariant, detail)) = result {
            self.broken(invariant, format!("{of:?}: {detail}"));
        }
    }
}

/// What is known at the end.
impl Witness {
    /// Who was ever in the audience, be it too late or not for long.
    pub(crate) fn ever(&self, published: &Published) -> impl Iterator<Item = &ConnectionId> {
        let lives = self.lives.iter().filter(|life| !life.is_stale);
        let audience = published.audience.clone();
        let lives = lives.filter(move |life| match &audience {
            PublishedTo::Everyone => true,
            PublishedTo::Listeners => life.is_listening,
            PublishedTo::One(id) => life.id == *id,
        });
        lives.map(|life| &life.id)
    }

    /// Who was in the audience before the notification, and still is.
    pub(crate) fn steady(&self, published: &Published) -> impl Iterator<Item = &ConnectionId> {
        let (at, audience) = (published.at, self.ever(published).collect::<BTreeSet<_>>());
        let lives = self.lives.iter();
        let lives = lives.filter(move |life| life.opened_at < at && !life.is_closed);
        let ids = lives.map(|life| &life.id);
        ids.filter(move |id| audience.contains(id) && !self.forgotten.contains(*id))
    }

    pub(crate) fn has_arrived(&self, of: NotificationId, at: &ConnectionId) -> bool {
        self.arrivals.contains_key(&(of, at.clone()))
    }

    /// Whether a connection was said to be gone, or refused the payload.
    pub(crate) fn is_excused(&self, of: NotificationId, connection: &ConnectionId) -> bool {
        self.of(of).any(|delivery| delivery.is_excused(connection))
    }

    /// Who refused the payload for good, and is in the ledger for it: what an
    /// interrupted delivery was told may have been found out anew, otherwise.
    pub(crate) fn refused(&self, of: NotificationId) -> impl Iterator<Item = &ConnectionId> {
        let deliveries = self.of(of);
        let deliveries = deliveries.filter(|delivery| !delivery.was_interrupted());
        let refused = deliveries.flat_map(Delivery::refused);
        refused.collect::<BTreeSet<_>>().into_iter()
    }

    /// Who accepted the payload, and is in the ledger for it.
    pub(crate) fn surely_accepted(
        &self,
        of: NotificationId,
    ) -> impl Iterator<Item = &ConnectionId> {
        let deliveries = self.of(of);
        let deliveries = deliveries.filter(|delivery| !delivery.was_interrupted());
        let accepted = deliveries.flat_map(Delivery::accepted);
        accepted.collect::<BTreeSet<_>>().into_iter()
    }

    pub(crate) fn accepted(&self, of: NotificationId) -> impl Iterator<Item = &ConnectionId> {
        let accepted = self.of(of).flat_map(Delivery::accepted);
        accepted.collect::<BTreeSet<_>>().into_iter()
    }

    /// Whose rows had to be deleted, by deliveries that nothing kept from it.
    pub(crate) fn owed(&self) -> impl Iterator<Item = (DeliveryId, &Recipient)> {
        let deliveries = self.deliveries.iter().enumerate();
        deliveries.flat_map(|(n, delivery)| delivery.owed().map(move |owed| (DeliveryId(n), owed)))
    }

    fn of(&self, id: NotificationId) -> impl Iterator<Item = &Delivery> {
        let deliveries = self.deliveries.iter();
        deliveries.filter(move |delivery| delivery.is_of(id))
    }
}
