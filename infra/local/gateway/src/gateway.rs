//! The two APIs of one account, ready to be served.

use std::sync::Arc;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::connections::Connections;
use crate::connections::outbox::CloseRequest;
use crate::http_api::HttpFront;
use crate::integration::{Integration, IntegrationError, invoke_within};
use crate::listener::{self, Lifetime};
use crate::settings::Settings;
use crate::simulated::Simulated;
use crate::statistics::{Counters, Statistics};
use crate::throttle::Throttle;
use crate::websocket::WebSocketFront;

/// An HTTP API and a WebSocket API that share one account's quota.
///
/// Clones are handles to the same gateway.
#[derive(Debug)]
pub struct Gateway<I> {
    shared: Arc<Shared<I>>,
}

impl<I: Integration> Gateway<I> {
    /// Makes a gateway in front of `integration`, with full buckets. Nothing
    /// is served yet.
    #[must_use]
    pub fn new(settings: Settings, integration: I) -> Self {
        let shared = Shared::new(settings, integration, Clock::system());
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Serves the HTTP API until `shutdown` is cancelled and the requests
    /// under way have been answered, or the grace period is over.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops accepting but leaves the connections open:
    /// cancel `shutdown` instead.
    pub async fn serve_http(&self, listener: TcpListener, shutdown: CancellationToken) {
        let lifetime = Lifetime::new(shutdown);
        let front = HttpFront::new(Arc::clone(&self.shared));
        listener::accept(listener, front, &lifetime).await;
        lifetime.end(self.shared.settings.shutdown_grace).await;
    }

    /// Serves the WebSocket API and its `@connections` API until `shutdown` is
    /// cancelled. Then every socket is closed with 1001, and the `$disconnect`
    /// events are sent as far as the grace period allows.
    ///
    /// # Cancel safety
    ///
    /// As with [`Gateway::serve_http`].
    pub async fn serve_websocket(&self, listener: TcpListener, shutdown: CancellationToken) {
        let lifetime = Lifetime::new(shutdown);
        let front = WebSocketFront::new(Arc::clone(&self.shared), lifetime.clone());
        listener::accept(listener, front, &lifetime).await;
        self.shared
            .connections
            .close_all(CloseRequest::ShuttingDown);
        lifetime.end(self.shared.settings.shutdown_grace).await;
    }

    /// Reads the counters.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let open = self.shared.connections.len();
        let open = u64::try_from(open).unwrap_or(u64::MAX);
        self.shared.counters.read(open)
    }
}

impl<I> Clone for Gateway<I> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

/// What the fronts and the sockets' tasks have in common.
#[derive(Debug)]
pub(crate) struct Shared<I> {
    pub(crate) settings: Settings,
    pub(crate) integration: I,
    pub(crate) clock: Clock,
    /// The account's request quota.
    pub(crate) account: Throttle,
    /// The quota of new WebSocket connections.
    pub(crate) connects: Throttle,
    pub(crate) connections: Connections,
    pub(crate) simulated: Simulated,
    /// Holds a permit for each socket that may be open.
    pub(crate) places: Arc<Semaphore>,
    /// Holds a permit for each `$disconnect` event that may be in flight.
    pub(crate) disconnects: Semaphore,
    pub(crate) counters: Counters,
}

impl<I: Integration> Shared<I> {
    pub(crate) fn new(settings: Settings, integration: I, clock: Clock) -> Self {
        let disconnects = settings
            .max_disconnects_in_flight
            .clamp(1, Semaphore::MAX_PERMITS);
        let places = settings.max_open_sockets.unwrap_or(usize::MAX);
        Self {
            account: Throttle::new(settings.account, clock),
            connects: Throttle::new(settings.connect_rate, clock),
            connections: Connections::new(),
            simulated: Simulated::new(settings.simulated_connections),
            places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
            disconnects: Semaphore::new(disconnects),
            counters: Counters::default(),
            clock,
            integration,
            settings,
        }
    }

    /// Invokes a function of the HTTP API, under the trace of the request.
    pub(crate) async fn invoke_http(
        &self,
        function: &str,
        event: Bytes,
        trace: &str,
    ) -> Result<Bytes, IntegrationError> {
        let timeout = self.settings.http_integration_timeout;
        invoke_within(&self.integration, function, event, Some(trace), timeout).await
    }

    /// Invokes a function of the WebSocket API.
    pub(crate) async fn invoke_websocket(
        &self,
        function: &str,
        event: Bytes,
    ) -> Result<Bytes, IntegrationError> {
        let timeout = self.settings.websocket_integration_timeout;
        invoke_within(&self.integration, function, event, None, timeout).await
    }
}
