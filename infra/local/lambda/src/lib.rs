//! AWS Lambda on one machine: functions are real processes that speak the
//! [Lambda Runtime API] over HTTP, and SQS queues drive them through
//! event-source mappings.
//!
//! An invocation takes this path: [`Lambda::invoke`] takes one of the
//! function's concurrency permits, the function hands the invocation to its
//! most recently used idle environment or starts another, and the environment
//! answers its process's poll for the next event with it.
//!
//! [Lambda Runtime API]: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html

mod config;
mod environment;
mod error;
pub mod event_source;
mod function;
mod host;

pub use config::{FunctionConfig, HostConfig};
pub use error::{InvokeError, StartError};
pub use function::EnvironmentInfo;
pub use host::Lambda;

/// The largest payload of a synchronous invocation, in bytes (6 MiB).
///
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const MAX_REQUEST_BYTES: usize = 6 * 1024 * 1024;

/// The largest answer of a function, in bytes: Lambda leaves 100 bytes over
/// 6 MiB, as its `Function.ResponseSizeTooLarge` message says.
pub const MAX_RESPONSE_BYTES: usize = 6 * 1024 * 1024 + 100;
