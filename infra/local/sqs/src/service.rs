//! Many named queues on the wall clock.

mod attributes;
mod clock;
mod error;
mod move_task;
mod registry;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fanout_local_faults::Fault;
use tokio::sync::futures::OwnedNotified;
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use self::attributes::{InvalidAttribute, QueueAttributes, RedrivePolicy};
use self::clock::Clock;
pub use self::error::{Error, MoveTaskError};
pub use self::move_task::{MoveTask, MoveTaskRequest, MoveTaskStatus};
use self::registry::Registry;
use crate::message::Message;
use crate::queue::{Counts, MAX_VISIBILITY_TIMEOUT, MessageId, ReceiptHandle, ReceivedMessage};

/// How soon a long poll looks again while too many messages are in flight.
const OVER_LIMIT_RETRY: Duration = Duration::from_secs(1);

/// The queues of one account in one Region: a handle that is cheap to clone.
///
/// Queues are addressed by name. Times are spans since the Unix epoch, counted
/// by Tokio's clock from when the service was made: a sleep of the machine is
/// not counted, so that what was in flight before is in flight after it. The
/// last handle to be dropped stops the message move tasks.
#[derive(Clone)]
pub struct Sqs {
    inner: Arc<Inner>,
}

struct Inner {
    account_id: String,
    region: String,
    duplicate_delivery: Fault,
    clock: Clock,
    registry: Mutex<Registry>,
    move_tasks: Mutex<JoinSet<()>>,
}

/// How to receive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReceiveOptions {
    /// The most messages to return. The wire allows 1 to 10; in process there
    /// is no limit.
    pub max_messages: usize,
    /// How long to wait for a first message.
    pub wait: Duration,
    /// How long to hide what is received, if not for the queue's own timeout;
    /// at most 12 hours.
    pub visibility_timeout: Option<Duration>,
}

impl Default for ReceiveOptions {
    /// One message, without waiting.
    fn default() -> Self {
        Self {
            max_messages: 1,
            wait: Duration::ZERO,
            visibility_timeout: None,
        }
    }
}

/// A queue as it is described to its owner.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QueueDescription {
    /// Its attributes.
    pub attributes: QueueAttributes,
    /// How many messages it holds.
    pub counts: Counts,
    /// When it was created.
    pub created_at: Duration,
    /// When its attributes were last set.
    pub modified_at: Duration,
}

/// What one look into a queue found.
enum Look {
    Found(Vec<ReceivedMessage>),
    /// Nothing yet: something may be there when `arrived` completes or at
    /// `visible_at`.
    Nothing {
        arrived: OwnedNotified,
        visible_at: Option<Duration>,
    },
}

impl Sqs {
    /// Makes a service without queues. `duplicate_delivery` decides which
    /// received messages are delivered once more while in flight.
    #[must_use]
    pub fn new(
        account_id: impl Into<String>,
        region: impl Into<String>,
        duplicate_delivery: Fault,
    ) -> Self {
        let inner = Inner {
            account_id: account_id.into(),
            region: region.into(),
            duplicate_delivery,
            clock: Clock::new(),
            registry: Mutex::default(),
            move_tasks: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Creates a queue, or finds that it is there with the same attributes.
    /// Its dead-letter queue must exist already.
    ///
    /// # Errors
    /// When the name or an attribute is invalid, when the dead-letter queue does
    /// not exist or is the queue itself, or when the queue exists with other
    /// attributes.
    pub fn create_queue(&self, name: &str, attributes: QueueAttributes) -> Result<(), Error> {
        let attributes = self.canonical(name, attributes)?;
        let (mut registry, now) = self.inner.lock();
        registry.create(name, attributes, now)
    }

    /// Deletes a queue with everything in it.
    pub fn delete_queue(&self, name: &str) -> Result<(), Error> {
        self.registry().delete(name)
    }

    /// The names of all queues that begin with `prefix`, in order.
    #[must_use]
    pub fn queue_names(&self, prefix: &str) -> Vec<String> {
        let registry = self.registry();
        let names = registry.names().filter(|name| name.starts_with(prefix));
        names.cloned().collect()
    }

    /// The names of the queues whose dead letters go to this one, in order.
    pub fn dead_letter_sources(&self, name: &str) -> Result<Vec<String>, Error> {
        self.registry().dead_letter_sources(name)
    }

    /// The URL of a queue under the base URL at which the service listens, such
    /// as `http://127.0.0.1:9324`. The service takes URLs with any base.
    pub fn queue_url(&self, base_url: &str, name: &str) -> Result<String, Error> {
        self.registry().entry(name)?;
        let account_id = &self.inner.account_id;
        Ok(format!("{base_url}/{account_id}/{name}"))
    }

    /// The ARN of a queue.
    pub fn queue_arn(&self, name: &str) -> Result<String, Error> {
        self.registry().entry(name)?;
        Ok(self.inner.arn(name))
    }

    /// Describes a queue.
    pub fn describe(&self, name: &str) -> Result<QueueDescription, Error> {
        let (mut registry, now) = self.inner.lock();
        Ok(registry.entry_mut(name)?.describe(now))
    }

    /// Replaces the attributes of a queue.
    ///
    /// # Errors
    /// When there is no such queue, when an attribute is invalid, or when the
    /// dead-letter queue does not exist or is the queue itself.
    pub fn set_attributes(&self, name: &str, attributes: QueueAttributes) -> Result<(), Error> {
        let attributes = self.canonical(name, attributes)?;
        let (mut registry, now) = self.inner.lock();
        registry.set_attributes(name, attributes, now)
    }

    /// Drops every message of a queue.
    ///
    /// # Errors
    /// When there is no such queue, or it was purged in the last 60 seconds.
    pub fn purge(&self, name: &str) -> Result<(), Error> {
        let (mut registry, now) = self.inner.lock();
        registry.entry_mut(name)?.purge(now)
    }

    /// Counts the messages of a queue.
    pub fn counts(&self, name: &str) -> Result<Counts, Error> {
        Ok(self.describe(name)?.counts)
    }

    /// Sends a message, hidden for `delay` or else for the queue's own delay.
    ///
    /// # Errors
    /// When there is no such queue, or the message or its delay is beyond the
    /// limits.
    pub fn send(
        &self,
        name: &str,
        message: impl Into<Arc<Message>>,
        delay: Option<Duration>,
    ) -> Result<MessageId, Error> {
        let (mut registry, now) = self.inner.lock();
        registry.entry_mut(name)?.send(now, message, delay)
    }

    /// Receives messages, waiting for a first one if there is none. What was
    /// received too often goes to the dead-letter queue instead.
    ///
    /// # Errors
    /// When there is no such queue, when the visibility timeout is too long, or
    /// when too many messages are in flight; a long poll waits that out.
    ///
    /// # Cancel safety
    /// Dropping the future leaves no message in flight: messages are taken only
    /// in the step that returns them.
    pub async fn receive(
        &self,
        name: &str,
        options: ReceiveOptions,
    ) -> Result<Vec<ReceivedMessage>, Error> {
        if options.visibility_timeout > Some(MAX_VISIBILITY_TIMEOUT) {
            return Err(Error::VisibilityTimeoutTooLong);
        }
        let deadline = Instant::now() + options.wait;
        loop {
            let (arrived, visible_at) = match self.look(name, options)? {
                Look::Found(messages) => return Ok(messages),
                Look::Nothing {
                    arrived,
                    visible_at,
                } => (arrived, visible_at),
            };
            if Instant::now() >= deadline {
                return Ok(Vec::new());
            }
            let visible_at = visible_at.map(|at| self.inner.clock.instant(at));
            let wake_at = visible_at.map_or(deadline, |at| at.min(deadline));
            tokio::select! {
                () = arrived => {}
                () = tokio::time::sleep_until(wake_at) => {}
            }
        }
    }

    /// Deletes the message that `handle` is the most recent handle of; a stale
    /// handle deletes nothing and is no error.
    ///
    /// # Errors
    /// When there is no such queue, or the handle is not one of it.
    pub fn delete(&self, name: &str, handle: ReceiptHandle) -> Result<(), Error> {
        let (mut registry, now) = self.inner.lock();
        registry.entry_mut(name)?.delete(now, handle)
    }

    /// Hides a message in flight for `timeout` from now, at most 12 hours since
    /// it was received; zero makes it visible.
    ///
    /// # Errors
    /// When there is no such queue, or the message is not in flight under this
    /// handle.
    pub fn change_visibility(
        &self,
        name: &str,
        handle: ReceiptHandle,
        timeout: Duration,
    ) -> Result<(), Error> {
        let (mut registry, now) = self.inner.lock();
        let entry = registry.entry_mut(name)?;
        entry.change_visibility(now, handle, timeout)
    }

    fn look(&self, name: &str, options: ReceiveOptions) -> Result<Look, Error> {
        let inner = &self.inner;
        let (mut registry, now) = inner.lock();
        let duplicates = &inner.duplicate_delivery;
        let arn = |name: &str| inner.arn(name);
        match registry.receive(name, now, options, duplicates, arn) {
            Err(Error::OverLimit(_)) if !options.wait.is_zero() => Ok(Look::Nothing {
                arrived: registry.entry(name)?.arrived(),
                visible_at: Some(now.saturating_add(OVER_LIMIT_RETRY)),
            }),
            Err(error) => Err(error),
            Ok(messages) if messages.is_empty() => {
                let entry = registry.entry(name)?;
                Ok(Look::Nothing {
                    arrived: entry.arrived(),
                    visible_at: entry.next_visible_at(),
                })
            }
            Ok(messages) => Ok(Look::Found(messages)),
        }
    }

    /// Checks attributes, and turns the ARN of a dead-letter queue into its
    /// name.
    fn canonical(
        &self,
        name: &str,
        mut attributes: QueueAttributes,
    ) -> Result<QueueAttributes, Error> {
        if let Some(redrive) = &mut attributes.redrive {
            let given = redrive.dead_letter_queue.as_str();
            redrive.dead_letter_queue = self.inner.name_of_arn(given).unwrap_or(given).to_owned();
        }
        attributes.check()?;
        if let Some(redrive) = &attributes.redrive {
            let target = &redrive.dead_letter_queue;
            if target == name || self.registry().entry(target).is_err() {
                return Err(Error::NoDeadLetterQueue(target.clone()));
            }
        }
        Ok(attributes)
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.inner.lock().0
    }
}

impl Inner {
    /// Locks the queues and reads the clock, in this order, so that the time
    /// never goes back for a queue.
    fn lock(&self) -> (MutexGuard<'_, Registry>, Duration) {
        let registry = self.registry.lock();
        let registry = registry.unwrap_or_else(PoisonError::into_inner);
        (registry, self.clock.now())
    }

    fn arn(&self, name: &str) -> String {
        format!("{}{name}", self.arn_prefix())
    }

    /// The name in an ARN of this account and Region.
    fn name_of_arn<'a>(&self, arn: &'a str) -> Option<&'a str> {
        arn.strip_prefix(self.arn_prefix().as_str())
    }

    fn arn_prefix(&self) -> String {
        format!("arn:aws:sqs:{}:{}:", self.region, self.account_id)
    }
}

impl fmt::Debug for Sqs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqs")
            .field("account_id", &self.inner.account_id)
            .field("region", &self.inner.region)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
