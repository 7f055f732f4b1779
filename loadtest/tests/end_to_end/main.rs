//! The load test against a server whose every fault is planned.

#![expect(
    clippy::unwrap_used,
    reason = "the lint's exception for tests does not reach their functions and servers"
)]

mod counts;
mod exit_codes;
mod reporting;
mod server;
