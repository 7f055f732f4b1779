//! The settings of a queue and the limits of SQS.

use std::time::Duration;

/// The most messages of a standard queue that can be in flight.
///
/// Source: [SQS quotas](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html).
pub const MAX_IN_FLIGHT: usize = 120_000;

/// The longest visibility timeout, counted from when a message was received.
pub const MAX_VISIBILITY_TIMEOUT: Duration = Duration::from_hours(12);

/// The longest delay of a queue or of a single message.
pub const MAX_DELAY: Duration = Duration::from_mins(15);

/// The largest message, in bytes: 1 MiB.
pub const MAX_MESSAGE_BYTES: usize = 1_048_576;

/// The settings of one queue. The defaults are those of SQS.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// How long a received message stays hidden, unless the receiver says
    /// otherwise; default 30 s.
    pub visibility_timeout: Duration,
    /// How long a sent message stays hidden, unless the sender says otherwise;
    /// default none.
    pub delay: Duration,
    /// How long after it was sent a message is dropped; default 4 days.
    pub retention: Duration,
    /// The size limit of a message as [`Message::size`](crate::Message::size) counts; default 1 MiB.
    pub max_message_bytes: usize,
    /// After how many receives a message is dead (1 to 1,000); default never.
    pub max_receive_count: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            visibility_timeout: Duration::from_secs(30),
            delay: Duration::ZERO,
            retention: Duration::from_hours(96),
            max_message_bytes: MAX_MESSAGE_BYTES,
            max_receive_count: None,
        }
    }
}
