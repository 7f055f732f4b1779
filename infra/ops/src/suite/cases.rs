//! The cases, by what they are about.

mod access;
mod audience;
mod connections;
mod events;
mod idempotency;
mod ledger;
pub(super) mod refusals;
mod replies;
mod topics;

use super::case::Case;

/// All cases, in the order in which they run.
pub const CASES: &[&[Case]] = &[
    replies::CASES,
    topics::CASES,
    audience::CASES,
    events::CASES,
    ledger::CASES,
    idempotency::CASES,
    refusals::CASES,
    connections::CASES,
    access::CASES,
];
