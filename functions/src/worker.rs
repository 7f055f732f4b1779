//! The worker: takes batches of tasks from a queue and pushes.
//!
//! One function serves both lanes; what it is told of its queue and its share
//! of the rate makes it one or the other.

mod gateway;
mod observer;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use fanout_core::audience::Audience;
use fanout_core::aws::{self, dynamodb::Store, sqs::Queues};
use fanout_core::clock::Clock;
use fanout_core::fanout::Ports;
use fanout_core::fanout::pacer::Pacer;
use fanout_core::ledger::Ledger;
use fanout_core::push::Pusher;
use fanout_core::queue::TaskQueue;
use fanout_core::store::Forget;
use fanout_core::trace::TraceHeader;
use fanout_core::worker::{Delivery, Outcome, WorkError, Worker};
use futures::FutureExt as _;
use futures::future::join_all;
use jiff::Timestamp;
use lambda_runtime::{Context, Error};
use tracing::{error, info, warn};

use self::gateway::Gateway;
use self::observer::Ended;
pub use self::observer::Observer;
use crate::trace::Daemon;
use crate::{runtime, settings};

/// Works off a batch. Each record succeeds or fails on its own: what went wrong
/// with one, a panic included, never fails its neighbours.
///
/// The answer lists the records that must be delivered again.
pub async fn handle<S, P, Q>(
    worker: &Worker<S, P, Q>,
    observer: &Observer,
    batch: &SqsEvent,
    context: &Context,
) -> SqsBatchResponse
where
    S: Audience + Forget + Ledger + Clone + Send + Sync,
    P: Pusher + Send + Sync,
    Q: TaskQueue + Send + Sync,
{
    let deadline = i64::try_from(context.deadline).unwrap_or(i64::MAX);
    let deadline = Timestamp::from_millisecond(deadline).unwrap_or(Timestamp::MAX);
    let invocation = runtime::trace_of(context);
    let records = batch.records.iter().enumerate().map(async |(n, record)| {
        // By its place, not its id: a queue may deliver a message twice in one
        // batch.
        let owner = format!("{}/{n}", context.request_id);
        let delivery = Delivery {
            body: record.body.as_deref().unwrap_or_default(),
            owner: &owner,
            batch_size: batch.records.len(),
            deadline,
            trace: trace_of(record).or(invocation),
        };
        let is_handled = handle_record(worker, observer, record, &delivery, invocation).await;
        (!is_handled).then(|| record.message_id.clone().unwrap_or_default())
    });
    let mut response = SqsBatchResponse::default();
    for failed in join_all(records).await.into_iter().flatten() {
        response.add_failure(failed);
    }
    info!(
        records = batch.records.len(),
        failed = response.batch_item_failures.len(),
        "batch ended"
    );
    response
}

async fn handle_record<S, P, Q>(
    worker: &Worker<S, P, Q>,
    observer: &Observer,
    record: &SqsMessage,
    delivery: &Delivery<'_>,
    invocation: Option<TraceHeader>,
) -> bool
where
    S: Audience + Forget + Ledger + Clone + Send + Sync,
    P: Pusher + Send + Sync,
    Q: TaskQueue + Send + Sync,
{
    let message_id = record.message_id.as_deref().unwrap_or_default();
    let started_at = observer.clock.now();
    let outcome = AssertUnwindSafe(worker.handle(delivery))
        .catch_unwind()
        .await
        .ok();
    observer.note(&Ended {
        outcome: outcome.as_ref(),
        started_at,
        message: delivery.trace,
        invocation,
    });
    let Some(Outcome {
        notification_id,
        result,
        ..
    }) = outcome
    else {
        error!(message_id, "task panicked, and will be delivered again");
        return false;
    };
    let notification_id = notification_id.map(tracing::field::display);
    let trace_id = delivery
        .trace
        .map(|trace| tracing::field::display(trace.root()));
    match result {
        Ok(_) => true,
        Err(WorkError::Held { part, until }) => {
            warn!(message_id, notification_id, trace_id, %part, %until, "another worker is at this part");
            false
        }
        Err(error) => {
            error!(message_id, notification_id, trace_id, %error, "task failed, and will be delivered again");
            false
        }
    }
}

/// The trace under which a message was sent.
fn trace_of(record: &SqsMessage) -> Option<TraceHeader> {
    record.attributes.get("AWSTraceHeader")?.parse().ok()
}

/// Runs the function.
///
/// # Errors
/// See [`crate::run`].
pub async fn run() -> Result<(), Error> {
    let started = runtime::start(settings::Worker::read)?;
    let settings = started.settings;
    let config = aws::load_config().await;
    let clock = Clock::System;
    let ports = Ports {
        pusher: Gateway::new(&config, &settings, clock)?,
        store: Store::new(&config, settings.store, clock),
    };
    let queues = Queues::new(&config, settings.queues);
    let pacer = Arc::new(Pacer::new(settings.share));
    let worker = Worker::new(ports, queues, pacer, clock, settings.worker);
    let observer = Observer {
        metrics: started.metrics,
        daemon: Daemon::at(started.xray_daemon),
        clock,
    };
    let (worker, observer) = (&worker, &observer);
    runtime::serve(|event| async move {
        Ok(handle(worker, observer, &event.payload, &event.context).await)
    })
    .await
}

#[cfg(test)]
mod tests;
