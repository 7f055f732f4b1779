//! The domain of the notification fan-out.
//!
//! A publisher's request becomes a [`notification::Notification`], the
//! notification a [`task::Task`] on a queue, and the task is worked off by
//! [`worker::Worker`]: it reads the audience page by page, pushes through the
//! engine in [`fanout`], and settles every connection in the [`ledger`].
//!
//! The engine reaches the world only through ports (traits): the audience, the
//! registry of connections, the ledger, the queues and the pusher. Their
//! adapters to AWS stand in `aws`, behind the feature of that name; status
//! codes and SDK errors appear nowhere else.

pub mod action;
pub mod audience;
#[cfg(feature = "aws")]
pub mod aws;
pub mod clock;
pub mod connection;
pub mod distribution;
pub mod fanout;
pub mod idempotency;
pub mod identity;
pub mod ledger;
#[cfg(any(test, feature = "memory"))]
pub mod memory;
pub mod notification;
pub mod notifications;
pub mod problem;
pub mod publish;
pub mod push;
pub mod queue;
pub mod settings;
pub mod socket;
pub mod store;
pub mod subscription;
pub mod task;
pub mod topic;
pub mod trace;
pub mod worker;
