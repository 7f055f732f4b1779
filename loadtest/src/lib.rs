//! Opens WebSocket subscribers, publishes notifications on an open-loop
//! schedule, and measures how many arrive, and how fast.
//!
//! [`run::run`] is the whole test. The parts that decide and count are pure
//! and take the time as an argument: [`units`], [`schedule`], [`frame`],
//! [`recorder`] with its [`curve`], [`parking`], [`latency`] and [`timeline`], and
//! [`report`] with the objectives of [`slo`]. [`compare`] reads two reports;
//! [`plan`] measures nothing.
//! The parts that touch the network are [`connect`], [`subscribers`],
//! [`publisher`] and [`publishing`]; they meet in a [`recording`].

pub mod causes;
pub mod cli;
pub mod clock;
pub mod compare;
pub mod connect;
pub mod curve;
pub mod exit;
pub mod frame;
pub mod host;
pub mod latency;
pub mod limits;
pub mod parking;
pub mod plan;
pub mod progress;
pub mod publisher;
pub mod publishing;
pub mod recorder;
pub mod recording;
pub mod report;
pub mod reporting;
pub mod run;
pub mod schedule;
pub mod settings;
pub mod slo;
pub mod subscriber_set;
pub mod subscribers;
pub mod timeline;
pub mod units;
