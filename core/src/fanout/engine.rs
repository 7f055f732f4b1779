//! The loop that turns pages into pushes.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::OptionFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, error, warn};

use super::book::{Book, Consequence, Ticket, Verdict};
use super::pacer::Pacer;
use super::{Effort, Ending, Job, Report, Settings};
use crate::audience::{Audience, Cursor, Page, Slice};
use crate::clock::Clock;
use crate::connection::{ConnectionId, Recipient};
use crate::ledger::{Entry, Lease, Ledger, LedgerError};
use crate::push::{PushOutcome, Pusher};
use crate::store::{Forget, StoreError};
use crate::task::Tries;

/// How many connections are forgotten in one call.
const FORGET_AT_ONCE: usize = 25;
/// How many recipients a worker that comes from rest reads at first: few come
/// sooner, and are pushed to while the next page is read. Until then a full bucket
/// gains nothing. One that has just pushed has no such bucket.
const FIRST_PAGE: u32 = 100;
/// How many times the page before a page may be, until it is a whole one: about as
/// many times as it is faster to read recipients than to push to them.
const PAGE_GROWTH: u32 = 5;
/// How many connections may wait to be forgotten before pushing waits for them.
const MAX_UNFORGOTTEN: usize = 1_000;

/// What the engine reaches the world through.
#[derive(Clone, Debug)]
pub struct Ports<S, P> {
    /// The audience, the registry and the ledger.
    pub store: S,
    /// The gateway.
    pub pusher: P,
}

/// Pushes payloads to audiences.
#[derive(Clone, Debug)]
pub struct FanOut<S, P> {
    ports: Ports<S, P>,
    pacer: Arc<Pacer>,
    clock: Clock,
    settings: Settings,
}

impl<S, P> FanOut<S, P>
where
    S: Audience + Forget + Ledger + Sync,
    P: Pusher + Sync,
{
    /// Makes an engine; all engines that share a pacer share its rate.
    pub fn new(ports: Ports<S, P>, pacer: Arc<Pacer>, clock: Clock, settings: Settings) -> Self {
        Self {
            ports,
            pacer,
            clock,
            settings,
        }
    }

    /// Gets ready for a run that may come.
    pub async fn warm_up(&self) {
        self.ports.pusher.warm_up().await;
    }

    /// Pushes to everybody who is left in the job's part, until they are
    /// settled or the run must end. `batch_size` runs share the places for
    /// pushes in flight.
    ///
    /// Writes checkpoints to the ledger on the way; the last word, the report,
    /// is the caller's to write.
    ///
    /// # Cancel safety
    /// Dropping the run loses what was settled since the last checkpoint: those
    /// connections are pushed to again when the task is delivered again.
    #[expect(
        clippy::too_many_lines,
        reason = "one loop: what it starts and what it waits for share all of its state"
    )]
    pub async fn run(&self, job: Job, batch_size: usize) -> Report {
        let Job {
            lease,
            progress,
            payload,
            topic,
            stop_at,
            end_by,
            expires_at,
            is_cancelled,
        } = job;
        let Ports { store, pusher } = &self.ports;
        let max_in_flight = (self.settings.max_in_flight / batch_size.max(1)).max(1);
        let settings = Settings {
            max_in_flight,
            ..self.settings
        };
        let mut book = Book::open(settings, progress);
        if is_cancelled {
            book.settle_rest_as(Verdict::Cancelled);
        }
        let mut effort = Effort::default();
        let begun_at = Instant::now();
        let age_at_first = lease.notification_id.age_at(self.clock.now());
        let mut ending = None;
        let mut unreadable = None;
        let mut checkpoints = 0;
        let mut in_flight = FuturesUnordered::new();
        let mut unforgotten: Vec<Recipient> = Vec::new();
        let page_size = self.settings.page_size;
        let mut limit = if self.pacer.is_at_rest() {
            FIRST_PAGE.min(page_size)
        } else {
            page_size
        };
        let mut reading = pin!(OptionFuture::from(None));
        let mut forgetting = pin!(OptionFuture::from(None));
        // Apart from each other: neither a slow write nor a slow look-up holds
        // up the other.
        let mut writing = pin!(OptionFuture::from(None));
        let mut looking_up = pin!(OptionFuture::from(None));
        let (mut is_reading, mut is_forgetting) = (false, false);
        let (mut is_writing, mut is_looking_up) = (false, false);
        let mut checkpoint_at = Instant::now() + self.settings.checkpoint_every;
        let mut look_up_at = checkpoint_at;

        loop {
            let now = Instant::now();
            if expires_at.is_some_and(|expiry| expiry <= now) {
                book.settle_rest_as(Verdict::Expired);
            }
            book.apply_verdict();
            // Nobody waits any more, or is given up on, and there may be more to
            // read.
            if book.has_verdict() && matches!(ending, Some(Ending::Waiting(_) | Ending::Exhausted))
            {
                ending = None;
            }
            if stop_at <= now {
                ending.get_or_insert(Ending::OutOfTime);
            }
            // Whoever is gone and not yet forgotten will be found gone again.
            if end_by <= now {
                break;
            }

            let mut wake = if stop_at <= now { end_by } else { stop_at };
            if ending.is_none() {
                while unforgotten.len() < MAX_UNFORGOTTEN && book.can_start(now) {
                    if let Err(until) = self.pacer.try_start() {
                        wake = wake.min(until);
                        break;
                    }
                    let Some((ticket, next)) = book.start(now) else {
                        break;
                    };
                    effort.pushes += 1;
                    let id = next.recipient.connection_id;
                    in_flight.push(attempt(pusher, ticket, next.tries, id, &payload));
                }
                if !is_reading
                    && unreadable.is_none()
                    && let Some((slice, after)) = book.wants_page()
                {
                    reading.set(Some(read(store, slice, after, limit)).into());
                    limit = limit.saturating_mul(PAGE_GROWTH).min(page_size);
                    is_reading = true;
                }
                if !is_writing && checkpoint_at <= now {
                    checkpoints += 1;
                    let entry = Entry {
                        number: checkpoints,
                        progress: book.progress(),
                        written_at: self.clock.now(),
                        is_last: false,
                    };
                    writing.set(Some(write(store, &lease, entry)).into());
                    is_writing = true;
                }
                if !is_looking_up && look_up_at <= now {
                    let id = lease.notification_id;
                    looking_up.set(Some(store.is_cancelled(id)).into());
                    is_looking_up = true;
                }
            }
            if !is_forgetting && !unforgotten.is_empty() {
                let at_once = unforgotten.len().min(FORGET_AT_ONCE);
                let gone: Vec<_> = unforgotten.drain(..at_once).collect();
                let topic = topic.as_ref();
                let forget = async move { store.forget(&gone, topic).await };
                forgetting.set(Some(forget).into());
                is_forgetting = true;
            }

            if ending.is_none() {
                ending = if book.is_drained()
                    && let Some(error) = unreadable.take()
                {
                    Some(Ending::Unreadable(error))
                } else {
                    self.ending_of(&book, is_reading, now)
                };
            }
            if ending.is_some() && in_flight.is_empty() && !is_forgetting && !is_writing {
                break;
            }

            let timers = [
                book.next_retry(),
                expires_at,
                Some(checkpoint_at),
                Some(look_up_at),
            ];
            for due in timers {
                wake = due
                    .filter(|due| *due > now)
                    .map_or(wake, |due| wake.min(due));
            }
            tokio::select! {
                biased;
                Some(ended) = in_flight.next(), if !in_flight.is_empty() => {
                    let Ended { ticket, tries, outcome, latency, at } = ended;
                    effort.note(outcome, latency, age_at_first.map(|age| age + (at - begun_at)));
                    if outcome == PushOutcome::TooLarge {
                        error!(bytes = payload.len(), "payload is too large (413): nobody gets it");
                    }
                    let is_first = tries == Tries::default();
                    let is_throttled = matches!(outcome, PushOutcome::Throttled { .. });
                    if is_first || !is_throttled {
                        self.pacer.note(is_throttled);
                    }
                    match book.end(ticket, outcome, at, fastrand::f64()) {
                        Consequence::None => {}
                        Consequence::Forget(recipient) => {
                            if self.is_settled_in(&recipient) {
                                unforgotten.push(recipient);
                            }
                        }
                        Consequence::Abort => {
                            ending.get_or_insert(Ending::Forbidden);
                        }
                    }
                }
                Some(page) = &mut reading, if is_reading => {
                    is_reading = false;
                    match page {
                        Ok(page) => book.add_page(page),
                        // What was read is finished first.
                        Err(error) => unreadable = Some(error),
                    }
                }
                Some(forgotten) = &mut forgetting, if is_forgetting => {
                    is_forgetting = false;
                    // The rows stay, and will be found gone again.
                    if let Err(error) = forgotten {
                        warn!(%error, "gone connections were not forgotten");
                    }
                }
                Some(written) = &mut writing, if is_writing => {
                    is_writing = false;
                    checkpoint_at = Instant::now() + self.settings.checkpoint_every;
                    match written {
                        Ok(()) => {}
                        Err(error @ LedgerError::LeaseLost { .. }) => {
                            ending = Some(Ending::LeaseLost(error));
                        }
                        // The next checkpoint, or the report, makes up for it.
                        Err(LedgerError::Store(error)) => {
                            warn!(%error, "checkpoint was not written");
                        }
                    }
                }
                Some(cancelled) = &mut looking_up, if is_looking_up => {
                    is_looking_up = false;
                    look_up_at = Instant::now() + self.settings.checkpoint_every;
                    match cancelled {
                        Ok(true) => book.settle_rest_as(Verdict::Cancelled),
                        Ok(false) => {}
                        // The next look-up asks again.
                        Err(error) => warn!(%error, "cancellation was not looked up"),
                    }
                }
                () = sleep_until(wake) => {}
            }
        }
        Report {
            progress: book.progress(),
            ending: ending.unwrap_or(Ending::Complete),
            has_advanced: book.has_advanced(),
            checkpoints,
            effort,
        }
    }

    /// Whether a connection has had the time to end its handshake. Its row is
    /// stored before the socket opens, and a push in between finds it gone
    /// (<https://repost.aws/knowledge-center/410-gone-api-gateway>).
    fn is_settled_in(&self, recipient: &Recipient) -> bool {
        let age = self.clock.now().duration_since(recipient.connected_at);
        Duration::try_from(age).is_ok_and(|age| age >= self.settings.handshake_grace)
    }

    /// Whether there is nothing more that this run could do, and why.
    fn ending_of(&self, book: &Book, is_reading: bool, now: Instant) -> Option<Ending> {
        if book.is_clogged() {
            return Some(Ending::Exhausted);
        }
        if is_reading || !book.is_taken() || book.in_flight() > 0 {
            return None;
        }
        match book.next_retry() {
            Some(due) if due > now + self.settings.patience => {
                Some(Ending::Waiting(due.duration_since(now)))
            }
            Some(_) => None,
            None if book.has_given_up() => Some(Ending::Exhausted),
            None => Some(Ending::Complete),
        }
    }
}

/// An attempt that ended.
struct Ended {
    ticket: Ticket,
    tries: Tries,
    outcome: PushOutcome,
    latency: Duration,
    at: Instant,
}

async fn attempt<P: Pusher>(
    pusher: &P,
    ticket: Ticket,
    tries: Tries,
    connection: ConnectionId,
    payload: &Bytes,
) -> Ended {
    let started_at = Instant::now();
    let outcome = pusher.push(&connection, payload).await;
    let at = Instant::now();
    debug!(connection_id = %connection, ?tries, ?outcome, "push ended");
    Ended {
        ticket,
        tries,
        outcome,
        latency: at - started_at,
        at,
    }
}

async fn write<S: Ledger>(store: &S, lease: &Lease, entry: Entry) -> Result<(), LedgerError> {
    store.write(lease, &entry).await
}

async fn read<S: Audience>(
    store: &S,
    slice: Slice,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Page, StoreError> {
    store.page(&slice, after.as_ref(), limit).await
}

#[cfg(test)]
mod tests;
