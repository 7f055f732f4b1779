//! Looks at a deployment from outside, as its users do.
//!
//! [`suite`] holds it to everything that it promises; what it needs is two URLs.
//! [`doctor`] names what is wrong with it, by its stack's [`outputs`]. [`queues`]
//! redrives and drains, and [`canary`] sends one notification the whole way.

pub mod api;
pub mod aws;
pub mod canary;
pub mod causes;
pub mod cli;
pub mod connector;
pub mod deployment;
pub mod doctor;
pub mod ledger;
pub mod outputs;
pub mod queues;
pub mod socket;
pub mod suite;
