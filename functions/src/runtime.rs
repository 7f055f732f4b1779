//! What every function does at cold start.

use std::net::SocketAddr;

use fanout_core::clock::Clock;
use fanout_core::settings::Reader;
use fanout_core::trace::TraceHeader;
use futures::future::LocalBoxFuture;
use lambda_runtime::{Context, Error, LambdaEvent};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::{Instrument as _, Level, Metadata, error, error_span};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::metrics::Metrics;
use crate::settings;

/// A function at the end of its cold start.
pub(crate) struct Started<T> {
    /// Its own settings.
    pub(crate) settings: T,
    /// Where it writes metrics.
    pub(crate) metrics: Metrics,
    /// Where it sends segments of traces.
    pub(crate) xray_daemon: Option<SocketAddr>,
}

/// Reads the settings, the function's own with `read`, and sets up logging.
///
/// Logs are JSON lines on standard output, as Lambda's JSON log format has
/// them. Whatever their filter says, libraries do not log what they carry.
pub(crate) fn start<T>(read: impl FnOnce(&mut Reader) -> T) -> Result<Started<T>, Error> {
    let mut reader = Reader::of_process();
    let process = settings::Process::read(&mut reader);
    tracing_subscriber::fmt()
        .json()
        .with_max_level(Level::TRACE)
        .with_ansi(false)
        .finish()
        .with(process.log_filter)
        .with(filter_fn(holds_no_payload))
        .try_init()
        .map_err(|error| format!("cannot set up logging: {error}"))?;
    let settings = read(&mut reader);
    let settings = reader.finish(settings).map_err(|problem| {
        error!(%problem, "function cannot start");
        Error::from(problem.to_string())
    })?;
    Ok(Started {
        settings,
        metrics: Metrics::new(process.metrics_namespace, Clock::System),
        xray_daemon: process.xray_daemon,
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

/// The trace of an invocation.
pub(crate) fn trace_of(context: &Context) -> Option<TraceHeader> {
    context.xray_trace_id.as_deref()?.parse().ok()
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
    let handle = |event: LambdaEvent<Event>| -> LocalBoxFuture<'_, _> {
        let trace = trace_of(&event.context);
        // As severe as a line can be, so that it is there whichever are logged.
        let span = error_span!(
            "invocation",
            trace_id = trace.map(|trace| tracing::field::display(trace.root())),
        );
        Box::pin(handle(event).instrument(span))
    };
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
