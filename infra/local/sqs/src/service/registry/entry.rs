//! One queue with what the service keeps beside its state.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use fanout_local_faults::Fault;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use crate::message::Message;
use crate::queue::{MessageId, MovedMessage, OverLimit, Queue, ReceiptHandle, Received};
use crate::service::{Error, QueueAttributes, QueueDescription, ReceiveOptions};

/// How long after a purge the next one is refused.
///
/// Source: [PurgeQueue](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_PurgeQueue.html).
const PURGE_INTERVAL: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(in crate::service) struct Entry {
    name: String,
    queue: Queue,
    attributes: QueueAttributes,
    created_at: Duration,
    modified_at: Duration,
    purged_at: Option<Duration>,
    /// Wakes long polls when a message may have become visible.
    arrivals: Arc<Notify>,
    /// Deliveries that the next receive repeats, if still in flight.
    duplicates: VecDeque<ReceiptHandle>,
}

impl Entry {
    pub(super) fn new(name: &str, attributes: QueueAttributes, seed: u64, now: Duration) -> Self {
        Self {
            name: name.to_owned(),
            queue: Queue::new(attributes.settings(false), seed),
            attributes,
            created_at: now,
            modified_at: now,
            purged_at: None,
            arrivals: Arc::default(),
            duplicates: VecDeque::new(),
        }
    }

    pub(super) fn attributes(&self) -> &QueueAttributes {
        &self.attributes
    }

    pub(super) fn set_attributes(&mut self, attributes: QueueAttributes, now: Duration) {
        self.attributes = attributes;
        self.modified_at = now;
    }

    pub(super) fn dead_letter_queue(&self) -> Option<&str> {
        let redrive = self.attributes.redrive.as_ref()?;
        Some(redrive.dead_letter_queue.as_str())
    }

    pub(super) fn apply_settings(&mut self, has_dead_letter_queue: bool) {
        let settings = self.attributes.settings(has_dead_letter_queue);
        self.queue.set_settings(settings);
    }

    pub(in crate::service) fn describe(&mut self, now: Duration) -> QueueDescription {
        QueueDescription {
            attributes: self.attributes.clone(),
            counts: self.queue.counts(now),
            created_at: self.created_at,
            modified_at: self.modified_at,
        }
    }

    pub(in crate::service) fn purge(&mut self, now: Duration) -> Result<(), Error> {
        let next = self.purged_at.map(|at| at.saturating_add(PURGE_INTERVAL));
        if next.is_some_and(|next| now < next) {
            return Err(Error::PurgeInProgress(self.name.clone()));
        }
        self.purged_at = Some(now);
        self.queue.purge();
        self.duplicates.clear();
        Ok(())
    }

    pub(in crate::service) fn send(
        &mut self,
        now: Duration,
        message: impl Into<Arc<Message>>,
        delay: Option<Duration>,
    ) -> Result<MessageId, Error> {
        let id = self.queue.send(now, message, delay)?;
        self.wake_receivers();
        Ok(id)
    }

    /// Receives, first of all what is due for a duplicate delivery. Of the
    /// others `duplicates` picks those to be delivered again by a later call.
    pub(super) fn receive(
        &mut self,
        now: Duration,
        options: ReceiveOptions,
        duplicates: &Fault,
    ) -> Result<Received, OverLimit> {
        let mut repeated = Vec::new();
        while repeated.len() < options.max_messages
            && let Some(handle) = self.duplicates.pop_front()
        {
            let timeout = options.visibility_timeout;
            repeated.extend(self.queue.redeliver(now, handle, timeout));
        }
        let max = options.max_messages - repeated.len();
        let mut received = match self.queue.receive(now, max, options.visibility_timeout) {
            Err(OverLimit) if !repeated.is_empty() => Received::default(),
            received => received?,
        };
        let fresh = received
            .messages
            .iter()
            .map(|message| message.receipt_handle);
        let before = self.duplicates.len();
        self.duplicates
            .extend(fresh.filter(|_| duplicates.strikes()));
        if self.duplicates.len() > before {
            self.wake_receivers();
        }
        received.messages.extend(repeated);
        Ok(received)
    }

    pub(in crate::service) fn delete(
        &mut self,
        now: Duration,
        handle: ReceiptHandle,
    ) -> Result<(), Error> {
        self.queue.delete(now, handle)?;
        Ok(())
    }

    pub(in crate::service) fn change_visibility(
        &mut self,
        now: Duration,
        handle: ReceiptHandle,
        timeout: Duration,
    ) -> Result<(), Error> {
        self.queue.change_visibility(now, handle, timeout)?;
        self.wake_receivers();
        Ok(())
    }

    pub(in crate::service) fn accept(&mut self, now: Duration, moved: MovedMessage) {
        self.queue.accept(now, moved);
        self.wake_receivers();
    }

    pub(in crate::service) fn take_visible(&mut self, now: Duration) -> Option<MovedMessage> {
        self.queue.take_visible(now)
    }

    pub(in crate::service) fn next_visible_at(&self) -> Option<Duration> {
        self.queue.next_visible_at()
    }

    /// Completes at the next arrival after this call.
    pub(in crate::service) fn arrived(&self) -> OwnedNotified {
        Arc::clone(&self.arrivals).notified_owned()
    }

    pub(super) fn wake_receivers(&self) {
        self.arrivals.notify_waiters();
    }
}
