//! Who should receive a notification.

use crate::{
    slow_readers::SlowReaders,
    subscriber_set::{SubscriberIndex, SubscriberSet},
    topics::Topics,
};

/// The subscribers that are open, and what sets some of them apart.
#[derive(Debug)]
pub(super) struct Audience {
    pub(super) open: SubscriberSet,
    pub(super) topics: Option<Topics>,
    pub(super) slow_readers: Option<SlowReaders>,
}

impl Audience {
    /// Nobody is open yet.
    pub(super) fn with_capacity(subscribers: u32) -> Self {
        Self {
            open: SubscriberSet::with_capacity(subscribers),
            topics: None,
            slow_readers: None,
        }
    }

    /// Who is open and listens to the topic of notification `sequence`, and how
    /// many of them are timed.
    pub(super) fn of(&self, sequence: u64) -> (SubscriberSet, u32) {
        let mut audience = self.open.clone();
        if let Some(topics) = &self.topics {
            let topic = topics.of_notification(sequence);
            audience.retain(|subscriber| topics.of(subscriber) == topic);
        }
        if self.slow_readers.is_none() {
            let timed = audience.len();
            return (audience, timed);
        }
        let mut timed = audience.clone();
        timed.retain(|subscriber| self.is_timed(subscriber));
        (audience, timed.len())
    }

    /// Whether what a subscriber receives is timed.
    pub(super) fn is_timed(&self, subscriber: SubscriberIndex) -> bool {
        self.slow_readers
            .is_none_or(|slow| !slow.contains(subscriber))
    }

    /// Whether notification `sequence` goes to another topic than a
    /// subscriber's.
    pub(super) fn is_misdirected(&self, sequence: u64, subscriber: SubscriberIndex) -> bool {
        self.topics
            .as_ref()
            .is_some_and(|topics| topics.of(subscriber) != topics.of_notification(sequence))
    }
}
