//! Message move tasks: dead letters go back to where they died, or to a queue
//! of choice.
//!
//! A moved message is a new one: it gets a new id, a new time of sending, and a
//! receive count of zero. Sources: [StartMessageMoveTask], [redrive].
//!
//! [StartMessageMoveTask]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
//! [redrive]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use super::registry::Registry;
use super::{Error, Inner, MoveTaskError, Sqs};

/// How many tasks of one source are remembered.
const REMEMBERED_TASKS: usize = 10;

/// How many messages an unpaced task moves before it lets others run.
const CHUNK: u32 = 100;

/// The highest rate of a task.
const MAX_RATE_PER_SECOND: u32 = 500;

/// Why a task fails whose destination is gone.
const NO_QUEUE: &str = "AWS.SimpleQueueService.NonExistentQueue";

/// What to move, where to and how fast.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MoveTaskRequest {
    /// The ARN of the dead-letter queue.
    pub source_arn: String,
    /// The ARN of the queue to move to; by default each message goes back to
    /// the queue in which it died.
    pub destination_arn: Option<String>,
    /// At most so many messages a second: 1 to 500, or as fast as it goes.
    pub max_messages_per_second: Option<u32>,
}

/// A message move task and how far it has come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MoveTask {
    /// The handle by which to cancel it.
    pub handle: String,
    /// What was asked for.
    pub request: MoveTaskRequest,
    /// Whether it is running, or how it ended.
    pub status: MoveTaskStatus,
    /// How many messages it has moved.
    pub moved: u64,
    /// How many messages were visible in the source when it started.
    pub to_move: u64,
    /// When it was started, since the Unix epoch.
    pub started_at: Duration,
}

/// Whether a task is running, or how it ended. A task is cancelled at once, so
/// that it is never seen cancelling.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MoveTaskStatus {
    /// It is moving messages.
    Running,
    /// It has moved what there was.
    Completed,
    /// It was cancelled.
    Cancelled,
    /// It met a message that it could not move, and left it in the source.
    Failed {
        /// Why, in the words of SQS where they are known.
        reason: &'static str,
    },
}

/// All remembered tasks, the oldest first.
#[derive(Debug, Default)]
pub(super) struct MoveTasks(VecDeque<MoveTask>);

impl Sqs {
    /// Starts to move messages out of a dead-letter queue, and returns the
    /// handle of the task.
    ///
    /// # Errors
    /// When a queue does not exist, when the source is not a dead-letter queue
    /// or has a task running, or when the rate is out of range.
    ///
    /// # Panics
    /// Outside of a Tokio runtime, which is to run the task.
    pub fn start_message_move_task(&self, request: MoveTaskRequest) -> Result<String, Error> {
        let inner = &self.inner;
        let name = inner.name_of_arn(&request.source_arn);
        let source = name.ok_or(MoveTaskError::NoSource)?;
        if let Some(arn) = &request.destination_arn {
            let name = inner.name_of_arn(arn);
            let exists = name.is_some_and(|name| self.registry().entry(name).is_ok());
            exists.then_some(()).ok_or(MoveTaskError::NoDestination)?;
        }
        let rate = request.max_messages_per_second;
        if let Some(rate) = rate.filter(|rate| !(1..=MAX_RATE_PER_SECOND).contains(rate)) {
            return Err(MoveTaskError::Rate(rate).into());
        }
        let handle = new_handle(&request.source_arn);
        {
            let (mut registry, now) = inner.lock();
            let entry = registry.entry_mut(source);
            let description = entry.map_err(|_| MoveTaskError::NoSource)?.describe(now);
            if registry.dead_letter_sources(source)?.is_empty() {
                return Err(MoveTaskError::NotADeadLetterQueue.into());
            }
            registry.move_tasks.start(MoveTask {
                handle: handle.clone(),
                request,
                status: MoveTaskStatus::Running,
                moved: 0,
                to_move: description.counts.visible as u64,
                started_at: now,
            })?;
        }
        let tasks = inner.move_tasks.lock();
        let mut tasks = tasks.unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(run(Arc::downgrade(inner), handle.clone(), rate));
        Ok(handle)
    }

    /// The most recent tasks of a source, the latest first, at most 10.
    ///
    /// # Errors
    /// When the source does not exist.
    pub fn message_move_tasks(&self, source_arn: &str, max: usize) -> Result<Vec<MoveTask>, Error> {
        let source = self.inner.name_of_arn(source_arn);
        let registry = self.registry();
        let exists = source.is_some_and(|source| registry.entry(source).is_ok());
        exists.then_some(()).ok_or(MoveTaskError::NoSource)?;
        let tasks = registry.move_tasks.of_source(source_arn);
        Ok(tasks.rev().take(max).cloned().collect())
    }

    /// Cancels a running task, and returns how many messages it has moved.
    ///
    /// # Errors
    /// When there is no such task, or it has ended.
    pub fn cancel_message_move_task(&self, handle: &str) -> Result<u64, Error> {
        let mut registry = self.registry();
        let task = registry.move_tasks.get_mut(handle);
        let task = task.ok_or(MoveTaskError::NoTask)?;
        if task.status != MoveTaskStatus::Running {
            return Err(MoveTaskError::NotRunning.into());
        }
        task.status = MoveTaskStatus::Cancelled;
        Ok(task.moved)
    }
}

impl MoveTasks {
    fn start(&mut self, task: MoveTask) -> Result<(), MoveTaskError> {
        let source = task.request.source_arn.clone();
        let is_running = |task: &MoveTask| task.status == MoveTaskStatus::Running;
        if self.of_source(&source).any(is_running) {
            return Err(MoveTaskError::AlreadyRunning);
        }
        self.0.push_back(task);
        let excess = self.of_source(&source).count() > REMEMBERED_TASKS;
        let oldest = self.0.iter().position(|of| of.request.source_arn == source);
        if let Some(oldest) = oldest.filter(|_| excess) {
            self.0.remove(oldest);
        }
        Ok(())
    }

    fn of_source(&self, arn: &str) -> impl DoubleEndedIterator<Item = &MoveTask> {
        let tasks = self.0.iter();
        tasks.filter(move |task| task.request.source_arn == arn)
    }

    fn get_mut(&mut self, handle: &str) -> Option<&mut MoveTask> {
        self.0.iter_mut().find(|task| task.handle == handle)
    }
}

/// Moves messages until the task has ended or the service is gone.
async fn run(inner: Weak<Inner>, handle: String, rate: Option<u32>) {
    let chunk = rate.map_or(CHUNK, |_| 1);
    let mut pace = rate.map(|rate| tokio::time::interval(Duration::from_secs(1) / rate));
    loop {
        if let Some(pace) = &mut pace {
            pace.tick().await;
        } else {
            tokio::task::yield_now().await;
        }
        let Some(inner) = inner.upgrade() else { return };
        for _ in 0..chunk {
            if inner.step(&handle).is_break() {
                return;
            }
        }
    }
}

impl Inner {
    /// Moves one message of a running task, or ends the task.
    fn step(&self, handle: &str) -> ControlFlow<()> {
        let (mut registry, now) = self.lock();
        let task = registry.move_tasks.get_mut(handle);
        let Some(task) = task.filter(|task| task.status == MoveTaskStatus::Running) else {
            return ControlFlow::Break(());
        };
        let is_left = task.moved < task.to_move;
        let request = task.request.clone();
        let moved = if is_left {
            self.move_one(&mut registry, &request, now)
        } else {
            Ok(false)
        };
        let Some(task) = registry.move_tasks.get_mut(handle) else {
            return ControlFlow::Break(());
        };
        task.status = match moved {
            Ok(true) => {
                task.moved += 1;
                return ControlFlow::Continue(());
            }
            Ok(false) => MoveTaskStatus::Completed,
            Err(reason) => MoveTaskStatus::Failed { reason },
        };
        let (moved, status) = (task.moved, task.status);
        tracing::info!(
            source = request.source_arn,
            moved,
            ?status,
            "message move task ended"
        );
        ControlFlow::Break(())
    }

    /// Moves one message, and says whether there was one. A message that cannot
    /// be moved stays in the source.
    fn move_one(
        &self,
        registry: &mut Registry,
        request: &MoveTaskRequest,
        now: Duration,
    ) -> Result<bool, &'static str> {
        let source = self.name_of_arn(&request.source_arn).ok_or(NO_QUEUE)?;
        let entry = registry.entry_mut(source).map_err(|_| NO_QUEUE)?;
        let Some(moved) = entry.take_visible(now) else {
            return Ok(false);
        };
        let died_in = moved.dead_letter_source.as_deref();
        let destination = request.destination_arn.as_deref().or(died_in);
        let sent = match destination.map(|arn| self.name_of_arn(arn).unwrap_or(arn)) {
            None => Err("CouldNotDetermineMessageSource"),
            Some(name) => registry
                .entry_mut(name)
                .map_err(|_| NO_QUEUE)
                .and_then(|entry| {
                    let sent = entry.send(now, Arc::clone(&moved.message), None);
                    sent.map_err(|_| "InvalidParameterValue")
                }),
        };
        if sent.is_err() {
            let source = registry.entry_mut(source).map_err(|_| NO_QUEUE)?;
            source.accept(now, moved);
        }
        sent.map(|_| true)
    }
}

/// An opaque text that names the task and its source.
fn new_handle(source_arn: &str) -> String {
    let task_id = Uuid::new_v4();
    STANDARD.encode(format!(
        r#"{{"taskId":"{task_id}","sourceArn":"{source_arn}"}}"#
    ))
}
