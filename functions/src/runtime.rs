//! What every function does at cold start.

use std::fmt::Display;

use fanout_core::settings::Reader;
use futures::future::LocalBoxFuture;
use lambda_runtime::{Error, LambdaEvent};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::{Level, Metadata, error};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Sets up logging, then reads the settings with `read`.
///
/// Logs are JSON lines on standard output, as Lambda's JSON log format has
/// them. `LOG_LEVEL` is a filter such as `info` or `fanout_core=debug,warn`;
/// whatever it says, libraries do not log what they carry.
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
        .finish()
        .with(filter_fn(holds_no_payload))
        .try_init()
        .map_err(|error| format!("cannot set up logging: {error}"))?;
    read(reader).map_err(|problem| {
        error!(%problem, "function cannot start");
        Error::from(problem.to_string())
    })
}

/// Whether what is logged holds no event, request or answer as a whole.
///
/// At `trace` the runtime logs every event with its token, and the SDK every
/// request with its body. This project's own code never does.
fn holds_no_payload(metadata: &Metadata<'_>) -> bool {
    is_logged(metadata.target(), *metadata.level())
}

fn is_logged(target: &str, level: Level) -> bool {
    level < Level::TRACE || target.starts_with("fanout_")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_do_not_trace() {
        for (target, level, expected) in [
            ("lambda_runtime::layers::api_response", Level::TRACE, false),
            (
                "aws_smithy_runtime::client::orchestrator",
                Level::TRACE,
                false,
            ),
            ("lambda_runtime", Level::DEBUG, true),
            ("hyper", Level::ERROR, true),
            ("fanout_core::fanout", Level::TRACE, true),
        ] {
            assert_eq!(is_logged(target, level), expected, "{target}");
        }
    }
}
