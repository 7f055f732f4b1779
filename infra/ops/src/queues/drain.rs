//! Waits until nothing is left to do.

use std::fmt;
use std::time::Duration;

use aws_sdk_sqs::Client;
use tokio::time::{Instant, sleep};

use super::{Depth, QueueError, QueueUrls, look};

/// How many looks in a row must find nothing: a message that is on its way
/// between queues is in neither.
const QUIET_LOOKS: u32 = 3;

/// SQS counts approximately, and its counts "may not achieve consistency until
/// at least 1 minute after the producers stop sending messages"
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html>).
const CONSISTENT_AFTER: Duration = Duration::from_secs(70);

/// For how long nothing must be found before nothing is left: more than a
/// minute on AWS. A local stack's counts are exact.
#[must_use]
pub const fn quiet_span(is_local: bool) -> Duration {
    if is_local {
        Duration::ZERO
    } else {
        CONSISTENT_AFTER
    }
}

/// How queues are waited for.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// When to give up.
    pub deadline: Instant,
    /// How long to wait between two looks.
    pub pause: Duration,
    /// For how long nothing must be found; see [`quiet_span`].
    pub quiet: Duration,
}

impl Waiting {
    /// Waits until the next look, unless the time is up before; returns whether
    /// it is not.
    pub(super) async fn pause(&self) -> bool {
        let is_time_left = Instant::now() + self.pause <= self.deadline;
        if is_time_left {
            sleep(self.pause).await;
        }
        is_time_left
    }
}

/// For how long nothing has been found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quiet {
    span: Duration,
    looks: u32,
    since: Option<Instant>,
}

impl Quiet {
    pub(super) const fn new(span: Duration) -> Self {
        Self {
            span,
            looks: 0,
            since: None,
        }
    }

    /// Notes a look; returns whether nothing was found often and for long
    /// enough.
    pub(super) fn note(&mut self, is_empty: bool, now: Instant) -> bool {
        if !is_empty {
            (self.looks, self.since) = (0, None);
            return false;
        }
        self.looks += 1;
        let since = *self.since.get_or_insert(now);
        self.looks >= QUIET_LOOKS && now.duration_since(since) >= self.span
    }
}

/// What both lanes hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    /// The queue of notifications.
    pub notifications: Depth,
    /// The queue of slices.
    pub slices: Depth,
}

impl Lanes {
    /// Whether nothing was found in either.
    #[must_use]
    pub const fn are_empty(&self) -> bool {
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

/// Looks at both lanes.
pub(super) async fn look_at_lanes(client: &Client, urls: &QueueUrls) -> Result<Lanes, QueueError> {
    let (notifications, slices) = tokio::try_join!(
        look(client, &urls.notifications),
        look(client, &urls.slices)
    )?;
    Ok(Lanes {
        notifications: notifications.depth,
        slices: slices.depth,
    })
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Nothing is left.
    Empty,
    /// This is left, and the time is up. It may be nothing, found for too short
    /// a time to be believed.
    Left(Lanes),
}

/// Looks at both lanes, again after each pause, until nothing was found for long
/// enough, or the time is up. `told` hears of every change.
///
/// # Errors
/// SQS does not show a queue.
pub async fn drain(
    client: &Client,
    urls: &QueueUrls,
    waiting: Waiting,
    mut told: impl FnMut(&Lanes),
) -> Result<Drained, QueueError> {
    let mut quiet = Quiet::new(waiting.quiet);
    let mut last = None;
    loop {
        let lanes = look_at_lanes(client, urls).await?;
        if last.replace(lanes) != Some(lanes) {
            told(&lanes);
        }
        if quiet.note(lanes.are_empty(), Instant::now()) {
            return Ok(Drained::Empty);
        }
        if !waiting.pause().await {
            return Ok(Drained::Left(lanes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_spans_more_than_a_minute_on_aws_and_begins_anew_with_every_message() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut quiet = Quiet::new(quiet_span(false));
        for seconds in (0..70).step_by(2) {
            assert!(!quiet.note(true, at(seconds)), "{seconds}");
        }
        assert!(!quiet.note(false, at(69)));
        assert!(!quiet.note(true, at(100)));
        assert!(!quiet.note(true, at(169)));
        assert!(quiet.note(true, at(170)));
    }

    #[test]
    fn quiet_needs_several_looks_everywhere() {
        let now = Instant::now();
        let mut quiet = Quiet::new(quiet_span(true));
        assert!(!quiet.note(true, now));
        assert!(!quiet.note(true, now));
        assert!(quiet.note(true, now));
        let mut quiet = Quiet::new(quiet_span(false));
        assert!(!quiet.note(true, now));
        let later = now + Duration::from_mins(5);
        assert!(!quiet.note(true, later), "two looks");
    }
}
