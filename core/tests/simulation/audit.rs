//! The audit: what a delivery tells the ledger must be what it did.

use std::collections::BTreeSet;

use fanout_core::connection::ConnectionId;
use fanout_core::ledger::{Counts, PartState, Progress};
use fanout_core::push::PushOutcome;
use tokio::time::Instant;

use crate::delivery::{Broken, Delivery, require};
use crate::invariants::Invariant;
use crate::script::Shape;

/// Compares what a delivery tells the ledger with what it did.
pub(crate) fn audit(
    delivery: &Delivery,
    progress: &Progress,
    now: Instant,
    shape: Shape,
) -> Result<(), Broken> {
    let counts = since(&delivery.base.counts, &progress.counts);
    let counts = counts.ok_or_else(|| ledger(format!("counts went back to {progress:?}")))?;
    if progress.slices.is_some() {
        let is_empty = progress.left.is_empty() && counts == Counts::default();
        return require(is_empty, Invariant::Ledger, || {
            format!("a root that is cut has nobody of its own: {progress:?}")
        });
    }
    let outstanding = progress.left.outstanding.iter();
    let left: BTreeSet<_> = outstanding
        .map(|one| &one.recipient.connection_id)
        .collect();
    let most = shape.max_outstanding.max(shape.small_audience as usize);
    let is_bounded = left.len() <= most.max(delivery.base.left.outstanding.len());
    require(is_bounded, Invariant::Memory, || {
        format!("{} are left outstanding", left.len())
    })?;
    let taken = taken(delivery, progress);
    let is_subset = left.is_subset(&taken) && left.len() == progress.left.outstanding.len();
    require(is_subset, Invariant::Ledger, || {
        format!("{left:?} left, of {taken:?}")
    })?;
    let is_dead = progress.state == PartState::DeadLettered;
    require(!is_dead || !left.is_empty(), Invariant::Ledger, || {
        format!("nobody is left, and the part is dead: {progress:?}")
    })?;

    let mut expected = Counts::default();
    let mut unseen = 0;
    for id in &taken {
        match (left.contains(id), delivery.settled.get(*id)) {
            (true, Some((at, _))) if *at < now => {
                return Err(ledger(format!("{id} is settled, and written down as left")));
            }
            (true, _) => {}
            (false, None) if delivery.in_flight.contains(*id) => {
                return Err(ledger(format!("{id} is in flight, and not left")));
            }
            (false, None) => unseen += 1,
            (false, Some((_, PushOutcome::Accepted))) => expected.accepted += 1,
            (false, Some((_, PushOutcome::Gone))) => expected.gone += 1,
            (false, Some(_)) => expected.failed += 1,
        }
    }
    // Those who are settled without a push: the first verdict holds.
    if delivery.look_ups.have_found_cancelled() {
        expected.cancelled = counts.cancelled.min(unseen);
        unseen -= expected.cancelled;
    }
    if delivery.is_expired(now) {
        expected.expired = counts.expired.min(unseen);
        unseen -= expected.expired;
    }
    if delivery.is_too_large() {
        expected.failed += unseen;
        unseen = 0;
    }
    require(counts == expected && unseen == 0, Invariant::Ledger, || {
        format!("{counts:?} written, {expected:?} seen, {unseen} lost of {taken:?}")
    })
}

/// Whom a delivery settles without knowing what became of them.
pub(crate) fn written_off<'a>(
    delivery: &'a Delivery,
    progress: &'a Progress,
) -> impl Iterator<Item = &'a ConnectionId> {
    let outstanding = progress.left.outstanding.iter();
    let left: BTreeSet<_> = outstanding
        .map(|one| &one.recipient.connection_id)
        .collect();
    let settled = taken(delivery, progress).into_iter();
    settled.filter(move |id| !left.contains(id) && !delivery.settled.contains_key(*id))
}

fn taken<'a>(delivery: &'a Delivery, progress: &Progress) -> BTreeSet<&'a ConnectionId> {
    let known = delivery.known.keys();
    known.filter(|id| is_taken(id, progress)).collect()
}

fn is_taken(id: &ConnectionId, progress: &Progress) -> bool {
    let unread = progress.left.unread.as_ref();
    unread.is_none_or(|unread| unread.after.as_ref().is_some_and(|after| *id <= after.0))
}

/// What was counted since `before`; `None` if some count went back.
fn since(before: &Counts, now: &Counts) -> Option<Counts> {
    Some(Counts {
        accepted: now.accepted.checked_sub(before.accepted)?,
        gone: now.gone.checked_sub(before.gone)?,
        failed: now.failed.checked_sub(before.failed)?,
        expired: now.expired.checked_sub(before.expired)?,
        cancelled: now.cancelled.checked_sub(before.cancelled)?,
    })
}

fn ledger(detail: String) -> Broken {
    Broken(Invariant::Ledger, detail)
}
