//! What the answers of the `@connections` API mean: the same for every client.

use std::time::Duration;

use crate::push::PushOutcome;

/// Classifies an answer by its status and error code, never by its text
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html>).
pub(super) fn classify_status(
    status: u16,
    code: Option<&str>,
    retry_after: Option<Duration>,
) -> PushOutcome {
    match (status, code) {
        // BadRequestException: a malformed id, as no open connection has one.
        (410, _) | (_, Some("GoneException")) | (400, Some("BadRequestException")) => {
            PushOutcome::Gone
        }
        (429, _) | (_, Some("LimitExceededException" | "TooManyRequestsException")) => {
            PushOutcome::Throttled { retry_after }
        }
        (413, _) | (_, Some("PayloadTooLargeException")) => PushOutcome::TooLarge,
        (401 | 403, _) => PushOutcome::Forbidden,
        (500..=599, _) => PushOutcome::Transient { reason: "server" },
        _ => PushOutcome::Rejected { reason: "status" },
    }
}

/// Reads `Retry-After` where it is a number of seconds.
pub(super) fn retry_after(header: Option<&str>) -> Option<Duration> {
    header
        .and_then(|seconds| seconds.parse().ok())
        .map(Duration::from_secs)
}
