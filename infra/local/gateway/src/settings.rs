//! What a gateway serves, and within which quotas.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use fanout_local_faults::FaultPlan;
use http::Method;

use crate::throttle::RateLimit;

/// One account's two APIs, their quotas and the faults to inject.
///
/// The default has no routes and the quotas of "Amazon API Gateway quotas" in
/// the developer guide, those of an account that never asked for more.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The stage of the WebSocket API; sockets open at `/{stage}`. The HTTP
    /// API serves its `$default` stage, which has no place in the path.
    pub stage: String,
    /// The Region, as it stands in ARNs and signatures.
    pub region: String,
    /// The twelve-digit account number.
    pub account_id: String,
    /// The identifier of the HTTP API.
    pub http_api_id: String,
    /// The identifier of the WebSocket API.
    pub websocket_api_id: String,
    /// The account's request quota: one bucket for HTTP requests, messages
    /// from clients and `@connections` calls. `None` for no limit.
    pub account: Option<RateLimit>,
    /// The quota of new WebSocket connections. `None` for no limit.
    pub connect_rate: Option<RateLimit>,
    /// How many sockets may be open, handshakes under way included; more are
    /// refused with 429 before `$connect` is called. API Gateway has no such
    /// limit, but a machine has one of open files. `None` for no limit.
    pub max_open_sockets: Option<usize>,
    /// After how long without traffic in either direction a socket is closed.
    pub idle_timeout: Duration,
    /// After how long a socket is closed, busy or not.
    pub max_connection_duration: Duration,
    /// The largest frame accepted from a client, and the largest sent to one.
    pub max_frame_bytes: usize,
    /// The largest message accepted from a client or pushed to one.
    pub max_message_bytes: usize,
    /// The largest body of a request to the HTTP API.
    pub max_body_bytes: usize,
    /// How long the HTTP API waits for a function.
    pub http_integration_timeout: Duration,
    /// How long the WebSocket API waits for a function.
    pub websocket_integration_timeout: Duration,
    /// How many messages may wait for one client before a push to it is
    /// answered 429. API Gateway documents no number.
    pub max_queued_messages: usize,
    /// How many bytes may wait for one client before a push to it is answered
    /// 429. A single message is taken whatever its size.
    pub max_queued_bytes: usize,
    /// How many `$disconnect` events are being handled at once; others wait.
    pub max_disconnects_in_flight: usize,
    /// How long a shutdown waits for requests and `$disconnect` events.
    pub shutdown_grace: Duration,
    /// How many connections to simulate: they have the ids of
    /// [`simulated_connection_id`](crate::simulated_connection_id), take pushes
    /// and hold no socket. What they took is told at
    /// `GET /_local/simulated` of the HTTP front, outside every quota.
    pub simulated_connections: u32,
    /// The routes of the HTTP API.
    pub http_routes: Vec<HttpRoute>,
    /// Fixed answers of the HTTP front, outside every quota.
    pub static_routes: Vec<StaticRoute>,
    /// The routes of the WebSocket API.
    pub websocket_routes: WebSocketRoutes,
    /// The faults to inject.
    pub faults: FaultPlan,
}

/// One route of the HTTP API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRoute {
    /// The method; `None` for `ANY`.
    pub method: Option<Method>,
    /// The path, such as `/orders`, `/notifications/{id}` or
    /// `/files/{path+}`, or `$default` for whatever no other route takes.
    pub path: String,
    /// The function behind it.
    pub function: String,
}

/// A fixed answer to `GET` and `HEAD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticRoute {
    /// The whole path.
    pub path: String,
    /// The `content-type` of the answer.
    pub content_type: String,
    /// The body of the answer.
    pub body: Bytes,
}

/// The routes of the WebSocket API: names of functions by route key.
///
/// As on AWS every route is optional: without `$connect` whoever comes is
/// let in, without `$default` an unknown action is answered `Forbidden`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebSocketRoutes {
    /// The authorizer of `$connect`, of the `REQUEST` type.
    pub authorizer: Option<String>,
    /// Behind `$connect`.
    pub connect: Option<String>,
    /// Behind `$disconnect`.
    pub disconnect: Option<String>,
    /// Behind `$default`.
    pub default: Option<String>,
    /// Behind the routes chosen by `$request.body.action`.
    pub custom: BTreeMap<String, String>,
    /// The keys of the routes that have a route response: only there does a
    /// function's `body` reach the client.
    pub route_responses: BTreeSet<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            stage: "prod".to_owned(),
            region: "us-east-1".to_owned(),
            account_id: "123456789012".to_owned(),
            http_api_id: "httpapi000".to_owned(),
            websocket_api_id: "wsapi00000".to_owned(),
            account: Some(RateLimit {
                rate_per_second: 10_000,
                burst: 5_000,
            }),
            connect_rate: Some(RateLimit {
                rate_per_second: 500,
                burst: 500,
            }),
            max_open_sockets: None,
            idle_timeout: Duration::from_mins(10),
            max_connection_duration: Duration::from_hours(2),
            max_frame_bytes: 32 * 1024,
            max_message_bytes: 128 * 1024,
            max_body_bytes: 10 * 1024 * 1024,
            http_integration_timeout: Duration::from_secs(30),
            websocket_integration_timeout: Duration::from_secs(29),
            max_queued_messages: 32,
            max_queued_bytes: 256 * 1024,
            max_disconnects_in_flight: 64,
            shutdown_grace: Duration::from_secs(5),
            simulated_connections: 0,
            http_routes: Vec::new(),
            static_routes: Vec::new(),
            websocket_routes: WebSocketRoutes::default(),
            faults: FaultPlan::default(),
        }
    }
}
