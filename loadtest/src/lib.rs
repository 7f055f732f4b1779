//! Opens WebSocket subscribers, publishes notifications on an open-loop
//! schedule, and measures how many arrive, and how fast.
//!
//! [`run::run`] is the whole test. The parts that decide and count are pure
//! and take the time as an argument: [`units`], [`schedule`], [`body`],
//! [`mark`], [`identity`] with [`frame`], [`topics`], [`recorder`] with its
//! [`curve`], [`parking`], [`latency`] and [`timeline`], [`hlog`] and [`merge`],
//! and [`report`] with the objectives of [`slo`]. The parts that touch the
//! network are [`connect`], [`subscribers`], [`publisher`] and [`publishing`];
//! they meet in a [`recording`]. [`compare`] reads two reports; [`plan`]
//! measures nothing.

pub mod address;
pub mod body;
pub mod causes;
pub mod cli;
pub mod clock;
pub mod compare;
pub mod connect;
pub mod curve;
pub mod exit;
pub mod frame;
pub mod hlog;
pub mod identity;
pub mod interrupt;
pub mod latency;
pub mod limits;
pub mod machine;
pub mod mark;
pub mod merge;
pub mod own_load;
pub mod parking;
pub mod plan;
pub mod progress;
pub mod publisher;
pub mod publishing;
pub mod reading;
pub mod recorder;
pub mod recording;
pub mod report;
pub mod reporting;
pub mod run;
pub mod schedule;
pub mod settings;
pub mod simulated;
pub mod slo;
pub mod slow_readers;
pub mod subscriber_set;
pub mod subscribers;
pub mod timeline;
pub mod tls;
pub mod topics;
pub mod units;
