//! The whole pipeline, as its users meet it: the real executable, real
//! processes, real sockets.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

mod actions;
mod cold_start;
mod contract;
mod faults;
mod frames;
mod identity;
mod lifecycle;
mod operating;
mod publisher;
mod publishing;
mod scale;
mod stack;
mod subscriptions;
mod suite;
mod tracing;
