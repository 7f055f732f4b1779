//! The worker: takes batches of tasks from a queue and pushes.
//!
//! One function serves both lanes; what it is told of its queue and its share
//! of the rate makes it one or the other.

mod gateway;

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
use fanout_core::worker::{Delivery, Worker};
use futures::FutureExt as _;
use futures::future::join_all;
use jiff::Timestamp;
use lambda_runtime::{Context, Error};
use tracing::{error, info, warn};

use self::gateway::Gateway;
use crate::{runtime, settings};

/// Works off a batch. Each record succeeds or fails on its own: what went wrong
/// with one, a panic included, never fails its neighbours.
///
/// The answer lists the records that must be delivered again.
pub async fn handle<S, P, Q>(
    worker: &Worker<S, P, Q>,
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
    let records = batch.records.iter().enumerate().map(async |(n, record)| {
        // By its place, not its id: a queue may deliver a message twice in one
        // batch.
        let owner = format!("{}/{n}", context.request_id);
        let delivery = Delivery {
            body: record.body.as_deref().unwrap_or_default(),
            owner: &owner,
            batch_size: batch.records.len(),
            deadline,
        };
        let is_handled = handle_record(worker, record, &delivery).await;
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
    record: &SqsMessage,
    delivery: &Delivery<'_>,
) -> bool
where
    S: Audience + Forget + Ledger + Clone + Send + Sync,
    P: Pusher + Send + Sync,
    Q: TaskQueue + Send + Sync,
{
    let message_id = record.message_id.as_deref().unwrap_or_default();
    match AssertUnwindSafe(worker.handle(delivery))
        .catch_unwind()
        .await
    {
        Ok(Ok(_)) => true,
        Ok(Err(fanout_core::worker::WorkError::Held { part, until })) => {
            warn!(message_id, %part, %until, "another worker is at this part");
            false
        }
        Ok(Err(error)) => {
            error!(message_id, %error, "task failed, and will be delivered again");
            false
        }
        Err(_) => {
            error!(message_id, "task panicked, and will be delivered again");
            false
        }
    }
}

/// Runs the function.
///
/// # Errors
/// See [`crate::run`].
pub async fn run() -> Result<(), Error> {
    let settings = runtime::start(settings::Worker::read)?;
    let config = aws::load_config().await;
    let clock = Clock::System;
    let ports = Ports {
        pusher: Gateway::new(&config, &settings, clock)?,
        store: Store::new(&config, settings.store, clock),
    };
    let queues = Queues::new(&config, settings.queues);
    let pacer = Arc::new(Pacer::new(settings.share));
    let worker = Worker::new(ports, queues, pacer, clock, settings.worker);
    let worker = &worker;
    runtime::serve(|event| async move { Ok(handle(worker, &event.payload, &event.context).await) })
        .await
}

#[cfg(test)]
mod tests;
