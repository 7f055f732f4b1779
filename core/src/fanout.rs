//! The engine: pages in, pushes out, a report at the end.
//!
//! [`FanOut::run`] reads what is left of a part, pushes under the pacer and
//! settles everybody it can before it must stop. It does no I/O but through its
//! ports, and keeps time with Tokio's clock alone, so that a test can drive it
//! on virtual time. What it decides, it decides in pure functions: [`retry`]
//! says what follows from an outcome, the book keeps who is where.
//!
//! Memory does not grow with the audience: at most two pages are held, and at
//! most [`Settings::max_outstanding`] recipients are in flight or waiting to be
//! tried again.

mod book;
mod effort;
mod engine;
pub mod pacer;
pub mod retry;

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

pub use self::effort::Effort;
pub use self::engine::{FanOut, Ports};
use crate::ledger::{Lease, LedgerError, Progress};
use crate::store::StoreError;
use crate::topic::Topic;

/// What bounds a run.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many pushes may be in flight at once.
    pub max_in_flight: usize,
    /// How many recipients may be in flight, waiting to be tried again, or
    /// given up on, before nobody else is taken from the audience.
    pub max_outstanding: usize,
    /// How many recipients to read at once.
    pub page_size: u32,
    /// When and how often to try again.
    pub retry: retry::Policy,
    /// When only retries are left and the next is further away than this, the
    /// run ends, and they go back to the queue instead of holding a worker.
    pub patience: Duration,
    /// How often progress is written to the ledger, and how often a run asks
    /// whether its notification was cancelled.
    pub checkpoint_every: Duration,
    /// A connection younger than this that is gone may still be in its
    /// handshake: it counts as gone, but is not forgotten.
    pub handshake_grace: Duration,
}

/// What a run is asked to do.
#[derive(Clone, Debug)]
pub struct Job {
    /// The part that is settled.
    pub lease: Lease,
    /// Where it stands.
    pub progress: Progress,
    /// What is pushed.
    pub payload: Bytes,
    /// The topic in whose audience the recipients are, where there is one.
    pub topic: Option<Topic>,
    /// When to stop starting pushes.
    pub stop_at: Instant,
    /// When to stop waiting for anything: who is in flight then counts as not
    /// settled.
    pub end_by: Instant,
    /// When the notification expires.
    pub expires_at: Option<Instant>,
    /// Whether it was cancelled before the run began. Later, the run finds out
    /// itself, as often as it writes checkpoints.
    pub is_cancelled: bool,
}

/// How a run went.
#[derive(Debug)]
pub struct Report {
    /// Where the part stands now. It was not written to the ledger yet.
    pub progress: Progress,
    /// Why the run ended.
    pub ending: Ending,
    /// Whether anybody was tried or settled, or the audience read on.
    pub has_advanced: bool,
    /// How many checkpoints were begun: the number of the last write.
    pub checkpoints: u32,
    /// What it took.
    pub effort: Effort,
}

/// Why a run ended.
#[derive(Debug)]
pub enum Ending {
    /// Everybody is settled.
    Complete,
    /// The time was up.
    OutOfTime,
    /// Only retries are left, and the first is due after this.
    Waiting(Duration),
    /// Those who are left have used up their attempts.
    Exhausted,
    /// The gateway refuses this caller.
    Forbidden,
    /// The audience could not be read on.
    Unreadable(StoreError),
    /// The lease was lost: another worker has the part.
    LeaseLost(LedgerError),
}
