//! The worker: takes one task from a queue and sees it through.
//!
//! Whatever a worker cannot finish goes back to a queue as a task that names
//! exactly what is left, after that has been written to the ledger. A crash at
//! any point is mended by the queue's redelivery: the lease in the ledger says
//! where to go on, and whether there is anything to do at all.

mod outcome;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{join, maybe_done, try_join_all};
use jiff::{SignedDuration, Timestamp};
use tokio::task::yield_now;
use tokio::time::Instant;
use tracing::{Instrument as _, error, error_span, info, warn};

pub use self::outcome::{Account, Handled, Outcome, WorkError};
use crate::audience::{Audience, Slice};
use crate::clock::Clock;
use crate::fanout::pacer::Pacer;
use crate::fanout::{self, Effort, Ending, FanOut, Job, Ports, Report};
use crate::ledger::{
    Begun, Counts, Entry, Lease, Ledger, LedgerError, PartState, PartSummary, Progress,
};
use crate::notification::Target;
use crate::push::Pusher;
use crate::queue::{Lane, TaskQueue};
use crate::store::{Forget, StoreError};
use crate::task::{Left, Outstanding, Part, Task, Tries, Work};
use crate::trace::TraceHeader;

/// The most time that is kept for the last word.
const LAST_WORD: Duration = Duration::from_secs(2);
/// How long what is left waits when going on at once would get no further.
const STANDSTILL_DELAY: Duration = Duration::from_secs(1);

/// How a worker cuts, and when it stops.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The engine's bounds.
    pub fanout: fanout::Settings,
    /// An audience of at most this many connections is pushed to by the worker
    /// that took the notification; a larger one is cut into slices.
    pub small_audience: u32,
    /// Into how many slices everyone is cut.
    pub segments: u16,
    /// Into how many shards a topic's subscriptions are stored, and cut.
    pub topic_shards: u16,
    /// How long before the invocation's end to stop starting pushes. At least
    /// the pusher's attempt timeout and the time for the [`last_word`], so that
    /// those in flight can end and be written down.
    pub deadline_margin: Duration,
}

/// One delivery of a message.
#[derive(Clone, Debug)]
pub struct Delivery<'a> {
    /// The message's body.
    pub body: &'a str,
    /// Names this delivery and no other, such as the request id and the
    /// record's place in the batch together.
    pub owner: &'a str,
    /// How many tasks the worker was given together: they share its places for
    /// pushes in flight.
    pub batch_size: usize,
    /// When the invocation ends.
    pub deadline: Timestamp,
    /// The trace that the message came with: what is left, and the slices of
    /// what is cut, go on under it.
    pub trace: Option<TraceHeader>,
}

/// Works off tasks.
#[derive(Debug)]
pub struct Worker<S, P, Q> {
    store: S,
    queue: Q,
    fanout: FanOut<S, P>,
    clock: Clock,
    settings: Settings,
}

impl<S, P, Q> Worker<S, P, Q>
where
    S: Audience + Forget + Ledger + Clone + Send + Sync,
    P: Pusher + Send + Sync,
    Q: TaskQueue + Send + Sync,
{
    /// Makes a worker; all workers of one process share a pacer.
    pub fn new(
        ports: Ports<S, P>,
        queue: Q,
        pacer: Arc<Pacer>,
        clock: Clock,
        settings: Settings,
    ) -> Self {
        Self {
            store: ports.store.clone(),
            queue,
            fanout: FanOut::new(ports, pacer, clock, settings.fanout),
            clock,
            settings,
        }
    }

    /// Sees one delivered message through.
    pub async fn handle(&self, delivery: &Delivery<'_>) -> Outcome {
        let mut account = Account::default();
        match Task::decode(delivery.body) {
            Ok(mut task) => {
                task.trace = delivery.trace;
                // As severe as a line can be: whichever are logged, they say
                // whose they are.
                let span = error_span!(
                    "task",
                    notification_id = %task.notification_id,
                    part = task.part.as_str(),
                    trace_id = task.trace.map(|trace| tracing::field::display(trace.root())),
                );
                Outcome {
                    notification_id: Some(task.notification_id),
                    result: self
                        .work(task, delivery, &mut account)
                        .instrument(span)
                        .await,
                    account,
                }
            }
            Err(error) => Outcome {
                notification_id: None,
                result: Err(error.into()),
                account,
            },
        }
    }

    async fn work(
        &self,
        task: Task,
        delivery: &Delivery<'_>,
        account: &mut Account,
    ) -> Result<Handled, WorkError> {
        let lease = Lease {
            notification_id: task.notification_id,
            part: task.part.clone(),
            owner: delivery.owner.to_owned(),
        };
        let lease_taken = self
            .store
            .begin(&lease, self.clock.now(), delivery.deadline);
        // The first page is read while the lease is taken: for a small audience
        // the two round trips are most of what there is to wait for.
        let surveying = async {
            // The lease's request is on its way before the page's is made ready.
            yield_now().await;
            self.survey(&task.work).await
        };
        let mut warming_up = pin!(maybe_done(self.fanout.warm_up()));
        let (begun, survey) = {
            let mut finding_out = pin!(join(lease_taken, surveying));
            poll_fn(|context| {
                // Goes on beside. Only a run waits for its end, whose first push
                // would wait for the same.
                let _ = warming_up.as_mut().poll(context);
                finding_out.as_mut().poll(context)
            })
            .await
        };
        let (resumed, is_cancelled) = match begun? {
            Begun::Taken {
                progress,
                is_cancelled,
            } => (progress, is_cancelled),
            Begun::Done => return Ok(Handled::AlreadyDone),
            Begun::Held(until) => {
                let part = task.part;
                return Err(WorkError::Held { part, until });
            }
        };
        let progress = match resumed {
            Some(Progress {
                slices: Some(slices),
                ..
            }) => return self.cut(&task, &lease, slices).await,
            Some(progress) => with_attempts_renewed(progress),
            None => match survey? {
                Survey::Small(left) => Progress {
                    left,
                    ..Progress::default()
                },
                Survey::Large(slices) => return self.cut(&task, &lease, slices).await,
            },
        };
        let stop_at = self.before(delivery.deadline, self.settings.deadline_margin);
        if stop_at <= Instant::now() {
            self.write(&lease, 1, &progress, true).await?;
            return Err(WorkError::NoTime);
        }
        let before = progress.counts;
        let job = Job {
            lease: lease.clone(),
            progress,
            payload: Bytes::from(task.frame.clone()),
            topic: task.topic.clone(),
            stop_at,
            end_by: self.before(delivery.deadline, last_word(self.settings.deadline_margin)),
            expires_at: task.expires_at.map(|time| self.clock.instant_of(time)),
            is_cancelled,
        };
        warming_up.await;
        let report = self.fanout.run(job, delivery.batch_size).await;
        self.finish(task, &lease, &before, report, account).await
    }

    /// Finds out whether the audience is small, reading no more of it than that
    /// takes: at most twice `small_audience`, and one connection a shard.
    async fn survey(&self, work: &Work) -> Result<Survey, StoreError> {
        let target = match work {
            Work::Left(left) => return Ok(Survey::Small(left.clone())),
            Work::Audience(target) => target,
        };
        // One Scan in sequence finds a small audience fastest; a topic's shards
        // are read side by side, each up to its part of a small audience.
        let slices = Slice::cut(target, 1, self.settings.topic_shards);
        let most = self.settings.small_audience;
        let limit = most / u32::try_from(slices.len()).unwrap_or(1).max(1) + 1;
        let mut unread: Vec<_> = slices.into_iter().map(|slice| (slice, None)).collect();
        let mut outstanding: Vec<Outstanding> = Vec::new();
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        while !unread.is_empty() && outstanding.len() <= most {
            let pages = unread
                .iter()
                .map(|(slice, after)| self.store.page(slice, after.as_ref(), limit));
            let pages = try_join_all(pages).await?;
            let read = unread.into_iter().zip(pages);
            unread = read
                .filter_map(|((slice, _), page)| {
                    outstanding.extend(page.recipients.into_iter().map(Into::into));
                    page.next.map(|next| (slice, Some(next)))
                })
                .collect();
        }
        if outstanding.len() <= most {
            return Ok(Survey::Small(Left {
                unread: None,
                outstanding,
            }));
        }
        Ok(Survey::Large(match target {
            Target::Everyone => self.settings.segments,
            Target::Topic { .. } => self.settings.topic_shards,
            Target::Connection { .. } => 1,
        }))
    }

    /// Enqueues a task for each slice of a large audience.
    ///
    /// The ledger is told first: when this worker dies half-way, the next
    /// delivery enqueues all of them again, under the same parts.
    async fn cut(&self, task: &Task, lease: &Lease, slices: u16) -> Result<Handled, WorkError> {
        let Work::Audience(target) = &task.work else {
            // Only a notification's own task is ever cut.
            return Ok(Handled::AlreadyDone);
        };
        let mut progress = Progress {
            slices: Some(slices),
            ..Progress::default()
        };
        self.write(lease, 1, &progress, false).await?;
        let slices_of = Slice::cut(target, slices, slices);
        let tasks: Vec<_> = slices_of
            .into_iter()
            .map(|slice| Task {
                part: Part::of_slice(&slice),
                work: Work::Left(Left::all_of(slice)),
                ..task.clone()
            })
            .collect();
        self.queue
            .send(Lane::Slices, &tasks, Duration::ZERO)
            .await?;
        progress.state = PartState::Done;
        self.write(lease, 2, &progress, true).await?;
        info!(notification_id = %task.notification_id, slices, "audience cut");
        Ok(Handled::Cut(slices))
    }

    /// Writes the last word on a run, then sees to what is left.
    async fn finish(
        &self,
        task: Task,
        lease: &Lease,
        before: &Counts,
        report: Report,
        account: &mut Account,
    ) -> Result<Handled, WorkError> {
        let Report {
            mut progress,
            ending,
            has_advanced,
            checkpoints,
            effort,
        } = report;
        account.effort = effort;
        let lane = lane_of(&task.part);
        let ended = match ending {
            Ending::LeaseLost(error) => return Err(error.into()),
            Ending::Complete => Ok((Handled::Done, None)),
            Ending::OutOfTime if progress.left.is_empty() => Ok((Handled::Done, None)),
            Ending::OutOfTime => {
                // Otherwise others took the rate, or a page took all the time.
                let delay = if has_advanced {
                    Duration::ZERO
                } else {
                    STANDSTILL_DELAY
                };
                Ok((Handled::Continued, Some((lane, delay))))
            }
            Ending::Waiting(wait) => Ok((Handled::Continued, Some((lane, wait)))),
            Ending::Exhausted => {
                progress.state = PartState::DeadLettered;
                let dead = (Lane::DeadLetters, Duration::ZERO);
                Ok((Handled::DeadLettered, Some(dead)))
            }
            // What is settled is kept; the queue's redelivery does the rest.
            Ending::Forbidden => Err(WorkError::Forbidden),
            Ending::Unreadable(error) if has_advanced => {
                warn!(part = %task.part, %error, "audience was not read to its end");
                Ok((Handled::Continued, Some((lane, STANDSTILL_DELAY))))
            }
            Ending::Unreadable(error) => Err(error.into()),
        };
        self.write(lease, checkpoints + 1, &progress, true).await?;
        let PartSummary {
            counts, pending, ..
        } = progress.summary();
        account.settled = counts.since(before);
        let (handled, next) = ended?;
        log(&task, &progress, &account.effort, handled);
        if let Some((lane, delay)) = next {
            let task = Task {
                work: Work::Left(progress.left),
                ..task
            };
            self.queue.send(lane, &[task], delay).await?;
            account.pending = pending;
        }
        Ok(handled)
    }

    async fn write(
        &self,
        lease: &Lease,
        number: u32,
        progress: &Progress,
        is_last: bool,
    ) -> Result<(), LedgerError> {
        let entry = Entry {
            number,
            progress: progress.clone(),
            written_at: self.clock.now(),
            is_last,
        };
        self.store.write(lease, &entry).await
    }

    fn before(&self, deadline: Timestamp, margin: Duration) -> Instant {
        let margin = SignedDuration::try_from(margin).unwrap_or(SignedDuration::ZERO);
        self.clock.instant_of(deadline - margin)
    }
}

/// How much of a deadline margin is for the last word: to write the last entry
/// and to enqueue what is left. A run is over by then, whatever is in flight.
#[must_use]
pub fn last_word(deadline_margin: Duration) -> Duration {
    LAST_WORD.min(deadline_margin / 2)
}

/// What a survey of an audience found.
enum Survey {
    /// All there is to do.
    Small(Left),
    /// The audience is to be cut into this many slices.
    Large(u16),
}

/// What is left of a part goes on in the lane where it belongs: the stragglers
/// of a broadcast do not hold up small notifications either.
fn lane_of(part: &Part) -> Lane {
    if *part == Part::root() {
        Lane::Notifications
    } else {
        Lane::Slices
    }
}

/// Redriven from the dead-letter queue, those who had used up their attempts
/// get new ones.
fn with_attempts_renewed(mut progress: Progress) -> Progress {
    if progress.state == PartState::DeadLettered {
        progress.state = PartState::Open;
        for outstanding in &mut progress.left.outstanding {
            outstanding.tries = Tries::default();
        }
    }
    progress
}

fn log(task: &Task, progress: &Progress, effort: &Effort, handled: Handled) {
    let PartSummary {
        counts, pending, ..
    } = progress.summary();
    let id = task.notification_id;
    let part = task.part.as_str();
    match handled {
        Handled::DeadLettered => error!(
            notification_id = %id,
            part,
            failed = counts.failed,
            "attempts used up: what is left waits in the dead-letter queue"
        ),
        Handled::Continued => warn!(
            notification_id = %id,
            part,
            pending,
            "task not finished: what is left was enqueued again"
        ),
        Handled::Done | Handled::Cut(_) | Handled::AlreadyDone => {}
    }
    info!(
        notification_id = %id,
        part,
        ?handled,
        accepted = counts.accepted,
        gone = counts.gone,
        failed = counts.failed,
        expired = counts.expired,
        cancelled = counts.cancelled,
        pending,
        pushes = effort.pushes,
        throttled = effort.throttled,
        transient = effort.transient,
        "task ended"
    );
}
