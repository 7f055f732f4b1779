//! What is told of every task: a line of metrics, and a segment of its trace.

use std::time::Duration;

use fanout_core::clock::Clock;
use fanout_core::fanout::Effort;
use fanout_core::trace::TraceHeader;
use fanout_core::worker::{Account, Handled, Outcome, WorkError};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::metrics::{Line, Metric, Metrics};
use crate::trace::{Daemon, Subsegment};

/// Tells how tasks ended.
#[derive(Debug)]
pub struct Observer {
    /// Where metrics are written.
    pub metrics: Metrics,
    /// Where segments are sent.
    pub daemon: Daemon,
    /// Tells how old notifications are.
    pub clock: Clock,
}

/// A task that ended.
#[derive(Debug)]
pub(super) struct Ended<'a> {
    /// What became of it; `None` if it panicked.
    pub(super) outcome: Option<&'a Outcome>,
    /// When it was begun.
    pub(super) started_at: Timestamp,
    /// The trace of its message.
    pub(super) message: Option<TraceHeader>,
    /// The trace of the invocation.
    pub(super) invocation: Option<TraceHeader>,
}

impl Observer {
    /// Tells how a task ended.
    pub(super) fn note(&self, ended: &Ended<'_>) {
        self.metrics.write(line_of(ended, self.clock.now()));
        // A message that its publisher's trace is not kept of adds nothing to
        // the invocation's, which one other message is enough to keep.
        let is_left_out = ended.message.and_then(TraceHeader::is_sampled) == Some(false);
        if let Some(invocation) = ended.invocation.filter(|_| !is_left_out) {
            let subsegment = subsegment_of(ended, self.clock.now());
            self.daemon.send(invocation, &subsegment);
        }
    }
}

impl Ended<'_> {
    fn is_held(&self) -> bool {
        self.outcome
            .is_some_and(|outcome| matches!(outcome.result, Err(WorkError::Held { .. })))
    }

    fn is_failed(&self) -> bool {
        !self.is_held() && self.outcome.is_none_or(|outcome| outcome.result.is_err())
    }

    /// How old the notification is, if this is not the end of it.
    fn unfinished_age(&self, now: Timestamp) -> Option<Duration> {
        let outcome = self.outcome?;
        let is_unfinished = match outcome.result {
            Ok(Handled::Continued) | Err(_) => true,
            Ok(Handled::Done | Handled::Cut(_) | Handled::DeadLettered | Handled::AlreadyDone) => {
                false
            }
        };
        let id = outcome.notification_id.filter(|_| is_unfinished)?;
        id.age_at(now)
    }

    fn is_dead_lettered(&self) -> bool {
        self.outcome
            .is_some_and(|outcome| matches!(outcome.result, Ok(Handled::DeadLettered)))
    }
}

fn line_of(ended: &Ended<'_>, now: Timestamp) -> Line {
    let mut line = Line::default();
    if let Some(id) = ended.outcome.and_then(|outcome| outcome.notification_id) {
        line.field("notification_id", &id);
    }
    if let Some(trace) = ended.message {
        line.field("trace_id", &trace.root());
    }
    let nothing = Account::default();
    let account = ended.outcome.map_or(&nothing, |outcome| &outcome.account);
    let (effort, settled) = (&account.effort, &account.settled);
    for (metric, count) in [
        (Metric::Pushes, effort.pushes),
        (Metric::PushesAccepted, effort.accepted),
        (Metric::PushesThrottled, effort.throttled),
        (Metric::PushesTransient, effort.transient),
        (Metric::PushesRefused, effort.refused),
        (Metric::ConnectionsGone, effort.gone),
        (Metric::DeliveriesAccepted, settled.accepted),
        (Metric::DeliveriesFailed, settled.failed),
        (Metric::DeliveriesExpired, settled.expired),
        (Metric::DeliveriesCancelled, settled.cancelled),
        (Metric::DeliveriesPending, account.pending),
        (Metric::TasksDeadLettered, ended.is_dead_lettered().into()),
        (Metric::TasksFailed, ended.is_failed().into()),
    ] {
        line.count(metric, count);
    }
    line.spans(Metric::PushLatency, &effort.latency);
    line.spans(Metric::AcceptedAge, &effort.accepted_age);
    if let Some(age) = ended.unfinished_age(now) {
        line.span(Metric::UnfinishedAge, age);
    }
    line
}

fn subsegment_of(ended: &Ended<'_>, now: Timestamp) -> Subsegment {
    let mut task = Subsegment::new("fan out", ended.started_at, now);
    task.fault = ended.is_failed();
    if let Some(trace) = ended.message {
        annotate(&mut task, "message_trace_id", &trace.root());
    }
    let Some(outcome) = ended.outcome else {
        return task;
    };
    if let Some(id) = outcome.notification_id {
        annotate(&mut task, "notification_id", &id);
    }
    let effort = &outcome.account.effort;
    if effort.pushes > 0 {
        task.subsegments
            .push(pushes_of(effort, ended.started_at, now));
    }
    task
}

/// All requests as one: each by itself would be more than a trace may hold.
fn pushes_of(effort: &Effort, started_at: Timestamp, now: Timestamp) -> Subsegment {
    let took = Duration::try_from(now.duration_since(started_at)).unwrap_or_default();
    let per_second = effort.pushes * 1_000 / u64::try_from(took.as_millis()).unwrap_or(1).max(1);
    let mut pushes = Subsegment::new("PostToConnection", started_at, now);
    pushes.namespace = Some("aws");
    pushes.throttle = effort.throttled > 0;
    let figures = json!({
        "pushes": effort.pushes,
        "pushes_per_second": per_second,
        "accepted": effort.accepted,
        "gone": effort.gone,
        "throttled": effort.throttled,
        "transient": effort.transient,
        "refused": effort.refused,
    });
    pushes.metadata.insert("fanout".to_owned(), figures);
    pushes
}

fn annotate(subsegment: &mut Subsegment, name: &str, value: &impl ToString) {
    let value = Value::String(value.to_string());
    subsegment.annotations.insert(name.to_owned(), value);
}
