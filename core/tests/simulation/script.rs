//! What can happen in a world.
//!
//! A script is made of plain vectors of small numbers, so that proptest can
//! shrink it to the few things that matter.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::world::Port;

/// Everything that happens in one world.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// Decides latencies, jitter and ids.
    pub(crate) seed: u64,
    pub(crate) shape: Shape,
    /// How many connections are there from the beginning, stay, and take what
    /// they get. Every other one listens to the topic.
    pub(crate) crowd: u16,
    /// Connections that have a story.
    pub(crate) members: Vec<Member>,
    pub(crate) publishes: Vec<Publish>,
    /// What the gateway says to everybody, for a while.
    pub(crate) spells: Vec<Spell>,
    /// What happens to single calls.
    pub(crate) faults: BTreeMap<(Port, u16), Fault>,
    /// Which deliveries of messages, by number, are made twice.
    pub(crate) duplicates: Vec<u8>,
    /// Which messages sent, by number, arrive late, so that others overtake.
    pub(crate) overtaken: Vec<u8>,
}

/// How the functions are configured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) page_size: u32,
    pub(crate) small_audience: u32,
    pub(crate) segments: u16,
    pub(crate) topic_shards: u16,
    pub(crate) max_in_flight: usize,
    pub(crate) max_outstanding: usize,
    /// Pushes a second, for each worker of either lane.
    pub(crate) share: u32,
    pub(crate) burst: u32,
    /// Workers of a lane: notifications, slices.
    pub(crate) concurrency: (usize, usize),
    pub(crate) function_timeout_ms: u64,
    /// What the account is given, in percent of what the workers may use.
    pub(crate) quota_percent: u32,
}

/// A connection with a story.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub(crate) is_listening: bool,
    pub(crate) opens_ms: u64,
    /// How long it stays; `None`: to the end.
    pub(crate) stays_ms: Option<u64>,
    /// Whether its row is deleted when it closes, as `$disconnect` does, which
    /// may never come.
    pub(crate) is_seen_off: bool,
    /// Whether the same id lives again, this long after it closed.
    pub(crate) returns_after_ms: Option<u64>,
    /// Whether its row says that it has expired: nobody may push to it.
    pub(crate) is_stale: bool,
    pub(crate) behaviour: Behaviour,
}

/// How a connection answers while there are faults.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Behaviour {
    Accepts,
    /// Its buffer is full: 429, always.
    Clogged,
    /// The same, and the gateway says when to come again.
    ComeBack {
        after_ms: u64,
    },
    /// The gateway says 410 though it is open.
    FalselyGone,
    /// The first so many attempts fail; the payload did not arrive.
    Lossy {
        attempts: u8,
    },
    /// The first so many attempts fail; the payload did arrive.
    Ambiguous {
        attempts: u8,
    },
    /// Every call takes this long, or the attempt timeout.
    Slow {
        ms: u64,
    },
    Rejects,
}

/// A message that somebody puts on the notifications queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Publish {
    pub(crate) at_ms: u64,
    pub(crate) what: What,
    pub(crate) ttl_seconds: Option<u32>,
    /// When it is cancelled; `None`: never.
    pub(crate) cancelled_after_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Everyone,
    Topic,
    /// To one connection: a number, counted round.
    Connection(u16),
    /// To everyone, in the words of the previous release.
    PreviousRelease,
    /// A task of version 0.
    TooOld,
    Garbage,
}

/// A while in which the gateway answers everybody alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spell {
    pub(crate) from_ms: u64,
    pub(crate) for_ms: u64,
    pub(crate) answer: SpellAnswer,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum SpellAnswer {
    Throttled,
    Forbidden,
    TooLarge,
    ServerError,
}

/// What happens to one call of a port.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The answer is an error, whether or not the call had its effect.
    Error {
        takes_effect: bool,
    },
    /// The process dies: before the request is sent, or when the answer comes.
    Death {
        takes_effect: bool,
    },
    Slow {
        ms: u64,
    },
}

impl Spell {
    pub(crate) fn is_at(&self, time: Duration) -> bool {
        let from = Duration::from_millis(self.from_ms);
        (from..from + Duration::from_millis(self.for_ms)).contains(&time)
    }
}

impl What {
    /// Whether no release can read it.
    pub(crate) fn is_garbage(self) -> bool {
        matches!(self, Self::TooOld | Self::Garbage)
    }
}
