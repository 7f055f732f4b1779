//! The bounds, in one place, beside what was counted when they were set.
//!
//! Instructions are bounded some 15 % above what was counted: another compiler
//! makes others of the same code. Requests are nearly exact: there is room for a
//! few that a slow machine has to repeat. Where the code gets cheaper, tighten
//! the bound.
//!
//! | counted 2026-11-30, rustc 1.95, valgrind 3.19, `x86_64` | unoptimised | optimised |
//! |---|---:|---:|
//! | engine, instructions a push | 16,200 | 3,300 |
//! | engine, allocations a push | 3.16 | 3.16 |
//! | own client, instructions a push | 177,000 | 27,200 |
//! | AWS SDK, instructions a push | 2,790,000 | 428,000 |
//! | workers, instructions a delivery to 4,000 | 274,800 | 34,300 |
//! | workers, instructions a delivery to 16,000 | 257,700 | 30,000 |
//!
//! Those of the optimised clients are of `push`, which has more in flight.
//!
//! A broadcast to 4,000 takes 39 requests to `DynamoDB` and 2 to SQS, one to
//! 16,000 takes 47 and 2, in either build: for each of eight slices and for the
//! whole a handful, one for each page of 1,500 connections, and for each of two
//! workers one or two more for the smaller pages that it begins with. A machine so
//! slow that pushes take over a tenth of a second lets it begin so again: 49 were
//! counted on one.

use std::fmt::{self, Display, Formatter};

use crate::figures::thousands;

/// What work may cost at most.
pub(super) struct Bounds {
    /// Of the engine alone.
    pub(super) engine_instructions: f64,
    pub(super) engine_allocations: f64,
    /// Of this project's client alone.
    pub(super) client_instructions: f64,
    /// Of this project's client, by those of the AWS SDK.
    pub(super) client_by_sdk: f64,
    /// Of all workers, for each delivery of each of the broadcasts, beside those
    /// that hash.
    pub(super) worker_instructions: [f64; 2],
}

/// Those of this build: what is checked with every change is not optimised,
/// since optimising the AWS SDK takes many minutes. Work that is added to the
/// code is added to either.
pub(super) const THIS_BUILD: Bounds = if cfg!(debug_assertions) {
    UNOPTIMISED
} else {
    OPTIMISED
};

const UNOPTIMISED: Bounds = Bounds {
    engine_instructions: 18_600.0,
    engine_allocations: 3.3,
    client_instructions: 203_000.0,
    client_by_sdk: 0.08,
    worker_instructions: [316_000.0, 296_000.0],
};

const OPTIMISED: Bounds = Bounds {
    engine_instructions: 3_800.0,
    engine_allocations: 3.3,
    client_instructions: 31_500.0,
    client_by_sdk: 0.08,
    worker_instructions: [39_500.0, 34_500.0],
};

/// Requests to `@connections` for each delivery.
pub(super) const PUSHES: f64 = 1.01;

/// How many times as many requests a delivery may take in a larger broadcast as
/// in a smaller one.
pub(super) const TIMES_THE_SMALLER: f64 = 1.05;

/// How large two broadcasts are, and the requests that each of them may make.
/// Both are cut into slices, the connections of which fill a third of a page of the
/// table, and one and a third.
pub(super) const BROADCASTS: [Broadcast; 2] = [
    Broadcast {
        connections: 4_000,
        dynamodb: 43.0,
        sqs: 2.0,
    },
    Broadcast {
        connections: 16_000,
        dynamodb: 51.0,
        sqs: 2.0,
    },
];

/// A broadcast that is counted. As text it is its size.
pub(super) struct Broadcast {
    pub(super) connections: u32,
    /// Requests to the tables.
    pub(super) dynamodb: f64,
    /// Requests to the queues, without those that Lambda makes for functions.
    pub(super) sqs: f64,
}

impl Display for Broadcast {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "broadcast to {}", thousands(self.connections.into()))
    }
}
