//! The attributes that a queue is created with.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::queue::{MAX_DELAY, MAX_MESSAGE_BYTES, MAX_VISIBILITY_TIMEOUT, Settings};

/// The attributes of a queue. The defaults are those of SQS; the ranges are
/// those of [SetQueueAttributes].
///
/// [SetQueueAttributes]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QueueAttributes {
    /// How long a received message stays hidden: 0 to 12 hours.
    pub visibility_timeout: Duration,
    /// How long a sent message stays hidden: 0 to 15 minutes.
    pub delay: Duration,
    /// How long messages are kept: 1 minute to 14 days.
    pub retention: Duration,
    /// The size limit of a message: 1 KiB to 1 MiB.
    pub max_message_bytes: usize,
    /// How long a receive on the wire waits unless it says so: 0 to 20 s.
    pub receive_wait: Duration,
    /// Where messages go that were received too often.
    pub redrive: Option<RedrivePolicy>,
}

/// Where messages go that were received too often.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RedrivePolicy {
    /// The name or the ARN of the dead-letter queue. The service keeps the
    /// name.
    pub dead_letter_queue: String,
    /// After how many receives: 1 to 1,000.
    pub max_receive_count: u32,
}

/// An attribute has a value that is not allowed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("invalid value for the queue attribute {0}")]
pub struct InvalidAttribute(
    /// The attribute's name on the wire.
    pub &'static str,
);

impl Default for QueueAttributes {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            visibility_timeout: settings.visibility_timeout,
            delay: settings.delay,
            retention: settings.retention,
            max_message_bytes: settings.max_message_bytes,
            receive_wait: Duration::ZERO,
            redrive: None,
        }
    }
}

impl QueueAttributes {
    /// Checks every attribute against its range.
    pub(super) fn check(&self) -> Result<(), InvalidAttribute> {
        let zero = Duration::ZERO;
        within(
            "VisibilityTimeout",
            &self.visibility_timeout,
            zero..=MAX_VISIBILITY_TIMEOUT,
        )?;
        within("DelaySeconds", &self.delay, zero..=MAX_DELAY)?;
        let retention = Duration::from_mins(1)..=Duration::from_hours(14 * 24);
        within("MessageRetentionPeriod", &self.retention, retention)?;
        let bytes = 1_024..=MAX_MESSAGE_BYTES;
        within("MaximumMessageSize", &self.max_message_bytes, bytes)?;
        let wait = zero..=Duration::from_secs(20);
        within("ReceiveMessageWaitTimeSeconds", &self.receive_wait, wait)?;
        if let Some(redrive) = &self.redrive {
            within("RedrivePolicy", &redrive.max_receive_count, 1..=1_000)?;
        }
        Ok(())
    }

    /// The settings of the queue itself. Without its dead-letter queue a queue
    /// delivers a message as often as it takes.
    pub(super) fn settings(&self, has_dead_letter_queue: bool) -> Settings {
        let redrive = self.redrive.as_ref().filter(|_| has_dead_letter_queue);
        Settings {
            visibility_timeout: self.visibility_timeout,
            delay: self.delay,
            retention: self.retention,
            max_message_bytes: self.max_message_bytes,
            max_receive_count: redrive.map(|redrive| redrive.max_receive_count),
        }
    }
}

fn within<T: PartialOrd>(
    name: &'static str,
    value: &T,
    range: RangeInclusive<T>,
) -> Result<(), InvalidAttribute> {
    let is_within = range.contains(value);
    is_within.then_some(()).ok_or(InvalidAttribute(name))
}
