//! Waits until nothing is left to do.

use std::fmt;
use std::time::Duration;

use aws_sdk_sqs::Client;
use tokio::time::{Instant, sleep};

use super::{Depth, QueueError, QueueUrls, look};

/// How many looks in a row must find nothing: SQS counts approximately, and a
/// message that is on its way between queues is in neither.
const QUIET_LOOKS: u32 = 3;

/// What both lanes hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    /// The queue of notifications.
    pub notifications: Depth,
    /// The queue of slices.
    pub slices: Depth,
}

impl Lanes {
    const fn are_empty(&self) -> bool {
        self.notifications.is_empty() && self.slices.is_empty()
    }
}

impl fmt::Display for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            notifications,
            slices,
        } = self;
        write!(f, "notifications: {notifications}; slices: {slices}")
    }
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Nothing is left.
    Empty,
    /// This is left, and the time is up.
    Left(Lanes),
}

/// Looks at both lanes, again after each `pause`, until several looks in a row
/// have found nothing, or the `deadline` has passed. `told` hears of every
/// change.
///
/// # Errors
/// SQS does not show a queue.
pub async fn drain(
    client: &Client,
    urls: &QueueUrls,
    deadline: Instant,
    pause: Duration,
    mut told: impl FnMut(&Lanes),
) -> Result<Drained, QueueError> {
    let (mut quiet, mut last) = (0, None);
    loop {
        let (notifications, slices) = tokio::try_join!(
            look(client, &urls.notifications),
            look(client, &urls.slices)
        )?;
        let lanes = Lanes {
            notifications: notifications.depth,
            slices: slices.depth,
        };
        if last.replace(lanes) != Some(lanes) {
            told(&lanes);
        }
        quiet = if lanes.are_empty() { quiet + 1 } else { 0 };
        if quiet >= QUIET_LOOKS {
            return Ok(Drained::Empty);
        }
        if Instant::now() + pause > deadline {
            return Ok(Drained::Left(lanes));
        }
        sleep(pause).await;
    }
}
