//! The tables, with the semantics of the adapter to DynamoDB: conditional
//! writes, leases, limits that count before filters.

use std::collections::BTreeMap;
use std::ops::Bound;

use fanout_core::audience::{Audience, Cursor, Page, Slice};
use fanout_core::connection::{ConnectionId, Recipient};
use fanout_core::ledger::{
    Begun, Entry, Lease, Ledger, LedgerError, PartStanding, PartState, PartSummary, Progress,
    Record, Standing,
};
use fanout_core::notification::NotificationId;
use fanout_core::store::{Forget, StoreError};
use fanout_core::task::Part;
use fanout_core::topic::Topic;
use futures::future::join;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::world::{Client, INJECTED, Port, State};

#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) connections: BTreeMap<ConnectionId, Row>,
    notifications: BTreeMap<NotificationId, NotificationRow>,
    parts: BTreeMap<(NotificationId, Part), PartRow>,
}

struct NotificationRow {
    accepted_at: Timestamp,
    is_cancelled: bool,
}

/// A connection's row, and its subscription.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) connected_at: Timestamp,
    pub(crate) is_listening: bool,
    pub(crate) is_stale: bool,
}

#[derive(Clone, Default)]
struct PartRow {
    /// The number of the last entry of its lease.
    entries: u32,
    owner: String,
    lease_until: Option<Timestamp>,
    progress: Option<Progress>,
}

impl Tables {
    pub(crate) fn delete_connection(&mut self, id: &ConnectionId, connected_at: Timestamp) -> bool {
        let stored = self.connections.get(id);
        let is_that_life = stored.is_some_and(|row| row.connected_at == connected_at);
        if is_that_life {
            self.connections.remove(id);
        }
        is_that_life
    }

    pub(crate) fn record(&mut self, id: NotificationId, accepted_at: Timestamp) {
        let row = NotificationRow {
            accepted_at,
            is_cancelled: false,
        };
        self.notifications.insert(id, row);
    }

    /// Cancels a notification; returns whether there is one.
    pub(crate) fn cancel(&mut self, id: NotificationId) -> bool {
        let row = self.notifications.get_mut(&id);
        row.map(|row| row.is_cancelled = true).is_some()
    }

    fn is_cancelled(&self, id: NotificationId) -> bool {
        let row = self.notifications.get(&id);
        row.is_some_and(|row| row.is_cancelled)
    }

    /// How far a part is; `None` if nothing was written.
    pub(crate) fn progress(&self, id: NotificationId, part: &Part) -> Option<&Progress> {
        self.parts.get(&(id, part.clone()))?.progress.as_ref()
    }

    pub(crate) fn standing(&self, id: NotificationId) -> Option<Standing> {
        let record = Record {
            id,
            accepted_at: self.notifications.get(&id)?.accepted_at,
            expires_at: None,
            cancel_requested_at: None,
        };
        let parts = self.parts.iter().filter(|((of, _), _)| *of == id);
        let parts = parts.map(|(_, row)| PartStanding {
            summary: row.summary(),
            ..PartStanding::default()
        });
        Some(Standing::of(&record, parts))
    }

    fn page(&self, slice: &Slice, after: Option<&Cursor>, limit: u32, shards: u16) -> Page {
        let limit = usize::try_from(limit).unwrap();
        let from = after.map_or(Bound::Unbounded, |Cursor(id)| Bound::Excluded(id.clone()));
        let rows = self.connections.range((from, Bound::Unbounded));
        let read: Vec<_> = rows
            .filter(|(id, row)| is_in(slice, id, row, shards))
            .take(limit)
            .collect();
        let last = read.last().filter(|_| read.len() == limit);
        Page {
            next: last.map(|(id, _)| Cursor((*id).clone())),
            recipients: read
                .into_iter()
                .filter(|(_, row)| !row.is_stale)
                .map(|(id, row)| Recipient {
                    connection_id: id.clone(),
                    connected_at: row.connected_at,
                })
                .collect(),
        }
    }

    fn begin(&mut self, lease: &Lease, now: Timestamp, until: Timestamp) -> Begun {
        let key = (lease.notification_id, lease.part.clone());
        let row = self.parts.entry(key).or_default();
        if row.summary().state == PartState::Done {
            return Begun::Done;
        }
        let held = row.lease_until.filter(|held| *held > now);
        if let Some(held) = held.filter(|_| row.owner != lease.owner) {
            return Begun::Held(held);
        }
        row.entries = 0;
        row.owner.clone_from(&lease.owner);
        row.lease_until = Some(until);
        let progress = row.progress.clone();
        Begun::Taken {
            progress,
            is_cancelled: self.is_cancelled(lease.notification_id),
        }
    }

    fn write(&mut self, lease: &Lease, entry: &Entry) -> bool {
        let key = (lease.notification_id, lease.part.clone());
        let row = self.parts.get_mut(&key);
        let is_next = |row: &&mut PartRow| row.owner == lease.owner && row.entries <= entry.number;
        let Some(row) = row.filter(is_next) else {
            return false;
        };
        row.entries = entry.number;
        row.progress = Some(entry.progress.clone());
        if entry.is_last {
            row.lease_until = None;
        }
        true
    }
}

impl PartRow {
    fn summary(&self) -> PartSummary {
        let summary = self.progress.as_ref().map(Progress::summary);
        summary.unwrap_or_default()
    }
}

fn is_in(slice: &Slice, id: &ConnectionId, row: &Row, shards: u16) -> bool {
    match slice {
        Slice::Everyone { segment: 0, of: 1 } => true,
        Slice::Everyone { segment, of } => Topic::shard_of(id, *of) == *segment,
        Slice::Topic { shard, .. } => row.is_listening && Topic::shard_of(id, shards) == *shard,
        Slice::Connection { id: one } => id == one,
    }
}

fn error(operation: &'static str) -> StoreError {
    StoreError {
        operation,
        detail: INJECTED.to_owned(),
    }
}

impl Audience for Client {
    async fn page(
        &self,
        slice: &Slice,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page, StoreError> {
        let (slice, after) = (slice.clone(), after.cloned());
        let shards = self.world.script.shape.topic_shards;
        let read =
            move |state: &mut State, _| state.tables.page(&slice, after.as_ref(), limit, shards);
        let page = self.call(Port::Page, read).await;
        self.state()
            .witness
            .page_ended(self.delivery, page.as_ref().ok(), Instant::now());
        page.map_err(|_| error("read a page of the audience"))
    }
}

impl Forget for Client {
    async fn forget(&self, gone: &[Recipient], _: Option<&Topic>) -> Result<(), StoreError> {
        let (gone, delivery) = (gone.to_vec(), self.delivery);
        self.state().witness.forget_called(delivery, &gone);
        let forget = move |state: &mut State, _| {
            for Recipient {
                connection_id: id,
                connected_at,
            } in gone
            {
                if state.tables.delete_connection(&id, connected_at) {
                    state.witness.forgotten(id);
                }
            }
        };
        let forgotten = self.call(Port::Forget, forget).await;
        self.state()
            .witness
            .forget_ended(delivery, forgotten.is_err(), Instant::now());
        forgotten.map_err(|_| error("delete gone connections"))
    }
}

impl Ledger for Client {
    async fn begin(
        &self,
        lease: &Lease,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Begun, StoreError> {
        let (of, delivery) = (lease.clone(), self.delivery);
        let take = move |state: &mut State, _| {
            let begun = state.tables.begin(&of, now, until);
            state.witness.begun(delivery, &begun);
            begun
        };
        // The root's own row says it; for the others it is looked up beside.
        let looking_up = async {
            if lease.part == Part::root() {
                return None;
            }
            Some(self.is_cancelled(lease.notification_id).await)
        };
        let (mut begun, looked_up) = join(self.call(Port::Begin, take), looking_up).await;
        if let (Ok(Begun::Taken { is_cancelled, .. }), Some(found)) = (&mut begun, looked_up) {
            *is_cancelled = found.unwrap_or(false);
        }
        self.state()
            .witness
            .begin_ended(delivery, begun.as_ref().ok(), Instant::now());
        begun.map_err(|_| error("begin a part of the ledger"))
    }

    async fn write(&self, lease: &Lease, entry: &Entry) -> Result<(), LedgerError> {
        let (of, entry, delivery) = (lease.clone(), entry.clone(), self.delivery);
        let now = Instant::now();
        self.state()
            .witness
            .write_called(delivery, &entry.progress, now);
        let write = move |state: &mut State, _| {
            let is_written = state.tables.write(&of, &entry);
            if is_written {
                state.witness.written(delivery, &entry.progress);
            }
            let standing = state.tables.standing(of.notification_id);
            state.witness.stood(standing);
            is_written
        };
        let written = self.call(Port::Write, write).await;
        self.state()
            .witness
            .write_ended(delivery, written.is_err(), Instant::now());
        match written {
            Ok(true) => Ok(()),
            Ok(false) => Err(LedgerError::LeaseLost {
                notification_id: lease.notification_id,
                part: lease.part.clone(),
            }),
            Err(_) => Err(error("write a part of the ledger").into()),
        }
    }

    async fn is_cancelled(&self, id: NotificationId) -> Result<bool, StoreError> {
        self.state().witness.look_up_called(self.delivery);
        let look_up = move |state: &mut State, _| state.tables.is_cancelled(id);
        let cancelled = self.call(Port::LookUp, look_up).await.ok();
        self.state()
            .witness
            .look_up_ended(self.delivery, cancelled, Instant::now());
        cancelled.ok_or_else(|| error("look up a cancellation"))
    }
}
