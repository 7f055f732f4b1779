//! The ports in memory, for tests: a store that behaves as the tables do, and
//! queues that keep what was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::audience::{Audience, Cursor, Listeners, Page, Slice};
use crate::clock::Clock;
use crate::connection::{Connection, ConnectionId, Recipient};
use crate::idempotency::{IdempotencyKey, KEPT_FOR};
use crate::ledger::{
    Begun, Entry, Lease, Ledger, LedgerError, PartStanding, PartState, PartSummary, Progress,
    Record, Standing,
};
use crate::notification::{Notification, NotificationId};
use crate::notifications::{Notifications, Recorded};
use crate::queue::{Lane, QueueError, TaskQueue};
use crate::store::{Counted, Forget, Registry, Relistened, StoreError};
use crate::task::{Part, Task};
use crate::topic::Topic;

/// The tables in memory. Clones share them.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    clock: Clock,
    topic_shards: u16,
    tables: Arc<Mutex<Tables>>,
}

#[derive(Debug, Default)]
struct Tables {
    connections: BTreeMap<ConnectionId, Connection>,
    notifications: BTreeMap<NotificationId, NotificationRow>,
    keys: BTreeMap<String, KeyRow>,
    /// The last window in which a connection sent messages, and how many.
    messages: BTreeMap<ConnectionId, (i64, u32)>,
    parts: BTreeMap<(NotificationId, Part), PartRow>,
}

#[derive(Clone, Debug)]
struct NotificationRow {
    notification: Notification,
    cancel_requested_at: Option<Timestamp>,
}

/// What was recorded under an idempotency key.
#[derive(Clone, Debug)]
struct KeyRow {
    fingerprint: String,
    /// None for a key that was only claimed.
    recorded: Option<NotificationId>,
    accepted_at: Timestamp,
    is_enqueued: bool,
}

#[derive(Clone, Debug, Default)]
struct PartRow {
    owner: String,
    lease_until: Option<Timestamp>,
    /// The number of the lease's last entry.
    entries: u32,
    progress: Option<Progress>,
    started_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
}

impl MemoryStore {
    /// Makes empty tables.
    #[must_use]
    pub fn new(clock: Clock, topic_shards: u16) -> Self {
        Self {
            clock,
            topic_shards,
            tables: Arc::default(),
        }
    }

    /// Returns the ids of all stored connections, sorted.
    #[must_use]
    pub fn connection_ids(&self) -> Vec<ConnectionId> {
        self.tables().connections.keys().cloned().collect()
    }

    /// Returns the summaries of a notification's parts.
    #[must_use]
    pub fn parts(&self, id: NotificationId) -> Vec<(Part, PartSummary)> {
        let tables = self.tables();
        let parts = tables.parts.iter().filter(|((of, _), _)| *of == id);
        parts
            .map(|((_, part), row)| (part.clone(), row.summary()))
            .collect()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_in(&self, slice: &Slice, connection: &Connection) -> bool {
        match slice {
            // Any split will do that gives each connection one segment.
            Slice::Everyone { segment, of } => Topic::shard_of(&connection.id, *of) == *segment,
            Slice::Topic { topic, shard } => {
                connection
                    .subscriptions()
                    .any(|listened| listened == *topic)
                    && Topic::shard_of(&connection.id, self.topic_shards) == *shard
            }
            Slice::Connection { id } => connection.id == *id,
        }
    }
}

impl PartRow {
    fn summary(&self) -> PartSummary {
        self.progress
            .as_ref()
            .map(Progress::summary)
            .unwrap_or_default()
    }
}

impl Audience for MemoryStore {
    async fn page(
        &self,
        slice: &Slice,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page, StoreError> {
        let now = self.clock.now();
        let from = after.map_or(Bound::Unbounded, |Cursor(id)| Bound::Excluded(id.clone()));
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let tables = self.tables();
        let rows = tables.connections.range((from, Bound::Unbounded));
        let rows = rows.map(|(_, connection)| connection);
        // As DynamoDB does: the limit counts before the filter, and a page that
        // reached it has a key to go on from, whether or not anything follows.
        let read: Vec<_> = rows
            .filter(|connection| self.is_in(slice, connection))
            .take(limit)
            .collect();
        let next = read
            .last()
            .filter(|_| read.len() == limit)
            .map(|last| Cursor(last.id.clone()));
        let live = read.into_iter().filter(|c| c.expires_at > now);
        let recipients = live.map(|connection| Recipient {
            connection_id: connection.id.clone(),
            connected_at: connection.connected_at,
        });
        Ok(Page {
            recipients: recipients.collect(),
            next,
        })
    }
}

impl Listeners for MemoryStore {
    async fn count(&self, topic: &Topic) -> Result<u64, StoreError> {
        let now = self.clock.now();
        let tables = self.tables();
        let live = tables.connections.values().filter(|c| c.expires_at > now);
        let listening = live.filter(|c| c.subscriptions().any(|heard| heard == *topic));
        Ok(listening.count() as u64)
    }
}

impl Registry for MemoryStore {
    async fn open(&self, connection: &Connection) -> Result<(), StoreError> {
        let id = connection.id.clone();
        let mut tables = self.tables();
        tables.messages.remove(&id);
        tables.connections.insert(id, connection.clone());
        Ok(())
    }

    async fn find(&self, id: &ConnectionId) -> Result<Option<Connection>, StoreError> {
        Ok(self.tables().connections.get(id).cloned())
    }

    async fn relisten(
        &self,
        as_read: &Connection,
        topics: &[Topic],
    ) -> Result<Relistened, StoreError> {
        let mut tables = self.tables();
        let stored = tables.connections.get_mut(&as_read.id);
        let is_as_read = |stored: &&mut Connection| {
            let set = |connection: &Connection| -> BTreeSet<Topic> {
                connection.topics.iter().cloned().collect()
            };
            stored.connected_at == as_read.connected_at && set(stored) == set(as_read)
        };
        let Some(stored) = stored.filter(is_as_read) else {
            return Ok(Relistened::Stale);
        };
        stored.topics = topics.to_vec();
        Ok(Relistened::Changed)
    }

    async fn count_message(
        &self,
        sender: &Recipient,
        window: i64,
        most: u32,
    ) -> Result<Counted, StoreError> {
        let mut tables = self.tables();
        let stored = tables.connections.get(&sender.connection_id);
        if stored.is_none_or(|stored| stored.connected_at != sender.connected_at) {
            return Ok(Counted::Unknown);
        }
        let id = sender.connection_id.clone();
        let (counted_in, count) = tables.messages.entry(id).or_insert((window, 0));
        if *counted_in < window {
            (*counted_in, *count) = (window, 0);
        }
        if *count >= most {
            return Ok(Counted::Over);
        }
        *count += 1;
        Ok(Counted::Within)
    }
}

impl Forget for MemoryStore {
    async fn forget(&self, gone: &[Recipient], _topic: Option<&Topic>) -> Result<(), StoreError> {
        let mut tables = self.tables();
        for gone in gone {
            let id = &gone.connection_id;
            let stored = tables.connections.get(id);
            if stored.is_some_and(|stored| stored.connected_at == gone.connected_at) {
                tables.connections.remove(id);
                tables.messages.remove(id);
            }
        }
        Ok(())
    }
}

impl Notifications for MemoryStore {
    async fn record(&self, notification: &Notification) -> Result<(), StoreError> {
        self.tables().record(notification);
        Ok(())
    }

    async fn record_once(
        &self,
        notification: &Notification,
        key: &IdempotencyKey,
    ) -> Result<Recorded, StoreError> {
        let mut tables = self.tables();
        let is_kept = |row: &&KeyRow| row.accepted_at + KEPT_FOR > notification.time;
        if let Some(earlier) = tables.keys.get(key.name()).filter(is_kept) {
            return tables.recorded_before(key, earlier);
        }
        let row = KeyRow {
            fingerprint: key.fingerprint().to_owned(),
            recorded: Some(notification.id),
            accepted_at: notification.time,
            is_enqueued: false,
        };
        tables.keys.insert(key.name().to_owned(), row);
        tables.record(notification);
        Ok(Recorded::New)
    }

    async fn claim(&self, key: &IdempotencyKey, now: Timestamp) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let is_kept = |row: &&KeyRow| row.accepted_at + KEPT_FOR > now;
        if let Some(earlier) = tables.keys.get(key.name()).filter(is_kept) {
            return Ok(earlier.fingerprint == key.fingerprint());
        }
        let row = KeyRow {
            fingerprint: key.fingerprint().to_owned(),
            recorded: None,
            accepted_at: now,
            is_enqueued: false,
        };
        tables.keys.insert(key.name().to_owned(), row);
        Ok(true)
    }

    async fn note_enqueued(&self, key: &IdempotencyKey) -> Result<(), StoreError> {
        if let Some(row) = self.tables().keys.get_mut(key.name()) {
            row.is_enqueued = true;
        }
        Ok(())
    }

    async fn cancel(&self, id: NotificationId, now: Timestamp) -> Result<(), StoreError> {
        if let Some(row) = self.tables().notifications.get_mut(&id) {
            row.cancel_requested_at.get_or_insert(now);
        }
        Ok(())
    }

    async fn standing(&self, id: NotificationId) -> Result<Option<Standing>, StoreError> {
        let tables = self.tables();
        let parts = tables.parts.iter().filter(|((of, _), _)| *of == id);
        let parts = parts.map(|(_, row)| PartStanding {
            summary: row.summary(),
            started_at: row.started_at,
            updated_at: row.updated_at,
        });
        let recorded = tables.notifications.get(&id);
        Ok(recorded.map(|row| Standing::of(&row.record(), parts)))
    }
}

impl Ledger for MemoryStore {
    async fn begin(
        &self,
        lease: &Lease,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Begun, StoreError> {
        let mut tables = self.tables();
        let key = (lease.notification_id, lease.part.clone());
        let row = tables.parts.entry(key).or_default();
        if row.summary().state == PartState::Done {
            return Ok(Begun::Done);
        }
        let held = row.lease_until.filter(|held| *held > now);
        if let Some(held) = held.filter(|_| row.owner != lease.owner) {
            return Ok(Begun::Held(held));
        }
        row.owner.clone_from(&lease.owner);
        row.lease_until = Some(until);
        row.entries = 0;
        row.started_at.get_or_insert(now);
        let progress = row.progress.clone();
        Ok(Begun::Taken {
            progress,
            is_cancelled: tables.is_cancelled(lease.notification_id),
        })
    }

    async fn write(&self, lease: &Lease, entry: &Entry) -> Result<(), LedgerError> {
        let mut tables = self.tables();
        let key = (lease.notification_id, lease.part.clone());
        let row = tables.parts.get_mut(&key);
        let is_writable =
            |row: &&mut PartRow| row.owner == lease.owner && row.entries <= entry.number;
        let Some(row) = row.filter(is_writable) else {
            return Err(LedgerError::LeaseLost {
                notification_id: lease.notification_id,
                part: lease.part.clone(),
            });
        };
        row.entries = entry.number;
        row.progress = Some(entry.progress.clone());
        row.updated_at = Some(entry.written_at);
        if entry.is_last {
            row.lease_until = None;
        }
        Ok(())
    }

    async fn is_cancelled(&self, id: NotificationId) -> Result<bool, StoreError> {
        Ok(self.tables().is_cancelled(id))
    }
}

impl Tables {
    fn record(&mut self, notification: &Notification) {
        let row = NotificationRow {
            notification: notification.clone(),
            cancel_requested_at: None,
        };
        self.notifications.insert(notification.id, row);
    }

    fn is_cancelled(&self, id: NotificationId) -> bool {
        let row = self.notifications.get(&id);
        row.is_some_and(|row| row.cancel_requested_at.is_some())
    }

    fn recorded_before(
        &self,
        key: &IdempotencyKey,
        earlier: &KeyRow,
    ) -> Result<Recorded, StoreError> {
        let Some(id) = earlier
            .recorded
            .filter(|_| earlier.fingerprint == key.fingerprint())
        else {
            return Ok(Recorded::OtherRequest);
        };
        let not_enqueued = if earlier.is_enqueued {
            None
        } else {
            let row = self.notifications.get(&id).ok_or_else(|| StoreError {
                operation: "read what was recorded under an idempotency key",
                detail: format!("notification {id} is not there"),
            })?;
            Some(Box::new(row.notification.clone()))
        };
        Ok(Recorded::Again {
            id,
            accepted_at: earlier.accepted_at,
            not_enqueued,
        })
    }
}

impl NotificationRow {
    fn record(&self) -> Record {
        Record {
            id: self.notification.id,
            accepted_at: self.notification.time,
            expires_at: self.notification.expires_at,
            cancel_requested_at: self.cancel_requested_at,
        }
    }
}

/// Queues that keep what was sent. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryQueues {
    sent: Arc<Mutex<Vec<(Lane, Duration, Task)>>>,
}

impl MemoryQueues {
    /// Takes out everything that was sent, in order.
    #[must_use]
    pub fn take(&self) -> Vec<(Lane, Duration, Task)> {
        std::mem::take(&mut self.sent.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl TaskQueue for MemoryQueues {
    async fn send(&self, lane: Lane, tasks: &[Task], delay: Duration) -> Result<(), QueueError> {
        let tasks = tasks.iter().map(|task| (lane, delay, task.clone()));
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.extend(tasks);
        Ok(())
    }
}
