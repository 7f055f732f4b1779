//! Connections to one endpoint, and requests on them.
//!
//! Over HTTP/1.1 a connection carries one request at a time, and is driven by
//! whoever waits for the answer: there is no task beside, and a request that is
//! dropped takes its connection along. Over HTTP/2 several connections share
//! what is in flight.

mod connect;
mod exchange;
mod http1;
mod http2;

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::Response;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, Semaphore};

use self::connect::{ConnectError, Connected, Connector};
use self::exchange::{Failure, Fault};
use self::http1::Http1;
use self::http2::{Http2, Stream, Tasks};
use super::endpoint::Endpoint;
use super::post::Post;

/// How many connections are opened at a time, once it is known that each will
/// carry one request: handshakes cost CPU, and most of those who wait for one
/// are served by a connection that is free before.
const OPENING_AT_ONCE: usize = 32;
/// How long a connection may have rested and be used again. Behind one that
/// rested longer, such as while the execution environment was frozen, there may
/// be nobody any more, and a push would be lost in finding out.
const LONGEST_REST: SignedDuration = SignedDuration::from_secs(20);

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// There is no connection to send it on.
    #[error("cannot connect")]
    Connect(#[source] ConnectError),
    /// The connection failed before the head of an answer came. The request may
    /// have arrived.
    #[error("no answer")]
    Lost(#[source] Fault),
    /// The connection failed within an answer.
    #[error("the answer broke off")]
    Cut(#[source] Fault),
}

/// Connections to one endpoint.
///
/// The first is opened alone, and tells which protocol is spoken; the others
/// are opened as requests need them.
pub(super) struct Pool {
    connector: Connector,
    endpoint: Endpoint,
    in_flight: Semaphore,
    opening: Semaphore,
    /// A connection has room for a request.
    freed: Notify,
    open: Mutex<Open>,
    tasks: Tasks,
}

/// What is open and has room.
#[derive(Default)]
struct Open {
    /// Those of HTTP/1.1 that nobody uses, the latest used last.
    idle: Vec<(Box<Http1>, Timestamp)>,
    /// All of HTTP/2.
    shared: Vec<Http2>,
    is_http1_seen: bool,
}

/// Room for one request.
enum Room {
    Http1(Box<Http1>),
    Http2(Stream),
}

impl Pool {
    /// Makes a pool that holds at most `max_in_flight` requests, and so many
    /// connections; more requests wait.
    ///
    /// # Errors
    /// The endpoint is `https`, and this system trusts no certificates.
    pub(super) fn new(endpoint: &Endpoint, max_in_flight: usize) -> std::io::Result<Self> {
        let connector = connect::connector(endpoint.is_https())?;
        Ok(Self::through(connector, endpoint, max_in_flight))
    }

    fn through(connector: Connector, endpoint: &Endpoint, max_in_flight: usize) -> Self {
        Self {
            connector,
            endpoint: endpoint.clone(),
            in_flight: Semaphore::new(max_in_flight),
            opening: Semaphore::new(1),
            freed: Notify::new(),
            open: Mutex::default(),
            tasks: Tasks::default(),
        }
    }

    /// Opens a connection for requests that are about to come, unless one is open
    /// that has room, or as many are in flight as may be.
    ///
    /// # Errors
    /// [`SendError::Connect`].
    pub(super) async fn warm_up(&self, now: Timestamp) -> Result<(), SendError> {
        let Ok(_in_flight) = self.in_flight.try_acquire() else {
            return Ok(());
        };
        // Never closed: there is always a permit.
        let _opening = self.opening.acquire().await.ok();
        let found = self.open().take(now);
        let (room, used_at) = match found {
            Some(found) => found,
            None => (Box::pin(self.connect(now)).await?, now),
        };
        match room {
            Room::Http1(connection) => self.rest(connection, used_at),
            Room::Http2(stream) => stream.give_back(),
        }
        Ok(())
    }

    /// Sends a request and reads its answer, of whose body no more than 4 KiB are
    /// kept, and of a success over HTTP/1.1 no header. `now` tells which connections
    /// have rested for too long.
    ///
    /// The request is sent again when a connection from before turns out to be
    /// closed, and nothing was written yet.
    ///
    /// # Errors
    /// See [`SendError`].
    ///
    /// # Cancel safety
    /// What is dropped before its answer was read closes its connection, or over
    /// HTTP/2 resets its stream.
    pub(super) async fn send(
        &self,
        now: Timestamp,
        post: Post<'_>,
    ) -> Result<Response<Bytes>, SendError> {
        // Never closed: there is always a permit.
        let _in_flight = self.in_flight.acquire().await.ok();
        loop {
            let (room, is_new) = self.room(now).await?;
            let answered = match room {
                Room::Http1(mut connection) => {
                    let answered = connection.send(self.endpoint.host(), post).await;
                    if connection.is_free() {
                        self.rest(connection, now);
                    }
                    answered
                }
                Room::Http2(stream) => {
                    let answered = stream.send(&self.endpoint, post, now).await;
                    self.freed.notify_one();
                    answered
                }
            };
            match answered {
                Ok(answer) => return Ok(answer),
                Err(Failure::Unsent(_)) if !is_new => {}
                Err(Failure::Unsent(error) | Failure::Lost(error)) => {
                    return Err(SendError::Lost(error));
                }
                Err(Failure::Cut(error)) => return Err(SendError::Cut(error)),
            }
        }
    }

    /// Returns room for a request, and whether its connection is new.
    async fn room(&self, now: Timestamp) -> Result<(Room, bool), SendError> {
        loop {
            if let Some((room, _)) = self.open().take(now) {
                return Ok((room, false));
            }
            // Another request may be done before it is this one's turn.
            let _opening = tokio::select! {
                biased;
                permit = self.opening.acquire() => permit,
                () = self.freed.notified() => continue,
            };
            // While this waited, another may have been done, or opened one.
            if let Some((room, _)) = self.open().take(now) {
                return Ok((room, false));
            }
            // Apart from the request's own future: it is large, and few requests
            // come to it.
            return Ok((Box::pin(self.connect(now)).await?, true));
        }
    }

    /// Opens a connection, and returns room on it.
    async fn connect(&self, now: Timestamp) -> Result<Room, SendError> {
        let origin = self.endpoint.origin();
        let opened = connect::connect(&self.connector, &origin, &self.tasks, now);
        Ok(match opened.await.map_err(SendError::Connect)? {
            Connected::Http1(connection) => {
                let is_first = !std::mem::replace(&mut self.open().is_http1_seen, true);
                if is_first {
                    self.opening.add_permits(OPENING_AT_ONCE - 1);
                }
                Room::Http1(connection)
            }
            Connected::Http2(connection) => {
                let stream = connection.stream();
                self.open().shared.push(connection);
                self.freed.notify_waiters();
                Room::Http2(stream)
            }
        })
    }

    /// Leaves a connection of HTTP/1.1 to whoever comes next.
    fn rest(&self, connection: Box<Http1>, used_at: Timestamp) {
        self.open().idle.push((connection, used_at));
        self.freed.notify_one();
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Takes room for a request, and tells when its connection was used last.
    fn take(&mut self, now: Timestamp) -> Option<(Room, Timestamp)> {
        self.shared.retain(|shared| shared.is_usable(now));
        let with_room = self.shared.iter().filter(|shared| shared.has_room());
        if let Some(shared) = with_room.min_by_key(|shared| shared.streams()) {
            return Some((Room::Http2(shared.stream()), now));
        }
        let (connection, used_at) = self.idle.pop()?;
        if !has_rested_too_long(used_at, now) {
            return Some((Room::Http1(connection), used_at));
        }
        // The others have rested for longer.
        self.idle.clear();
        None
    }
}

fn has_rested_too_long(used_at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(used_at).abs() > LONGEST_REST
}

#[cfg(test)]
mod tests;
