//! What the adapters are tested with: gateways and tables on this machine, over
//! real sockets.

mod ledger;
mod outcomes;

use std::time::Duration;

use aws_sdk_apigatewaymanagement::config::{
    Credentials, Region, SharedAsyncSleep, SharedCredentialsProvider,
};
use aws_smithy_async::rt::sleep::TokioSleep;
use bytes::Bytes;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::SdkConfig;
use super::management_api::ManagementApi;
use super::push_client::{PushClient, Settings};
use crate::clock::Clock;
use crate::connection::ConnectionId;
use crate::push::{PushOutcome, Pusher};

/// How long a push may take where it is answered, on however slow a machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Both clients, that all tests of outcomes run over.
pub(crate) enum Client {
    Sdk(ManagementApi),
    Own(Box<PushClient>),
}

impl Client {
    /// Makes both clients of the stage `prod` at a gateway.
    pub(crate) fn both(gateway: &TcpListener, attempt_timeout: Duration) -> [Self; 2] {
        let (config, endpoint) = (config(), endpoint_of(gateway));
        let settings = Settings {
            endpoint: endpoint.clone(),
            attempt_timeout,
            max_in_flight: 4,
        };
        let own = PushClient::new(&config, &settings, Clock::System).unwrap();
        [
            Self::Sdk(ManagementApi::new(&config, &endpoint, attempt_timeout)),
            Self::Own(Box::new(own)),
        ]
    }
}

impl Pusher for Client {
    async fn push(&self, connection: &ConnectionId, payload: &Bytes) -> PushOutcome {
        match self {
            Self::Sdk(sdk) => sdk.push(connection, payload).await,
            Self::Own(own) => own.push(connection, payload).await,
        }
    }
}

pub(crate) async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// The SDK's view of a gateway on this machine.
pub(crate) fn sdk_of(gateway: &TcpListener) -> ManagementApi {
    ManagementApi::new(&config(), &endpoint_of(gateway), PATIENCE)
}

pub(crate) fn config() -> SdkConfig {
    let credentials = Credentials::new("id", "secret", None, None, "test");
    SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .build()
}

/// Reads a request up to an ending.
pub(crate) async fn read_request(socket: &mut TcpStream, ending: &str) -> String {
    let mut request = Vec::new();
    while !request.ends_with(ending.as_bytes()) {
        assert_ne!(socket.read_buf(&mut request).await.unwrap(), 0);
    }
    String::from_utf8(request).unwrap()
}

fn endpoint_of(gateway: &TcpListener) -> String {
    format!("http://{}/prod", gateway.local_addr().unwrap())
}
