//! A twin of Amazon API Gateway for one machine: an HTTP API, a WebSocket API,
//! and the `@connections` management API on the wire, so that unchanged
//! clients, functions and the real AWS SDK talk to it.
//!
//! [`Gateway`] serves both APIs. Behind its routes stand functions, reached
//! through an [`Integration`]; [`Settings`] holds the routes, AWS's quotas and
//! the faults to inject.
//!
//! It is built for many sockets in one process: one task and a few kilobytes
//! for each, bounded queues everywhere, and one lock of a sharded registry for
//! each push.
//!
//! # Where it differs from AWS
//!
//! - Both fronts speak plain HTTP/1.1; signatures are looked at (present, and
//!   scoped to `execute-api` in the right Region) but not verified.
//! - `requestContext.domainName` is the `Host` that the client used, port
//!   included, so that an address built from it leads back here.
//! - Header names in `$connect` events are written the way browsers and
//!   command-line clients write them (`Sec-WebSocket-Protocol`), because the
//!   HTTP library keeps no letter case.
//! - The messages of one socket reach the function one at a time, in order.

mod body;
mod clock;
mod connections;
mod gateway;
mod http_api;
mod ids;
mod integration;
mod listener;
mod management;
mod reply;
mod settings;
mod simulated;
mod statistics;
mod sync;
mod throttle;
mod uri;
mod websocket;

pub use gateway::Gateway;
pub use integration::{Integration, IntegrationError};
pub use listener::bind;
pub use settings::{HttpRoute, Settings, StaticRoute, WebSocketRoutes};
pub use simulated::simulated_connection_id;
pub use statistics::Statistics;
pub use throttle::{Bucket, RateLimit};
