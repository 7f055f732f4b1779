//! The queues: the real ones of the local stack, on virtual time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fanout_core::audience::Slice;
use fanout_core::ledger::PartState;
use fanout_core::notification::NotificationId;
use fanout_core::queue::{Lane, QueueError, TaskQueue};
use fanout_core::task::{Part, Task, Work};
use fanout_local_sqs::Message;
use fanout_local_sqs::queue::{MessageId, Queue, ReceiptHandle, ReceivedMessage, Settings};

use crate::invariants::Invariant;
use crate::script::Script;
use crate::store::Tables;
use crate::world::{Client, INJECTED, Port, State};

/// After how many deliveries a message is dead.
const MAX_RECEIVE_COUNT: u32 = 4;
/// How long a message that is overtaken arrives late.
const OVERTAKEN_BY: Duration = Duration::from_millis(700);
const MAX_DELAY: Duration = Duration::from_mins(15);

pub(crate) struct Queues {
    lanes: BTreeMap<Lane, Queue>,
    /// The messages that exist, and what they are about if that can be read.
    live: BTreeMap<MessageId, Option<(NotificationId, Part)>>,
    /// Delivered again while in flight.
    duplicates: BTreeMap<Lane, Vec<ReceivedMessage>>,
    sent: u8,
    received: u8,
    /// How many batches are being worked on.
    pub(crate) busy: usize,
}

impl Queues {
    pub(crate) fn new(script: &Script) -> Self {
        let settings = Settings {
            // As AWS recommends: six times the function's timeout.
            visibility_timeout: 6 * Duration::from_millis(script.shape.function_timeout_ms),
            max_receive_count: Some(MAX_RECEIVE_COUNT),
            ..Settings::default()
        };
        let dead_letters = Settings::default();
        Self {
            lanes: BTreeMap::from([
                (Lane::Notifications, Queue::new(settings.clone(), 1)),
                (Lane::Slices, Queue::new(settings, 2)),
                (Lane::DeadLetters, Queue::new(dead_letters, 3)),
            ]),
            live: BTreeMap::new(),
            duplicates: BTreeMap::new(),
            sent: 0,
            received: 0,
            busy: 0,
        }
    }

    pub(crate) fn send(
        &mut self,
        script: &Script,
        lane: Lane,
        now: Duration,
        body: String,
        delay: Duration,
    ) {
        let is_overtaken = lane != Lane::DeadLetters && script.overtaken.contains(&self.sent);
        let held_back = if is_overtaken {
            OVERTAKEN_BY
        } else {
            Duration::ZERO
        };
        self.sent = self.sent.saturating_add(1);
        let about = Task::decode(&body)
            .ok()
            .map(|task| (task.notification_id, task.part));
        let message = Message::new(body).unwrap();
        let queue = self.lanes.get_mut(&lane).unwrap();
        let id = queue.send(now, message, Some(delay + held_back)).unwrap();
        self.live.insert(id, about);
    }

    /// What can be delivered now, or else when to look again.
    pub(crate) fn receive(
        &mut self,
        script: &Script,
        lane: Lane,
        now: Duration,
    ) -> Result<Vec<ReceivedMessage>, Option<Duration>> {
        if let Some(duplicate) = self.duplicates.entry(lane).or_default().pop() {
            return Ok(vec![duplicate]);
        }
        let batch_size = if lane == Lane::Notifications { 10 } else { 1 };
        let queue = self.lanes.get_mut(&lane).unwrap();
        let received = queue.receive(now, batch_size, None).unwrap();
        for message in &received.messages {
            if script.duplicates.contains(&self.received) {
                let again = queue.redeliver(now, message.receipt_handle, None);
                self.duplicates.entry(lane).or_default().extend(again);
            }
            self.received = self.received.saturating_add(1);
        }
        let next = queue.next_visible_at();
        for dead in received.dead {
            self.lanes
                .get_mut(&Lane::DeadLetters)
                .unwrap()
                .accept(now, dead);
        }
        if received.messages.is_empty() {
            Err(next)
        } else {
            Ok(received.messages)
        }
    }

    pub(crate) fn delete(
        &mut self,
        lane: Lane,
        now: Duration,
        id: MessageId,
        handle: ReceiptHandle,
    ) -> bool {
        let is_deleted = self
            .lanes
            .get_mut(&lane)
            .unwrap()
            .delete(now, handle)
            .unwrap();
        if is_deleted {
            self.live.remove(&id);
        }
        is_deleted
    }

    /// Moves the dead letters back, as an operator does.
    pub(crate) fn redrive(&mut self, now: Duration) {
        while let Some(mut dead) = self
            .lanes
            .get_mut(&Lane::DeadLetters)
            .unwrap()
            .take_visible(now)
        {
            dead.receive_count = 0;
            self.lanes
                .get_mut(&Lane::Notifications)
                .unwrap()
                .accept(now, dead);
        }
    }

    /// Whether nothing is left to do, but for what is dead.
    pub(crate) fn are_quiet(&mut self, now: Duration) -> bool {
        let mut held = |lane| {
            let counts = self.lanes.get_mut(&lane).unwrap().counts(now);
            counts.visible + counts.in_flight + counts.delayed
        };
        held(Lane::Notifications) == 0 && held(Lane::Slices) == 0 && self.busy == 0
    }

    /// Whether all there is left is as many messages that nobody can read, dead.
    pub(crate) fn hold_only(&mut self, now: Duration, garbage: usize) -> Result<(), String> {
        let readable: Vec<_> = self.live.values().flatten().collect();
        let dead = self.lanes.get_mut(&Lane::DeadLetters).unwrap().counts(now);
        if readable.is_empty() && dead.visible == garbage && self.live.len() == garbage {
            return Ok(());
        }
        Err(format!(
            "{readable:?} left, {dead:?} dead, of which {garbage} should be"
        ))
    }

    /// Whether all of a part is settled, or a message says what is left.
    fn is_kept(&self, tables: &Tables, id: NotificationId, part: &Part) -> bool {
        let is_done = |progress: &fanout_core::ledger::Progress| progress.state == PartState::Done;
        let mut live = self.live.values().flatten();
        tables.progress(id, part).is_some_and(is_done)
            || live.any(|(of, about)| *of == id && about == part)
    }
}

impl State {
    /// Checks that with a task's message nothing was dropped.
    pub(crate) fn check_kept(&mut self, task: &Task) {
        let id = task.notification_id;
        let mut parts = vec![task.part.clone()];
        let root = self.tables.progress(id, &task.part);
        if let (Some(slices), Work::Audience(target)) =
            (root.and_then(|root| root.slices), &task.work)
        {
            let slices = Slice::cut(target, slices, slices);
            parts.extend(slices.iter().map(Part::of_slice));
        }
        for part in parts {
            if !self.queues.is_kept(&self.tables, id, &part) {
                let detail = format!("part {part} of {id} is not done, and on no queue");
                self.witness.broken(Invariant::Queues, detail);
            }
        }
    }
}

impl TaskQueue for Client {
    async fn send(&self, lane: Lane, tasks: &[Task], delay: Duration) -> Result<(), QueueError> {
        for task in tasks {
            if matches!(&task.work, Work::Left(left) if left.is_empty()) {
                let detail = format!("a task is sent in which nobody is left: {task:?}");
                self.state().witness.broken(Invariant::Queues, detail);
            }
        }
        let bodies = tasks.iter().map(Task::encode);
        let bodies = bodies.collect::<Result<Vec<_>, _>>()?;
        // SQS delays by whole seconds.
        let delay = delay.min(MAX_DELAY).as_millis().div_ceil(1_000);
        let delay = Duration::from_secs(u64::try_from(delay).unwrap());
        let world = Arc::clone(&self.world);
        let enqueue = move |state: &mut State, now| {
            for body in bodies {
                state.queues.send(&world.script, lane, now, body, delay);
            }
            world.sent.notify_waiters();
        };
        let sent = self.call(Port::Send, enqueue).await;
        sent.map_err(|_| QueueError::Send {
            lane,
            count: tasks.len(),
            total: tasks.len(),
            detail: INJECTED.to_owned(),
        })
    }
}
