//! Standard SQS queues on one machine.
//!
//! Three layers, each of which can be used alone:
//!
//! - [`queue`]: the state of one queue, as a pure type that takes the time as
//!   an argument. A simulation drives it on virtual time.
//! - [`service`]: [`Sqs`], many named queues on the wall clock, with long
//!   polls, dead-letter queues and message move tasks.
//! - [`wire`]: the AWS JSON 1.0 protocol over HTTP, so that the real SDK talks
//!   to it.
//!
//! Only standard queues exist here: no FIFO queues, no tags, no encryption and
//! no access policies. Signatures must be present but are not verified.

pub mod message;
pub mod queue;
pub mod service;
pub mod wire;

pub use message::Message;
pub use service::Sqs;
