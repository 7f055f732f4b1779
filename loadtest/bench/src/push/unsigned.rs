//! The floor: hyper's connections, and the least that a request can be.

mod connections;
mod http1;
mod http2;

use bytes::Bytes;
use fanout_core::aws::push_client::endpoint::Endpoint;
use fanout_core::connection::ConnectionId;
use fanout_core::push::{PushOutcome, Pusher};
use http::{Method, Request, header};
use http_body_util::Full;

use self::connections::{Connections, Speaks};

/// Posts payloads with a host and a length: without a signature, a timeout, or
/// a look at why one was refused.
pub(crate) struct Unsigned {
    endpoint: Endpoint,
    connections: Connections,
}

impl Unsigned {
    pub(crate) fn new(endpoint: &str) -> anyhow::Result<Self> {
        Ok(Self {
            endpoint: endpoint.parse()?,
            connections: Connections::to(endpoint)?,
        })
    }
}

impl Pusher for Unsigned {
    async fn push(&self, connection: &ConnectionId, payload: &Bytes) -> PushOutcome {
        let failed = PushOutcome::Transient { reason: "failed" };
        let Some(path) = self.endpoint.path_of(connection) else {
            return failed;
        };
        let request = |speaks| {
            let mut request = Request::new(Full::new(payload.clone()));
            *request.method_mut() = Method::POST;
            match speaks {
                Speaks::Http1 => {
                    *request.uri_mut() = path.whole().clone().into();
                    let host = self.endpoint.host().clone();
                    request.headers_mut().insert(header::HOST, host);
                }
                Speaks::Http2 => *request.uri_mut() = self.endpoint.uri(path.whole()),
            }
            request
        };
        match self.connections.send(request).await {
            Ok(status) if status.is_success() => PushOutcome::Accepted,
            _ => failed,
        }
    }
}
