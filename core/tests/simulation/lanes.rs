//! The lanes: two event-source mappings that feed workers from the queues.

use std::sync::Arc;
use std::time::Duration;

use fanout_core::fanout::Ports;
use fanout_core::queue::Lane;
use fanout_core::task::Task;
use fanout_core::worker::{self, WorkError, Worker};
use fanout_local_sqs::queue::ReceivedMessage;
use futures::future::join_all;
use jiff::SignedDuration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::invariants::Invariant;
use crate::world::{Client, MARGIN, Process, World};

/// Starts both mappings: as many loops as each may have invocations at once.
pub(crate) fn start(world: &Arc<World>) -> JoinSet<()> {
    let (notifications, slices) = world.script.shape.concurrency;
    let mut slots = JoinSet::new();
    for _ in 0..notifications {
        slots.spawn(run_slot(Arc::clone(world), Lane::Notifications));
    }
    for _ in 0..slices {
        slots.spawn(run_slot(Arc::clone(world), Lane::Slices));
    }
    slots
}

/// Invokes the worker for one batch after the other, in the same process for
/// as long as that lives.
async fn run_slot(world: Arc<World>, lane: Lane) {
    let mut process = world.cold_process();
    loop {
        let batch = receive(&world, lane).await;
        if process.is_dead() {
            process = world.cold_process();
        }
        invoke(&world, &process, lane, &batch).await;
        world.state().queues.busy -= 1;
    }
}

async fn receive(world: &World, lane: Lane) -> Vec<ReceivedMessage> {
    loop {
        let sent = world.sent.notified();
        let received = {
            let mut state = world.state();
            let received = state.queues.receive(&world.script, lane, world.now());
            state.queues.busy += usize::from(received.is_ok());
            received
        };
        let next = match received {
            Ok(batch) => return batch,
            Err(next) => next,
        };
        let next = next.map(|next| world.started + next);
        tokio::select! {
            biased;
            () = sent => {}
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
        }
    }
}

/// Runs one invocation: the records of a batch side by side, until all have
/// ended, the process dies, or the time is up.
async fn invoke(world: &Arc<World>, process: &Arc<Process>, lane: Lane, batch: &[ReceivedMessage]) {
    let deadline = Instant::now() + world.function_timeout();
    let clients: Vec<_> = batch
        .iter()
        .map(|message| deliver(world, process, message, deadline))
        .collect();
    let records = clients.iter().zip(batch);
    let records = records.map(|(client, message)| handle(client, message, deadline));
    tokio::select! {
        biased;
        () = process.died.notified() => {}
        () = sleep_until(deadline) => process.kill(),
        results = join_all(records) => {
            for (message, is_handled) in batch.iter().zip(results) {
                if is_handled {
                    settle(world, lane, message);
                }
            }
            return;
        }
    }
    let mut state = world.state();
    for client in clients {
        state.witness.died(client.delivery);
    }
}

fn deliver(
    world: &Arc<World>,
    process: &Arc<Process>,
    message: &ReceivedMessage,
    deadline: Instant,
) -> Client {
    let task = Task::decode(message.message.body()).ok();
    let expires_at = task.as_ref().and_then(|task| task.expires_at);
    let now = Instant::now();
    let expires_at = expires_at.map(|time| {
        let life = time.duration_since(world.clock.now());
        now + Duration::try_from(life).unwrap_or_default()
    });
    let stop_at = deadline - MARGIN;
    let delivery = world
        .state()
        .witness
        .delivered(process.number, task, now, stop_at, expires_at);
    Client {
        world: Arc::clone(world),
        process: Arc::clone(process),
        delivery,
    }
}

/// Handles a record, and says whether its message may be deleted.
async fn handle(client: &Client, message: &ReceivedMessage, deadline: Instant) -> bool {
    let Client {
        world,
        process,
        delivery,
    } = client;
    let ports = Ports {
        store: client.clone(),
        pusher: client.clone(),
    };
    let settings = world.worker_settings();
    let worker = Worker::new(
        ports,
        client.clone(),
        Arc::clone(&process.pacer),
        world.clock,
        settings,
    );
    let owner = format!("{delivery:?}");
    let remaining = SignedDuration::try_from(deadline - Instant::now()).unwrap();
    let delivery = worker::Delivery {
        body: message.message.body(),
        owner: &owner,
        batch_size: 1,
        deadline: world.clock.now() + remaining,
        trace: None,
    };
    let handled = worker.handle(&delivery).await.result;
    let mut state = world.state();
    match handled {
        Ok(_) => true,
        Err(WorkError::Held { .. } | WorkError::Task(_)) => false,
        Err(error) => {
            if state.is_calm {
                let detail = format!("a task failed with all faults off: {error}");
                state.witness.broken(Invariant::Queues, detail);
            }
            false
        }
    }
}

/// Deletes the message of a record that was handled.
fn settle(world: &World, lane: Lane, message: &ReceivedMessage) {
    let (now, mut state) = (world.now(), world.state());
    let is_deleted = state
        .queues
        .delete(lane, now, message.id, message.receipt_handle);
    match Task::decode(message.message.body()) {
        Ok(task) if is_deleted => state.check_kept(&task),
        Ok(_) => {}
        Err(error) => {
            let detail = format!("what is no task was handled: {error}");
            state.witness.broken(Invariant::Queues, detail);
        }
    }
}
