//! The state of one standard queue: no clock, no I/O, no randomness.
//!
//! Every operation takes the time as `now`, a span since an epoch of the
//! caller's choice that must stay the same for the life of the queue (the
//! service uses the Unix epoch, a simulation may use zero) and must not go
//! back. The same seed and the same operations at the same times give the same
//! message ids, receipt handles and deliveries.
//!
//! Sending, receiving and deleting take time logarithmic in the number of
//! messages; memory is proportional to the messages held.

mod delivery;
mod error;
mod id;
mod settings;
mod store;

use std::sync::Arc;
use std::time::Duration;

pub use self::delivery::{Counts, MovedMessage, Received, ReceivedMessage};
pub use self::error::{ChangeVisibilityError, OverLimit, SendError};
pub use self::id::{InvalidReceiptHandle, MessageId, ReceiptHandle};
pub use self::settings::{
    MAX_DELAY, MAX_IN_FLIGHT, MAX_MESSAGE_BYTES, MAX_VISIBILITY_TIMEOUT, Settings,
};
use self::store::{Phase, Store, Stored};
use crate::message::Message;

/// One standard queue.
#[derive(Debug)]
pub struct Queue {
    settings: Settings,
    seed: u64,
    /// Numbers messages and deliveries; the source of every id.
    drawn: u64,
    store: Store,
}

impl Queue {
    /// Makes an empty queue. `seed` decides its ids and receipt handles, and
    /// must differ from that of any queue whose handles it is to refuse.
    #[must_use]
    pub fn new(settings: Settings, seed: u64) -> Self {
        Self {
            settings,
            seed,
            drawn: 0,
            store: Store::default(),
        }
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Replaces the settings. Retention and receive count apply to the
    /// messages already there, delay and visibility timeout to what follows.
    pub fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Adds a message, hidden for `delay` or else for the queue's own delay.
    ///
    /// # Errors
    /// When the message or its delay is beyond the limits.
    pub fn send(
        &mut self,
        now: Duration,
        message: impl Into<Arc<Message>>,
        delay: Option<Duration>,
    ) -> Result<MessageId, SendError> {
        let message = message.into();
        let (bytes, limit) = (message.size(), self.settings.max_message_bytes);
        if bytes > limit {
            return Err(SendError::TooLong { bytes, limit });
        }
        let delay = delay.unwrap_or(self.settings.delay);
        if delay > MAX_DELAY {
            return Err(SendError::DelayTooLong(delay));
        }
        let key = self.draw();
        let id = MessageId::derive(self.seed, key);
        let phase = match delay {
            Duration::ZERO => Phase::Visible { since: now },
            delay => Phase::Delayed {
                until: now.saturating_add(delay),
            },
        };
        let moved = MovedMessage {
            id,
            message,
            receive_count: 0,
            sent_at: now,
            first_received_at: None,
            dead_letter_source: None,
        };
        self.store.insert(key, Stored::new(moved, phase));
        Ok(id)
    }

    /// Delivers up to `max` visible messages, those visible for longest first,
    /// and hides them for `visibility_timeout` or else for the queue's own.
    ///
    /// # Errors
    /// When nothing can be delivered because of [`MAX_IN_FLIGHT`].
    pub fn receive(
        &mut self,
        now: Duration,
        max: usize,
        visibility_timeout: Option<Duration>,
    ) -> Result<Received, OverLimit> {
        self.settle(now);
        let mut received = Received::default();
        while received.messages.len() < max
            && let Some(key) = self.store.first_visible()
        {
            if self.is_exhausted(key) {
                received.dead.extend(self.take(key));
            } else if self.store.in_flight() >= MAX_IN_FLIGHT {
                break;
            } else {
                let delivery = self.deliver(now, key, visibility_timeout);
                received.messages.extend(delivery);
            }
        }
        let is_empty = received.messages.is_empty() && received.dead.is_empty();
        if is_empty && self.store.in_flight() >= MAX_IN_FLIGHT {
            return Err(OverLimit);
        }
        Ok(received)
    }

    /// Delivers a message once more while it is in flight, as an at-least-once
    /// queue may. The earlier handle is stale from then on, and the message is
    /// hidden at least as long as before.
    ///
    /// Nothing is delivered when the message is no longer in flight under this
    /// handle, or when it has been received as often as it may be.
    pub fn redeliver(
        &mut self,
        now: Duration,
        handle: ReceiptHandle,
        visibility_timeout: Option<Duration>,
    ) -> Option<ReceivedMessage> {
        self.settle(now);
        let key = self.current(handle).ok().flatten()?;
        if !self.store.get(key)?.phase.is_in_flight() || self.is_exhausted(key) {
            return None;
        }
        self.deliver(now, key, visibility_timeout)
    }

    /// Deletes the message that `handle` is the most recent handle of, and says
    /// whether there was one.
    ///
    /// A handle that is not the message's most recent one, or whose message is
    /// already gone, deletes nothing and is no error. Source:
    /// [DeleteMessage](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html).
    ///
    /// # Errors
    /// When the handle is not one of this queue.
    pub fn delete(
        &mut self,
        now: Duration,
        handle: ReceiptHandle,
    ) -> Result<bool, InvalidReceiptHandle> {
        self.settle(now);
        let key = self.current(handle)?;
        Ok(key.and_then(|key| self.store.remove(key)).is_some())
    }

    /// Hides a message in flight for `timeout` from now; zero makes it visible.
    ///
    /// # Errors
    /// When the message is not in flight under this handle, or would be hidden
    /// for longer than [`MAX_VISIBILITY_TIMEOUT`] since it was received.
    pub fn change_visibility(
        &mut self,
        now: Duration,
        handle: ReceiptHandle,
        timeout: Duration,
    ) -> Result<(), ChangeVisibilityError> {
        self.settle(now);
        let key = self.current(handle)?;
        let key = key.ok_or(ChangeVisibilityError::NotAvailable)?;
        let stored = self.store.get(key);
        let stored = stored.ok_or(ChangeVisibilityError::NotAvailable)?;
        if !stored.phase.is_in_flight() {
            return Err(ChangeVisibilityError::NotInFlight);
        }
        let until = now.saturating_add(timeout);
        if until > stored.received_at.saturating_add(MAX_VISIBILITY_TIMEOUT) {
            return Err(ChangeVisibilityError::BeyondLimit);
        }
        self.store.set_phase(key, Phase::InFlight { until });
        self.settle(now);
        Ok(())
    }

    /// Drops every message, also those in flight.
    pub fn purge(&mut self) {
        self.store = Store::default();
    }

    /// Takes the message that has been visible for longest out of the queue,
    /// without counting a receive.
    pub fn take_visible(&mut self, now: Duration) -> Option<MovedMessage> {
        self.settle(now);
        let key = self.store.first_visible()?;
        self.take(key)
    }

    /// Adds a message that comes from another queue, visible at once. It keeps
    /// its id, its receive count and the time at which it was sent.
    ///
    /// Source: [dead-letter queue retention](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/setting-up-dead-letter-queue-retention.html).
    pub fn accept(&mut self, now: Duration, moved: MovedMessage) {
        let key = self.draw();
        let phase = Phase::Visible { since: now };
        self.store.insert(key, Stored::new(moved, phase));
    }

    /// Counts the messages.
    pub fn counts(&mut self, now: Duration) -> Counts {
        self.settle(now);
        self.store.counts()
    }

    /// When a receive could next yield something: a time already past when a
    /// message is visible, or nothing when the queue is empty.
    #[must_use]
    pub fn next_visible_at(&self) -> Option<Duration> {
        self.store.next_visible_at()
    }

    /// Drops what has expired and shows what is due.
    fn settle(&mut self, now: Duration) {
        self.store.expire(now, self.settings.retention);
        self.store.show_due(now);
    }

    fn is_exhausted(&self, key: u64) -> bool {
        let count = self.store.get(key).map(|stored| stored.moved.receive_count);
        let max = self.settings.max_receive_count;
        max.is_some_and(|max| count.is_some_and(|count| count >= max))
    }

    fn deliver(
        &mut self,
        now: Duration,
        key: u64,
        visibility_timeout: Option<Duration>,
    ) -> Option<ReceivedMessage> {
        let timeout = visibility_timeout.unwrap_or(self.settings.visibility_timeout);
        let delivery = self.draw();
        let stored = self.store.get_mut(key)?;
        let until = match stored.phase {
            // Only when delivered in duplicate.
            Phase::InFlight { until } => until.max(now.saturating_add(timeout)),
            Phase::Visible { .. } | Phase::Delayed { .. } => now.saturating_add(timeout),
        };
        stored.received_at = now;
        stored.delivery = Some(delivery);
        stored.moved.receive_count = stored.moved.receive_count.saturating_add(1);
        let first_received_at = *stored.moved.first_received_at.get_or_insert(now);
        let message = ReceivedMessage {
            id: stored.moved.id,
            receipt_handle: ReceiptHandle::new(self.seed, key, delivery),
            message: Arc::clone(&stored.moved.message),
            receive_count: stored.moved.receive_count,
            sent_at: stored.moved.sent_at,
            first_received_at,
            dead_letter_source: stored.moved.dead_letter_source.clone(),
        };
        self.store.set_phase(key, Phase::InFlight { until });
        Some(message)
    }

    /// The key of the message that `handle` is the most recent handle of.
    fn current(&self, handle: ReceiptHandle) -> Result<Option<u64>, InvalidReceiptHandle> {
        let key = handle.key_in(self.seed)?;
        let stored = self.store.get(key);
        let is_current = stored.is_some_and(|stored| stored.delivery == Some(handle.delivery()));
        Ok(is_current.then_some(key))
    }

    fn take(&mut self, key: u64) -> Option<MovedMessage> {
        self.store.remove(key).map(|stored| stored.moved)
    }

    fn draw(&mut self) -> u64 {
        self.drawn += 1;
        self.drawn
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
