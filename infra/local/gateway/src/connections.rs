//! The open connections of a WebSocket API, by id.

pub(crate) mod outbox;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use self::outbox::{CloseRequest, Outbox, Payload, Refused};
use crate::ids::ConnectionId;
use crate::sync::lock;

/// How many locks the registry is spread over.
const SHARDS: usize = 64;

/// One connection, as its socket's task and the management API share it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    /// When the handshake began.
    pub(crate) connected_at: Timestamp,
    pub(crate) source_ip: IpAddr,
    pub(crate) user_agent: Option<Box<str>>,
    /// The host that the client connected to.
    pub(crate) domain_name: Box<str>,
    /// What the authorizer said, for every later event.
    pub(crate) authorizer: Option<serde_json::Map<String, serde_json::Value>>,
    /// The last traffic in either direction, in milliseconds of the gateway's
    /// clock.
    pub(crate) last_active_ms: AtomicU64,
    pub(crate) sink: Sink,
}

/// Where a connection's pushes go.
#[derive(Debug)]
pub(crate) enum Sink {
    /// To a socket, by way of its task.
    Socket(Outbox),
}

impl Connection {
    /// Queues a payload for the client.
    pub(crate) fn push(&self, data: Bytes) -> Result<(), Refused> {
        match &self.sink {
            Sink::Socket(outbox) => outbox.offer(Payload::new(data)),
        }
    }

    /// Asks for the connection to be closed; `false` if it is closed already.
    pub(crate) fn close(&self, request: CloseRequest) -> bool {
        match &self.sink {
            Sink::Socket(outbox) => outbox.close(request),
        }
    }

    /// Whether pushes are still taken.
    pub(crate) fn is_open(&self) -> bool {
        match &self.sink {
            Sink::Socket(outbox) => outbox.is_open(),
        }
    }

    /// Notes traffic at `elapsed` of the gateway's clock.
    pub(crate) fn touch(&self, elapsed: Duration) {
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self.last_active_ms.fetch_max(millis, Ordering::Relaxed);
    }

    /// The last traffic, as a time of the gateway's clock.
    pub(crate) fn last_active(&self) -> Duration {
        Duration::from_millis(self.last_active_ms.load(Ordering::Relaxed))
    }
}

type Shard = Mutex<HashMap<ConnectionId, Arc<Connection>>>;

/// A map from connection ids to connections, spread over many locks.
#[derive(Debug)]
pub(crate) struct Connections {
    shards: Box<[Shard]>,
}

impl Connections {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
        }
    }

    pub(crate) fn insert(&self, connection: Arc<Connection>) {
        if let Some(shard) = self.shard(connection.id) {
            lock(shard).insert(connection.id, connection);
        }
    }

    /// Forgets a connection and closes it for pushes. Returns those that were
    /// accepted and have not been sent.
    pub(crate) fn retire(&self, connection: &Connection) -> VecDeque<Payload> {
        if let Some(shard) = self.shard(connection.id) {
            lock(shard).remove(&connection.id);
        }
        match &connection.sink {
            Sink::Socket(outbox) => outbox.seal(),
        }
    }

    /// The connection with this id, unless it is closed or closing.
    pub(crate) fn get(&self, id: ConnectionId) -> Option<Arc<Connection>> {
        let found = lock(self.shard(id)?).get(&id).cloned();
        found.filter(|connection| connection.is_open())
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Asks for every connection to be closed.
    pub(crate) fn close_all(&self, request: CloseRequest) {
        for shard in &self.shards {
            // Not under the lock: closing wakes the socket's task, which may
            // want to remove itself at once.
            let connections: Vec<_> = lock(shard).values().cloned().collect();
            for connection in connections {
                connection.close(request);
            }
        }
    }

    fn shard(&self, id: ConnectionId) -> Option<&Shard> {
        self.shards.get(id.bucket(self.shards.len()))
    }
}
