//! Pushing one payload to one connection.

use std::time::Duration;

use bytes::Bytes;

use crate::connection::ConnectionId;

/// How one attempt to push ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushOutcome {
    /// The gateway accepted the payload. That does not prove that the client
    /// received it.
    Accepted,
    /// The connection no longer exists: its rows must be deleted.
    Gone,
    /// The gateway asked for fewer requests, be it from the whole account or
    /// to this one connection.
    Throttled {
        /// How long to wait at least, where the gateway said so.
        retry_after: Option<Duration>,
    },
    /// Timeout, reset or server error: the payload may or may not have
    /// arrived.
    Transient {
        /// A metric label, such as `timeout`.
        reason: &'static str,
    },
    /// The payload is larger than the gateway takes: no connection will get
    /// it.
    TooLarge,
    /// The gateway refuses this caller: credentials, permissions or the
    /// endpoint are wrong, and nothing is known about the connection.
    Forbidden,
    /// The same request would fail again for this connection.
    Rejected {
        /// A metric label, such as `unexpected_status`.
        reason: &'static str,
    },
}

/// Pushes payloads to connections: the `@connections` API as a port.
pub trait Pusher {
    /// Gets ready for pushes that are about to come, where that can be done
    /// ahead, and ends within the pusher's attempt timeout. What cannot be done
    /// is left to the pushes to find out.
    fn warm_up(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Makes one attempt to push `payload`, retrying nothing, and ends within
    /// the pusher's attempt timeout.
    fn push(
        &self,
        connection: &ConnectionId,
        payload: &Bytes,
    ) -> impl Future<Output = PushOutcome> + Send;
}
