//! The clients of AWS that look at a deployment's parts.

use aws_sdk_sqs::config::{Credentials, Region, SharedCredentialsProvider};
use fanout_core::aws::{SdkConfig, load_config};

use crate::outputs::Outputs;

pub mod fault;

/// Loads the SDK's configuration: the deployment's Region, and credentials by
/// the SDK's usual chain. A local stack asks for credentials and verifies none:
/// it is given some.
pub async fn config_of(outputs: &Outputs) -> SdkConfig {
    let config = load_config().await;
    let mut builder = config.into_builder();
    if let Some(region) = outputs.region.clone() {
        builder = builder.region(Region::new(region));
    }
    if outputs.is_local() {
        let credentials = Credentials::new("local", "local", None, None, "local stack");
        let provider = SharedCredentialsProvider::new(credentials);
        builder = builder.credentials_provider(provider);
    }
    builder.build()
}

/// The client of the deployment's queues.
#[must_use]
pub fn sqs(config: &SdkConfig, outputs: &Outputs) -> aws_sdk_sqs::Client {
    let mut builder = aws_sdk_sqs::config::Builder::from(config);
    builder.set_endpoint_url(outputs.sqs_endpoint.clone());
    aws_sdk_sqs::Client::from_conf(builder.build())
}

/// The client of the deployment's tables.
#[must_use]
pub fn dynamodb(config: &SdkConfig, outputs: &Outputs) -> aws_sdk_dynamodb::Client {
    let mut builder = aws_sdk_dynamodb::config::Builder::from(config);
    builder.set_endpoint_url(outputs.dynamo_db_endpoint.clone());
    aws_sdk_dynamodb::Client::from_conf(builder.build())
}

/// The client of a WebSocket API's stage.
#[must_use]
pub fn management(config: &SdkConfig, endpoint: &str) -> aws_sdk_apigatewaymanagement::Client {
    let builder = aws_sdk_apigatewaymanagement::config::Builder::from(config);
    aws_sdk_apigatewaymanagement::Client::from_conf(builder.endpoint_url(endpoint).build())
}
