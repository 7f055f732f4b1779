//! The adapters to AWS.
//!
//! SDK errors and HTTP statuses are translated here, once, into the domain's
//! outcomes and errors; they appear nowhere else.

mod answer;
pub mod dynamodb;
pub mod management_api;
pub mod push_client;
pub mod sqs;

use std::time::Duration;

use aws_config::BehaviorVersion;
pub use aws_config::SdkConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::timeout::TimeoutConfig;

use crate::store::StoreError;

/// How long one attempt at a store or a queue may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an operation may take with its retries.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(8);

/// Loads the SDK's configuration from the environment: region, credentials and
/// endpoints (`AWS_REGION`, `AWS_ENDPOINT_URL_…`).
///
/// The SDK itself sets no read, attempt or operation timeout; these do.
pub async fn load_config() -> SdkConfig {
    let http_client = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client)
        .timeout_config(timeouts)
        .load()
        .await
}

/// Translates what is left of an SDK error once its retries are used up.
fn store_error<E>(operation: &'static str) -> impl Fn(E) -> StoreError
where
    E: std::error::Error,
{
    move |error| StoreError {
        operation,
        detail: DisplayErrorContext(error).to_string(),
    }
}

#[cfg(test)]
mod tests;
