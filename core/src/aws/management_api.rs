//! The `@connections` API of API Gateway, by the AWS SDK: the [`Pusher`], and
//! the view of single [`Sockets`].

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::config::http::HttpResponse;
use aws_sdk_apigatewaymanagement::config::retry::RetryConfig;
use aws_sdk_apigatewaymanagement::config::timeout::TimeoutConfig;
use aws_sdk_apigatewaymanagement::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_apigatewaymanagement::operation::post_to_connection::PostToConnectionError;
use aws_sdk_apigatewaymanagement::primitives::{Blob, DateTime};
use bytes::Bytes;
use jiff::Timestamp;

use crate::aws::answer::{classify_status, retry_after};
use crate::aws::store_error;
use crate::connection::ConnectionId;
use crate::push::{PushOutcome, Pusher};
use crate::socket::{Socket, Sockets};
use crate::store::StoreError;

/// Pushes by `PostToConnection`, and looks at connections.
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

impl Sockets for ManagementApi {
    async fn inspect(&self, id: &ConnectionId) -> Result<Option<Socket>, StoreError> {
        let request = self.client.get_connection().connection_id(id.as_str());
        let found = match request.send().await {
            Ok(found) => found,
            Err(error) if is_gone(&error) => return Ok(None),
            Err(error) => return Err(store_error("look at a socket")(error)),
        };
        let identity = found.identity();
        Ok(Some(Socket {
            connected_at: found.connected_at().and_then(timestamp),
            last_active_at: found.last_active_at().and_then(timestamp),
            source_ip: identity.and_then(|identity| identity.source_ip().map(ToOwned::to_owned)),
            user_agent: identity.and_then(|identity| identity.user_agent().map(ToOwned::to_owned)),
        }))
    }

    async fn close(&self, id: &ConnectionId) -> Result<bool, StoreError> {
        let request = self.client.delete_connection().connection_id(id.as_str());
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if is_gone(&error) => Ok(false),
            Err(error) => Err(store_error("close a socket")(error)),
        }
    }
}

/// Whether the gateway knows no such connection.
fn is_gone<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let SdkError::ServiceError(service) = error else {
        return false;
    };
    let status = service.raw().status().as_u16();
    classify_status(status, service.err().code(), None) == PushOutcome::Gone
}

fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::from_millisecond(time.to_millis().ok()?).ok()
}

type PushError = SdkError<PostToConnectionError, HttpResponse>;

fn classify(error: &PushError) -> PushOutcome {
    match error {
        SdkError::TimeoutError(_) => PushOutcome::Transient { reason: "timeout" },
        SdkError::DispatchFailure(_) => PushOutcome::Transient { reason: "dispatch" },
        SdkError::ResponseError(_) => PushOutcome::Transient { reason: "response" },
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let retry_after = retry_after(service.raw().headers().get("retry-after"));
            classify_status(status, service.err().code(), retry_after)
        }
        SdkError::ConstructionFailure(_) => PushOutcome::Rejected { reason: "request" },
        // The SDK's enum is open: what it adds is not known to be permanent.
        _ => PushOutcome::Transient { reason: "sdk" },
    }
}

#[cfg(test)]
mod tests;
