//! What stands behind a route.

use std::time::Duration;

use bytes::Bytes;

/// Invokes functions on behalf of the gateway.
pub trait Integration: Clone + Send + Sync + 'static {
    /// Invokes `function` with `event`, a JSON document, and returns what the
    /// function returned. `trace` is the request's tracing header, where it has
    /// one.
    ///
    /// # Cancel safety
    ///
    /// The gateway drops the future when its own timeout has passed, or when
    /// nobody waits for the answer any more. A faithful host lets the
    /// invocation run to its end all the same, as Lambda does.
    fn invoke(
        &self,
        function: &str,
        event: Bytes,
        trace: Option<&str>,
    ) -> impl Future<Output = Result<Bytes, IntegrationError>> + Send;
}

/// Why an invocation gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntegrationError {
    /// The function's concurrency is used up.
    #[error("function is throttled")]
    Throttled,
    /// The function did not answer in time.
    #[error("function timed out")]
    TimedOut,
    /// The function answered with an error, crashed or does not exist.
    #[error("function failed: {message}")]
    Failed {
        /// Lambda's `errorMessage`. An authorizer's `Unauthorized` is told
        /// from its other errors by this text, as on AWS.
        message: String,
    },
}

/// Invokes a function and gives up after `timeout`.
pub(crate) async fn invoke_within<I: Integration>(
    integration: &I,
    function: &str,
    event: Bytes,
    trace: Option<&str>,
    timeout: Duration,
) -> Result<Bytes, IntegrationError> {
    let invocation = integration.invoke(function, event, trace);
    let outcome = tokio::time::timeout(timeout, invocation)
        .await
        .unwrap_or(Err(IntegrationError::TimedOut));
    if let Err(error) = &outcome {
        tracing::warn!(function, %error, "invocation failed");
    }
    outcome
}
