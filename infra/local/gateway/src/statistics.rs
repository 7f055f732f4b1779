//! What a gateway has seen and done.

use std::sync::atomic::{AtomicU64, Ordering};

/// A reading of a gateway's counters. All but `open_sockets` only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Sockets that are open now.
    pub open_sockets: u64,
    /// Sockets that were let in.
    pub sockets_opened: u64,
    /// Handshakes that were refused: over the rate or the number of sockets, by
    /// the authorizer or by `$connect`.
    pub handshakes_refused: u64,
    /// Messages from clients that were let through.
    pub messages_received: u64,
    /// Messages from clients over the account's rate.
    pub messages_throttled: u64,
    /// Pushes that were accepted. Whether the client got them is another
    /// matter.
    pub pushes_accepted: u64,
    /// Management calls over the account's rate, or struck by a fault.
    pub calls_throttled: u64,
    /// Pushes refused because that client reads too slowly.
    pub pushes_backpressured: u64,
    /// Pushes to connections that do not exist, or struck by a fault.
    pub pushes_gone: u64,
    /// `$disconnect` events handed to the function.
    pub disconnects_reported: u64,
    /// `$disconnect` events that a fault swallowed.
    pub disconnects_lost: u64,
    /// Requests to the HTTP API that were let through.
    pub http_requests: u64,
    /// Requests to the HTTP API over the account's rate.
    pub http_throttled: u64,
}

/// The counters behind [`Statistics`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sockets_opened: Counter,
    pub(crate) handshakes_refused: Counter,
    pub(crate) messages_received: Counter,
    pub(crate) messages_throttled: Counter,
    pub(crate) pushes_accepted: Counter,
    pub(crate) calls_throttled: Counter,
    pub(crate) pushes_backpressured: Counter,
    pub(crate) pushes_gone: Counter,
    pub(crate) disconnects_reported: Counter,
    pub(crate) disconnects_lost: Counter,
    pub(crate) http_requests: Counter,
    pub(crate) http_throttled: Counter,
}

impl Counters {
    pub(crate) fn read(&self, open_sockets: u64) -> Statistics {
        Statistics {
            open_sockets,
            sockets_opened: self.sockets_opened.read(),
            handshakes_refused: self.handshakes_refused.read(),
            messages_received: self.messages_received.read(),
            messages_throttled: self.messages_throttled.read(),
            pushes_accepted: self.pushes_accepted.read(),
            calls_throttled: self.calls_throttled.read(),
            pushes_backpressured: self.pushes_backpressured.read(),
            pushes_gone: self.pushes_gone.read(),
            disconnects_reported: self.disconnects_reported.read(),
            disconnects_lost: self.disconnects_lost.read(),
            http_requests: self.http_requests.read(),
            http_throttled: self.http_throttled.read(),
        }
    }
}

/// A number that is only counted up.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
