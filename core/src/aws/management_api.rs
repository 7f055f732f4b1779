//! The `@connections` API of API Gateway as a [`Pusher`], by the AWS SDK.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::config::retry::RetryConfig;
use aws_sdk_apigatewaymanagement::config::timeout::TimeoutConfig;
use aws_sdk_apigatewaymanagement::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_apigatewaymanagement::operation::post_to_connection::PostToConnectionError;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use bytes::Bytes;

use crate::connection::ConnectionId;
use crate::push::{PushOutcome, Pusher};

/// Pushes by `PostToConnection`.
#[derive(Clone, Debug)]
pub struct ManagementApi {
    client: Client,
}

impl ManagementApi {
    /// Makes a client of the stage at `endpoint`, such as
    /// `https://{api}.execute-api.{region}.amazonaws.com/{stage}`.
    ///
    /// The SDK's retries are off: under mass throttling its process-wide quota
    /// of retries silently runs dry, and the engine knows better when to try
    /// again.
    #[must_use]
    pub fn new(config: &SdkConfig, endpoint: &str, attempt_timeout: Duration) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(attempt_timeout)
            .operation_timeout(attempt_timeout)
            .build();
        let config = aws_sdk_apigatewaymanagement::config::Builder::from(config)
            .endpoint_url(endpoint)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .build();
        Self {
            client: Client::from_conf(config),
        }
    }
}

impl Pusher for ManagementApi {
    async fn push(&self, connection: &ConnectionId, payload: &Bytes) -> PushOutcome {
        let sent = self
            .client
            .post_to_connection()
            .connection_id(connection.as_str())
            .data(Blob::new(payload.as_ref()))
            .send()
            .await;
        match sent {
            Ok(_) => PushOutcome::Accepted,
            Err(error) => classify(&error),
        }
    }
}

type PushError =
    SdkError<PostToConnectionError, aws_sdk_apigatewaymanagement::config::http::HttpResponse>;

fn classify(error: &PushError) -> PushOutcome {
    match error {
        SdkError::TimeoutError(_) => PushOutcome::Transient { reason: "timeout" },
        SdkError::DispatchFailure(_) => PushOutcome::Transient { reason: "dispatch" },
        SdkError::ResponseError(_) => PushOutcome::Transient { reason: "response" },
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let retry_after = service.raw().headers().get("retry-after");
            let retry_after = retry_after
                .and_then(|seconds| seconds.parse().ok())
                .map(Duration::from_secs);
            classify_status(status, service.err().code(), retry_after)
        }
        SdkError::ConstructionFailure(_) => PushOutcome::Rejected { reason: "request" },
        // The SDK's enum is open: what it adds is not known to be permanent.
        _ => PushOutcome::Transient { reason: "sdk" },
    }
}

/// Classifies an answer by its status and error code, never by its text
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html>).
fn classify_status(status: u16, code: Option<&str>, retry_after: Option<Duration>) -> PushOutcome {
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

#[cfg(test)]
mod tests;
