//! The floor: the same connections, and the least that a request can be.

use anyhow::Context as _;
use bytes::Bytes;
use fanout_core::aws::push_client::endpoint::Endpoint;
use fanout_core::aws::push_client::pool::{Pool, Protocol};
use fanout_core::clock::Clock;
use fanout_core::connection::ConnectionId;
use fanout_core::push::{PushOutcome, Pusher};
use http::{HeaderValue, Method, Request, header};
use http_body_util::Full;

/// Posts payloads with a host and a length: without a signature, a timeout, or
/// a look at why one was refused.
pub(crate) struct Unsigned {
    endpoint: Endpoint,
    pool: Pool,
}

impl Unsigned {
    pub(crate) fn new(endpoint: &str, max_in_flight: usize) -> anyhow::Result<Self> {
        let endpoint: Endpoint = endpoint.parse()?;
        let pool = Pool::new(&endpoint, max_in_flight).context("cannot set up TLS")?;
        Ok(Self { endpoint, pool })
    }
}

impl Pusher for Unsigned {
    async fn push(&self, connection: &ConnectionId, payload: &Bytes) -> PushOutcome {
        let failed = PushOutcome::Transient { reason: "failed" };
        let Some(path) = self.endpoint.path_of(connection) else {
            return failed;
        };
        let request = |protocol| {
            let mut request = Request::new(Full::new(payload.clone()));
            *request.method_mut() = Method::POST;
            *request.uri_mut() = self.endpoint.uri(protocol, &path);
            if protocol == Protocol::Http1 {
                let host: &HeaderValue = self.endpoint.host();
                request.headers_mut().insert(header::HOST, host.clone());
            }
            request
        };
        match self.pool.send(Clock::System.now(), request).await {
            Ok(answer) if answer.status().is_success() => PushOutcome::Accepted,
            _ => failed,
        }
    }
}
