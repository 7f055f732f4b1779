//! Moves what could not be finished back to the workers.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::types::ListMessageMoveTasksResultEntry as Task;
use tokio::time::{Instant, sleep};

use super::drain::{Drained, drain};
use super::{QueueError, QueueUrls, look};
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
    Working(super::drain::Lanes),
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
        /// How many were moved.
        moved: u64,
        /// How many dead letters there are still, or again.
        left: u64,
    },
}

/// How long a redrive may take, and how it goes on.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// When to give up.
    pub deadline: Instant,
    /// How long to wait between two looks.
    pub pause: Duration,
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
    let mut moved = 0;
    loop {
        let before = latest(client, urls, &source).await?;
        start(client, urls, &source, &destination).await?;
        let task = follow(client, urls, &source, before.as_ref(), patience, &mut told).await?;
        let Some(task) = task else {
            let left = look(client, &urls.dead_letters).await?.depth.waiting;
            return Ok(Redriven::TimedOut { moved, left });
        };
        moved += moved_by(&task);
        if task.status() != Some("COMPLETED") {
            let why = task.failure_reason().or(task.status());
            let why = why.unwrap_or_default().to_owned();
            return Ok(Redriven::Failed { moved, why });
        }
        told(&Step::Moved(moved_by(&task)));
        if !patience.until_empty {
            return Ok(Redriven::Moved(moved));
        }
        let Patience {
            deadline, pause, ..
        } = patience;
        let drained = drain(client, urls, deadline, pause, |lanes| {
            told(&Step::Working(*lanes));
        });
        let drained = drained.await?;
        let left = look(client, &urls.dead_letters).await?.depth.waiting;
        match drained {
            Drained::Empty if left == 0 => return Ok(Redriven::Moved(moved)),
            Drained::Empty if Instant::now() < deadline => {}
            Drained::Empty | Drained::Left(_) => return Ok(Redriven::TimedOut { moved, left }),
        }
    }
}

/// Starts a task, unless one is running already, of whoever: that one is as
/// good.
async fn start(
    client: &Client,
    urls: &QueueUrls,
    source: &str,
    destination: &str,
) -> Result<(), QueueError> {
    let starting = client
        .start_message_move_task()
        .source_arn(source)
        .destination_arn(destination);
    match starting.send().await {
        Ok(_) => Ok(()),
        Err(error @ SdkError::ServiceError(_)) => {
            let task = latest(client, urls, source).await?;
            if task.is_some_and(|task| is_running(&task)) {
                return Ok(());
            }
            Err(fault(urls, Fault::of(&error)))
        }
        Err(error) => Err(fault(urls, Fault::of(&error))),
    }
}

/// Follows the latest task to its end; returns nothing if the time is up before.
/// The one that was the latest `before`, and had ended, is not it: the list may
/// lag behind.
async fn follow(
    client: &Client,
    urls: &QueueUrls,
    source: &str,
    before: Option<&Task>,
    patience: Patience,
    told: &mut impl FnMut(&Step),
) -> Result<Option<Task>, QueueError> {
    let ended = before.filter(|task| !is_running(task));
    let mut last = None;
    loop {
        let task = latest(client, urls, source).await?;
        let is_new = |task: &Task| {
            ended.is_none_or(|ended| ended.started_timestamp() != task.started_timestamp())
        };
        if let Some(task) = task.filter(is_new) {
            if !is_running(&task) {
                return Ok(Some(task));
            }
            let to_move = task.approximate_number_of_messages_to_move();
            let step = Step::Moving {
                moved: moved_by(&task),
                of: to_move.and_then(|count| u64::try_from(count).ok()),
            };
            if last.as_ref() != Some(&step) {
                told(&step);
                last = Some(step);
            }
        }
        if Instant::now() + patience.pause > patience.deadline {
            return Ok(None);
        }
        sleep(patience.pause).await;
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

fn is_running(task: &Task) -> bool {
    task.status() == Some("RUNNING")
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
