//! The load test against a server whose every fault is planned.

#![expect(
    clippy::unwrap_used,
    reason = "the lint's exception for tests does not reach their functions and servers"
)]

mod counts;
mod exit_codes;
mod measuring;
mod reporting;
mod server;
mod tls;
