//! Moves what could not be finished back to the workers.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::types::ListMessageMoveTasksResultEntry as Task;
use tokio::time::Instant;

use super::drain::{Lanes, Quiet, Waiting, look_at_lanes};
use super::{Depth, QueueError, QueueUrls, look};
use crate::aws::fault::Fault;

/// What a redrive has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A task moves messages; so many have been moved, of about so many.
    Moving {
        /// How many have been moved.
        moved: u64,
        /// How many there were, where SQS tells.
        of: Option<u64>,
    },
    /// A task has moved all that it was to move.
    Moved(u64),
    /// What was moved is being worked on.
    Working(Lanes),
}

/// How a redrive ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redriven {
    /// So many were moved. Whether they can be finished now is another matter.
    Moved(u64),
    /// A task failed after so many, and this is why.
    Failed {
        /// How many were moved.
        moved: u64,
        /// What SQS says.
        why: String,
    },
    /// So many were moved, and the time is up.
    TimedOut {
        /// How many were moved, by a task that still runs too.
        moved: u64,
        /// What the dead-letter queue holds still, or again. It may be nothing,
        /// found for too short a time to be believed.
        left: Depth,
        /// The task that goes on.
        running: Option<Running>,
    },
}

/// A task that goes on when nobody waits for it any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// By which it can be cancelled, where SQS tells.
    pub handle: Option<String>,
}

/// How a redrive goes on.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How queues and tasks are waited for.
    pub waiting: Waiting,
    /// Whether to wait for the workers, and to move again what comes back.
    pub until_empty: bool,
}

/// Moves all dead letters to the queue of notifications: a worker of either lane
/// takes any task.
///
/// # Errors
/// SQS does not show a queue, or starts no task.
pub async fn redrive(
    client: &Client,
    urls: &QueueUrls,
    patience: Patience,
    mut told: impl FnMut(&Step),
) -> Result<Redriven, QueueError> {
    let source = look(client, &urls.dead_letters).await?.arn;
    let destination = look(client, &urls.notifications).await?.arn;
    let Patience {
        waiting,
        until_empty,
    } = patience;
    let mut moved = 0;
    loop {
        let before = latest(client, urls, &source).await?;
        let started = start(client, urls, &source, &destination).await?;
        let not_it = before.filter(|before| !started.may_be(before));
        let followed = follow(client, urls, &source, not_it.as_ref(), waiting, &mut told).await?;
        let task = match followed {
            Followed::Ended(task) => task,
            Followed::TimedOut(running) => {
                return Ok(Redriven::TimedOut {
                    moved: moved + running.as_ref().map_or(0, moved_by),
                    left: look(client, &urls.dead_letters).await?.depth,
                    // One that is not listed yet was started all the same.
                    running: Some(Running {
                        handle: running.and_then(|task| task.task_handle),
                    }),
                });
            }
        };
        moved += moved_by(&task);
        if task.status() != Some("COMPLETED") {
            let why = task.failure_reason().or(task.status());
            let why = why.unwrap_or_default().to_owned();
            return Ok(Redriven::Failed { moved, why });
        }
        told(&Step::Moved(moved_by(&task)));
        if !until_empty {
            return Ok(Redriven::Moved(moved));
        }
        match settle(client, urls, waiting, &mut told).await? {
            Settled::Empty => return Ok(Redriven::Moved(moved)),
            Settled::CameBack => {}
            Settled::TimedOut(left) => {
                let running = None;
                return Ok(Redriven::TimedOut {
                    moved,
                    left,
                    running,
                });
            }
        }
    }
}

/// Which task moves messages now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Started {
    /// A new one.
    New,
    /// One that was running already, of whoever: it is as good.
    Running,
}

impl Started {
    /// Whether the task that was the latest before may be the one that moves
    /// messages now: not where a new one was started, nor where it had ended.
    fn may_be(self, before: &Task) -> bool {
        match self {
            Self::New => false,
            Self::Running => is_running(before),
        }
    }
}

/// Starts a task, unless one is running already.
async fn start(
    client: &Client,
    urls: &QueueUrls,
    source: &str,
    destination: &str,
) -> Result<Started, QueueError> {
    let starting = client
        .start_message_move_task()
        .source_arn(source)
        .destination_arn(destination);
    match starting.send().await {
        Ok(_) => Ok(Started::New),
        Err(error @ SdkError::ServiceError(_)) => {
            let task = latest(client, urls, source).await?;
            if task.is_some_and(|task| is_running(&task)) {
                return Ok(Started::Running);
            }
            Err(fault(urls, Fault::of(&error)))
        }
        Err(error) => Err(fault(urls, Fault::of(&error))),
    }
}

/// What became of a task.
enum Followed {
    Ended(Task),
    /// The time is up; this is how far it had come, if it was seen.
    TimedOut(Option<Task>),
}

/// Follows the latest task to its end. One that began when `not_it` did is not
/// it: the list may lag behind.
async fn follow(
    client: &Client,
    urls: &QueueUrls,
    source: &str,
    not_it: Option<&Task>,
    waiting: Waiting,
    told: &mut impl FnMut(&Step),
) -> Result<Followed, QueueError> {
    let mut last = None;
    loop {
        let task = latest(client, urls, source).await?;
        let task = task.filter(|task| not_it.is_none_or(|other| !is_same(task, other)));
        if let Some(task) = &task {
            let to_move = task.approximate_number_of_messages_to_move();
            let step = Step::Moving {
                moved: moved_by(task),
                of: to_move.and_then(|count| u64::try_from(count).ok()),
            };
            if is_running(task) && last.as_ref() != Some(&step) {
                told(&step);
                last = Some(step);
            }
        }
        match task {
            Some(task) if !is_running(&task) => return Ok(Followed::Ended(task)),
            running => {
                if !waiting.pause().await {
                    return Ok(Followed::TimedOut(running));
                }
            }
        }
    }
}

/// What became of messages that were moved.
enum Settled {
    /// Nothing is left of them in any queue.
    Empty,
    /// The workers have nothing left to do, and there are dead letters to move.
    CameBack,
    /// The time is up; this is in the dead-letter queue.
    TimedOut(Depth),
}

/// Waits until the workers have nothing left to do, and either no queue holds
/// anything or dead letters can be moved. One that somebody is at cannot be.
async fn settle(
    client: &Client,
    urls: &QueueUrls,
    waiting: Waiting,
    told: &mut impl FnMut(&Step),
) -> Result<Settled, QueueError> {
    let (mut lanes_quiet, mut all_quiet) = (Quiet::new(waiting.quiet), Quiet::new(waiting.quiet));
    let mut last = None;
    loop {
        let lanes = look_at_lanes(client, urls).await?;
        let dead_letters = look(client, &urls.dead_letters).await?.depth;
        if last.replace(lanes) != Some(lanes) {
            told(&Step::Working(lanes));
        }
        let now = Instant::now();
        let are_idle = lanes_quiet.note(lanes.are_empty(), now);
        let is_nothing = lanes.are_empty() && dead_letters.is_empty();
        if all_quiet.note(is_nothing, now) {
            return Ok(Settled::Empty);
        }
        if are_idle && dead_letters.waiting > 0 && now < waiting.deadline {
            return Ok(Settled::CameBack);
        }
        if !waiting.pause().await {
            return Ok(Settled::TimedOut(dead_letters));
        }
    }
}

/// The latest task of the queue; SQS lists the latest first.
async fn latest(
    client: &Client,
    urls: &QueueUrls,
    source: &str,
) -> Result<Option<Task>, QueueError> {
    let listed = client.list_message_move_tasks().source_arn(source);
    let listed = listed.max_results(1).send().await;
    let listed = listed.map_err(|error| fault(urls, Fault::of(&error)))?;
    Ok(listed.results.unwrap_or_default().into_iter().next())
}

/// Whether a task still moves messages, or may: one that is being cancelled has
/// not ended.
fn is_running(task: &Task) -> bool {
    matches!(task.status(), Some("RUNNING" | "CANCELLING"))
}

/// Tasks of one queue follow each other: they are told apart by their start.
fn is_same(task: &Task, other: &Task) -> bool {
    task.started_timestamp() == other.started_timestamp()
}

fn moved_by(task: &Task) -> u64 {
    u64::try_from(task.approximate_number_of_messages_moved()).unwrap_or_default()
}

fn fault(urls: &QueueUrls, fault: Fault) -> QueueError {
    QueueError::Fault {
        queue: urls.dead_letters.clone(),
        fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(status: &str, started: i64) -> Task {
        Task::builder()
            .status(status)
            .started_timestamp(started)
            .build()
    }

    #[test]
    fn a_task_that_is_being_cancelled_has_not_ended() {
        for status in ["RUNNING", "CANCELLING"] {
            assert!(is_running(&task(status, 1)), "{status}");
        }
        for status in ["COMPLETED", "CANCELLED", "FAILED"] {
            assert!(!is_running(&task(status, 1)), "{status}");
        }
    }

    #[test]
    fn a_new_task_is_never_one_from_before() {
        for before in ["RUNNING", "COMPLETED"] {
            assert!(!Started::New.may_be(&task(before, 1)), "{before}");
        }
        assert!(Started::Running.may_be(&task("RUNNING", 1)));
        assert!(!Started::Running.may_be(&task("COMPLETED", 1)));
    }

    #[test]
    fn tasks_are_told_apart_by_their_start() {
        let running = task("RUNNING", 1);
        assert!(is_same(&task("COMPLETED", 1), &running));
        assert!(!is_same(&task("COMPLETED", 2), &running));
    }
}
