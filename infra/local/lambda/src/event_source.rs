//! SQS event-source mappings: a queue's messages, in batches, to a function.
//!
//! The mapping behaves as [Using Lambda with Amazon SQS] describes it, but for
//! one thing: it may use all of its concurrency at once, where AWS begins with
//! five batches and adds up to 300 a minute.
//!
//! [Using Lambda with Amazon SQS]: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html

mod batch;
mod mapping;
mod poller;
mod response;
mod sqs;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

pub use self::mapping::{EventSourceMapping, MappingError};
use self::poller::Poller;
pub use self::sqs::SqsQueue;
use crate::error::InvokeError;
use crate::host::Lambda;

/// A queue as a mapping needs it.
pub trait MessageSource: Send + Sync + 'static {
    /// Why the queue did not do what it was asked for.
    type Error: Display + Send;

    /// Receives 1 to 10 messages, waiting for up to `wait` (at most 20 s)
    /// while there are none.
    ///
    /// # Cancel safety
    /// A receive that is dropped while it waits must not have taken a message.
    fn receive(
        &self,
        max: usize,
        wait: Duration,
    ) -> impl Future<Output = Result<Vec<Message>, Self::Error>> + Send;

    /// Deletes what these receipt handles stand for.
    fn delete(
        &self,
        receipt_handles: Vec<String>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Makes what these receipt handles stand for visible at once.
    fn give_back(
        &self,
        receipt_handles: Vec<String>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// How long a received message stays invisible.
    fn visibility_timeout(&self) -> Duration;
}

/// Whatever runs functions.
pub trait Invoker: Send + Sync + 'static {
    /// Invokes a function and waits for its answer.
    fn invoke(
        &self,
        function: &str,
        payload: Bytes,
    ) -> impl Future<Output = Result<Bytes, InvokeError>> + Send;
}

impl Invoker for Lambda {
    async fn invoke(&self, function: &str, payload: Bytes) -> Result<Bytes, InvokeError> {
        Lambda::invoke(self, function, payload).await
    }
}

/// A received message, as the function will see it.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The same at every delivery.
    pub message_id: String,
    /// Stands for this delivery.
    pub receipt_handle: String,
    /// What was sent.
    pub body: String,
    /// System attributes by SQS's names: `ApproximateReceiveCount`,
    /// `SentTimestamp`, `SenderId`, `ApproximateFirstReceiveTimestamp`, and
    /// `DeadLetterQueueSourceArn` where there is one; times in milliseconds
    /// since the epoch.
    pub attributes: BTreeMap<String, String>,
    /// What the sender attached.
    pub message_attributes: BTreeMap<String, MessageAttribute>,
    /// MD5 of the body in lower-case hexadecimal digits.
    pub md5_of_body: String,
}

/// One attribute that the sender attached; it has one of the two values.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageAttribute {
    /// The value of a `String` or a `Number`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    /// The value of a `Binary`, in Base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary_value: Option<String>,
    /// Always empty: SQS has reserved it.
    pub string_list_values: [String; 0],
    /// Always empty: SQS has reserved it.
    pub binary_list_values: [String; 0],
    /// `String`, `Number` or `Binary`, with an optional label after a dot.
    pub data_type: String,
}

/// Runs a mapping until `shutdown` is cancelled or the invoker shuts down: then
/// it polls no more, gives back what no function has seen, and waits for the
/// running invocations.
///
/// # Errors
/// If the mapping is one that Lambda would refuse.
pub async fn run(
    mapping: EventSourceMapping,
    invoker: impl Invoker,
    source: impl MessageSource,
    shutdown: CancellationToken,
) -> Result<(), MappingError> {
    mapping.validate()?;
    let poller = Poller {
        mapping,
        invoker,
        source,
        shutdown: shutdown.child_token(),
    };
    Arc::new(poller).run().await;
    Ok(())
}

#[cfg(test)]
mod tests;
