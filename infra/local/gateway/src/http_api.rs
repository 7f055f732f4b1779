//! The front of the HTTP API.

mod event;
mod response;
mod routes;
mod trace;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, Method, Request, StatusCode, header, request};
use hyper::body::Incoming;

use crate::body::{self, BodyError};
use crate::gateway::Shared;
use crate::ids;
use crate::integration::{Integration, IntegrationError};
use crate::listener::Front;
use crate::reply::{self, Reply};
use crate::settings::StaticRoute;

/// The header in which an HTTP API names the request.
const REQUEST_ID: HeaderName = HeaderName::from_static("apigw-requestid");

/// Where the load test asks what simulated connections took.
const SIMULATED: &str = "/_local/simulated";

/// Answers requests to the HTTP API: a fixed answer, or what the function
/// behind the route says.
#[derive(Debug)]
pub(crate) struct HttpFront<I> {
    shared: Arc<Shared<I>>,
}

impl<I> Clone for HttpFront<I> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<I: Integration> HttpFront<I> {
    pub(crate) fn new(shared: Arc<Shared<I>>) -> Self {
        Self { shared }
    }

    /// What simulated connections took, where there are any.
    fn simulated<B>(&self, request: &Request<B>) -> Option<Reply> {
        let is_asked = self.shared.settings.simulated_connections > 0
            && request.method() == Method::GET
            && request.uri().path() == SIMULATED;
        is_asked.then(|| match request.uri().query() {
            None => reply::json(StatusCode::OK, &self.shared.simulated.document()),
            Some(query) => query
                .strip_prefix("notification=")
                .and_then(|id| self.shared.simulated.arrivals(id))
                .map_or_else(
                    || reply::message(StatusCode::NOT_FOUND, "No Such Notification"),
                    |arrivals| reply::json(StatusCode::OK, &arrivals),
                ),
        })
    }

    async fn route(
        &self,
        peer: SocketAddr,
        request_id: &str,
        head: &mut request::Parts,
        body: &mut Incoming,
    ) -> Reply {
        let shared = &*self.shared;
        if !shared.account.admits() {
            shared.counters.http_throttled.count();
            return reply::message(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests");
        }
        shared.counters.http_requests.count();
        let routes = &shared.settings.http_routes;
        let Some(matched) = routes::select(routes, &head.method, head.uri.path()) else {
            return reply::message(StatusCode::NOT_FOUND, "Not Found");
        };
        let body = match body::read(body, shared.settings.max_body_bytes).await {
            Ok(body) => body,
            Err(BodyError::TooLarge { .. }) => {
                return reply::message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
            }
            Err(BodyError::Broken(_)) => {
                return reply::message(StatusCode::BAD_REQUEST, "Bad Request");
            }
        };
        let trace = trace::of(&mut head.headers, shared.clock.now());
        let event = event::Received {
            head,
            body: &body,
            source_ip: peer.ip(),
            request_id,
            at: shared.clock.now(),
        }
        .event(&shared.settings, &matched);
        let outcome = shared
            .invoke_http(&matched.route.function, event, &trace)
            .await;
        answer(outcome)
    }
}

impl<I: Integration> Front for HttpFront<I> {
    async fn answer(&self, peer: SocketAddr, request: Request<Incoming>) -> Reply {
        let statics = &self.shared.settings.static_routes;
        if let Some(told) = self.simulated(&request) {
            return told;
        }
        if let Some(fixed) = find_static(statics, request.method(), request.uri().path()) {
            return serve_static(fixed);
        }
        let request_id = ids::request_id();
        let (mut head, mut body) = request.into_parts();
        let mut reply = self.route(peer, &request_id, &mut head, &mut body).await;
        // A refusal may come before the body has been read.
        body::discard(&mut body).await;
        reply::set(&mut reply, REQUEST_ID, &request_id);
        reply
    }
}

/// Translates what came of an invocation, as an HTTP API does: a function
/// without capacity and one without an answer are both 503.
fn answer(outcome: Result<Bytes, IntegrationError>) -> Reply {
    let server_error =
        || reply::message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    match outcome {
        Ok(output) => response::translate(&output).unwrap_or_else(|error| {
            tracing::warn!(%error, "a function's response cannot be used");
            server_error()
        }),
        Err(IntegrationError::Failed { .. }) => server_error(),
        Err(IntegrationError::Throttled | IntegrationError::TimedOut) => {
            reply::message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
        }
    }
}

fn find_static<'a>(
    routes: &'a [StaticRoute],
    method: &Method,
    path: &str,
) -> Option<&'a StaticRoute> {
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    routes.iter().find(|route| is_read && route.path == path)
}

fn serve_static(route: &StaticRoute) -> Reply {
    let mut reply = reply::with_body(StatusCode::OK, route.body.clone());
    reply::set(&mut reply, header::CONTENT_TYPE, &route.content_type);
    reply
}
