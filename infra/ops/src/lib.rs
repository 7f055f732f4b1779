//! Looks at a deployment from outside, as its users do.
//!
//! [`suite`] holds it to everything that it promises; what it needs is two URLs.

pub mod api;
pub mod aws;
pub mod canary;
pub mod causes;
pub mod cli;
pub mod connector;
pub mod deployment;
pub mod ledger;
pub mod outputs;
pub mod socket;
pub mod suite;
