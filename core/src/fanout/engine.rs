//! The loop that turns pages into pushes.

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::OptionFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use super::book::{Book, Consequence, Ticket, Verdict};
use super::pacer::Pacer;
use super::{Effort, Ending, Job, Report, Settings};
use crate::audience::Audience;
use crate::clock::Clock;
use crate::connection::{ConnectionId, Recipient};
use crate::ledger::{Ledger, LedgerError};
use crate::push::{PushOutcome, Pusher};
use crate::store::Registry;

/// How many connections are forgotten in one call.
const FORGET_AT_ONCE: usize = 25;
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
    S: Audience + Registry + Ledger + Sync,
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

    /// Pushes to everybody who is left in the job's part, until they are
    /// settled or the run must end.
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
    pub async fn run(&self, job: Job) -> Report {
        let Job {
            lease,
            progress,
            payload,
            topic,
            stop_at,
            expires_at,
        } = job;
        let Ports { store, pusher } = &self.ports;
        let mut book = Book::open(self.settings, progress);
        let mut effort = Effort::default();
        let mut ending = None;
        let mut in_flight = FuturesUnordered::new();
        let mut unforgotten: Vec<Recipient> = Vec::new();
        let mut reading = pin!(OptionFuture::from(None));
        let mut forgetting = pin!(OptionFuture::from(None));
        let mut writing = pin!(OptionFuture::from(None));
        let (mut is_reading, mut is_forgetting, mut is_writing) = (false, false, false);
        let mut checkpoint_at = Instant::now() + self.settings.checkpoint_every;

        loop {
            let now = Instant::now();
            if expires_at.is_some_and(|expiry| expiry <= now) {
                book.settle_rest_as(Verdict::Expired);
            }
            book.apply_verdict();
            if ending.is_none() && stop_at <= now {
                ending = Some(Ending::OutOfTime);
            }

            let mut wake = stop_at;
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
                    in_flight.push(attempt(pusher, ticket, next.attempts, id, &payload));
                }
                if !is_reading && let Some((slice, after)) = book.wants_page() {
                    let limit = self.settings.page_size;
                    reading.set(Some(read(store, slice, after, limit)).into());
                    is_reading = true;
                }
                if !is_writing && checkpoint_at <= now {
                    let progress = book.progress();
                    let written_at = self.clock.now();
                    let lease = &lease;
                    let checkpoint =
                        async move { store.write(lease, &progress, written_at, false).await };
                    writing.set(Some(checkpoint).into());
                    is_writing = true;
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
                ending = self.ending_of(&book, is_reading, now);
            }
            if ending.is_some() && in_flight.is_empty() && !is_forgetting && !is_writing {
                break;
            }

            for due in [book.next_retry(), expires_at, Some(checkpoint_at)] {
                wake = due
                    .filter(|due| *due > now)
                    .map_or(wake, |due| wake.min(due));
            }
            tokio::select! {
                biased;
                Some((ticket, attempts, outcome)) = in_flight.next(), if !in_flight.is_empty() => {
                    effort.note(outcome);
                    let is_first = attempts == 0;
                    let is_throttled = matches!(outcome, PushOutcome::Throttled { .. });
                    self.pacer.note(is_throttled && is_first);
                    match book.end(ticket, outcome, Instant::now(), fastrand::f64()) {
                        Consequence::None => {}
                        Consequence::Forget(recipient) => unforgotten.push(recipient),
                        Consequence::Abort => {
                            ending.get_or_insert(Ending::Forbidden);
                        }
                    }
                }
                Some(page) = &mut reading, if is_reading => {
                    is_reading = false;
                    match page {
                        Ok(page) => book.add_page(page),
                        Err(error) => {
                            ending.get_or_insert(Ending::Unreadable(error));
                        }
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
                () = sleep_until(wake), if ending.is_none() => {}
            }
        }
        Report {
            progress: book.progress(),
            ending: ending.unwrap_or(Ending::Complete),
            effort,
        }
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

async fn attempt<P: Pusher>(
    pusher: &P,
    ticket: Ticket,
    attempts: u32,
    connection: ConnectionId,
    payload: &Bytes,
) -> (Ticket, u32, PushOutcome) {
    let outcome = pusher.push(&connection, payload).await;
    debug!(connection_id = %connection, attempt = attempts + 1, ?outcome, "push ended");
    (ticket, attempts, outcome)
}

async fn read<S: Audience>(
    store: &S,
    slice: crate::audience::Slice,
    after: Option<crate::audience::Cursor>,
    limit: u32,
) -> Result<crate::audience::Page, crate::store::StoreError> {
    store.page(&slice, after.as_ref(), limit).await
}

impl Effort {
    fn note(&mut self, outcome: PushOutcome) {
        match outcome {
            PushOutcome::Throttled { .. } => self.throttled += 1,
            PushOutcome::Transient { .. } => self.transient += 1,
            PushOutcome::Accepted
            | PushOutcome::Gone
            | PushOutcome::TooLarge
            | PushOutcome::Forbidden
            | PushOutcome::Rejected { .. } => {}
        }
    }
}
