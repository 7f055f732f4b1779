//! The gateway, through the client that the settings name.

use bytes::Bytes;
use fanout_core::aws::SdkConfig;
use fanout_core::aws::management_api::ManagementApi;
use fanout_core::aws::push_client::{self, PushClient, PushClientError};
use fanout_core::clock::Clock;
use fanout_core::connection::ConnectionId;
use fanout_core::push::{PushOutcome, Pusher};

use crate::settings;

/// Pushes through one client or the other; they give the same outcomes.
#[derive(Debug)]
pub(super) enum Gateway {
    Own(Box<PushClient>),
    Sdk(ManagementApi),
}

impl Gateway {
    pub(super) fn new(
        config: &SdkConfig,
        settings: &settings::Worker,
        clock: Clock,
    ) -> Result<Self, PushClientError> {
        let (endpoint, timeout) = (&settings.management_endpoint, settings.push_timeout);
        Ok(match settings.push_client {
            settings::PushClient::Own => {
                let settings = push_client::Settings {
                    endpoint: endpoint.clone(),
                    attempt_timeout: timeout,
                    max_in_flight: settings.worker.fanout.max_in_flight,
                };
                Self::Own(Box::new(PushClient::new(config, &settings, clock)?))
            }
            settings::PushClient::Sdk => Self::Sdk(ManagementApi::new(config, endpoint, timeout)),
        })
    }
}

impl Pusher for Gateway {
    async fn warm_up(&self) {
        match self {
            Self::Own(own) => own.warm_up().await,
            Self::Sdk(sdk) => sdk.warm_up().await,
        }
    }

    async fn push(&self, connection: &ConnectionId, payload: &Bytes) -> PushOutcome {
        match self {
            Self::Own(own) => own.push(connection, payload).await,
            Self::Sdk(sdk) => sdk.push(connection, payload).await,
        }
    }
}
