//! What every function does at cold start.

use std::fmt::Display;

use fanout_core::settings::Reader;
use futures::future::LocalBoxFuture;
use lambda_runtime::{Error, LambdaEvent};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::error;
use tracing_subscriber::EnvFilter;

/// Sets up logging, then reads the settings with `read`.
///
/// Logs are JSON lines on standard output, as Lambda's JSON log format has
/// them. `LOG_LEVEL` is a filter such as `info` or `fanout_core=debug,warn`.
pub(crate) fn start<T, E: Display>(read: impl FnOnce(Reader) -> Result<T, E>) -> Result<T, Error> {
    let mut reader = Reader::of_process();
    let filter = reader.optional_text("LOG_LEVEL");
    let filter = EnvFilter::try_new(filter.as_deref().unwrap_or("info"));
    let is_filter = filter.is_ok();
    reader.require(is_filter, || {
        "LOG_LEVEL: expected a filter such as info or fanout_core=debug,warn".to_owned()
    });
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter.unwrap_or_else(|_| EnvFilter::new("info")))
        .with_ansi(false)
        .try_init()
        .map_err(|error| format!("cannot set up logging: {error}"))?;
    read(reader).map_err(|problem| {
        error!(%problem, "function cannot start");
        Error::from(problem.to_string())
    })
}

/// Hands events to `handle` until the execution environment is shut down.
pub(crate) async fn serve<Event, Answer, Handle, Handling>(handle: Handle) -> Result<(), Error>
where
    Event: DeserializeOwned,
    Answer: Serialize,
    Handle: Fn(LambdaEvent<Event>) -> Handling,
    Handling: Future<Output = Result<Answer, Error>>,
{
    // Boxed, because an SDK call inside a handler inside the runtime is a type
    // deeper than the compiler follows.
    let handle = |event| -> LocalBoxFuture<'_, _> { Box::pin(handle(event)) };
    lambda_runtime::run(lambda_runtime::service_fn(handle)).await
}
