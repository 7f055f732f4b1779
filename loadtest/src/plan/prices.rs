//! What AWS charges and allows: every figure from outside, in one table.

use serde::Serialize;

/// A price of us-east-1, without free tiers and volume discounts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Price {
    /// What is charged for.
    pub what: &'static str,
    /// US dollars for one of them.
    pub usd: f64,
    /// When the price was taken from the list: year and month.
    pub as_of: &'static str,
    /// The list.
    pub source: &'static str,
}

const API_GATEWAY: &str = "https://aws.amazon.com/api-gateway/pricing/";
const LAMBDA: &str = "https://aws.amazon.com/lambda/pricing/";
const DYNAMODB: &str = "https://aws.amazon.com/dynamodb/pricing/on-demand/";
const SQS: &str = "https://aws.amazon.com/sqs/pricing/";
const TRANSFER: &str = "https://aws.amazon.com/ec2/pricing/on-demand/";

/// A WebSocket message of up to 32 KB, in either direction.
pub const MESSAGE: Price = Price {
    what: "WebSocket message, each 32 KB",
    usd: 1.00e-6,
    as_of: "2026-11",
    source: API_GATEWAY,
};
/// A minute of a WebSocket connection.
pub const CONNECTION_MINUTE: Price = Price {
    what: "WebSocket connection minute",
    usd: 0.25e-6,
    as_of: "2026-11",
    source: API_GATEWAY,
};
/// A request to an HTTP API of up to 512 KB.
pub const HTTP_REQUEST: Price = Price {
    what: "HTTP API request",
    usd: 1.00e-6,
    as_of: "2025-06",
    source: API_GATEWAY,
};
/// An invocation of a function.
pub const INVOCATION: Price = Price {
    what: "Lambda request",
    usd: 0.20e-6,
    as_of: "2025-06",
    source: LAMBDA,
};
/// A gigabyte of a function's memory for a second, on arm64.
pub const GB_SECOND: Price = Price {
    what: "Lambda GB-second, arm64",
    usd: 0.000_013_333_4,
    as_of: "2025-06",
    source: LAMBDA,
};
/// A write of up to 1 KB to an on-demand table.
pub const WRITE_UNIT: Price = Price {
    what: "DynamoDB write request unit, on demand",
    usd: 0.625e-6,
    as_of: "2025-06",
    source: DYNAMODB,
};
/// A strongly consistent read of up to 4 KB from an on-demand table.
pub const READ_UNIT: Price = Price {
    what: "DynamoDB read request unit, on demand",
    usd: 0.125e-6,
    as_of: "2025-06",
    source: DYNAMODB,
};
/// A request of up to 64 KB to a standard queue.
pub const QUEUE_REQUEST: Price = Price {
    what: "SQS request, standard, each 64 KB",
    usd: 0.40e-6,
    as_of: "2025-06",
    source: SQS,
};
/// A gigabyte sent to the internet.
pub const TRANSFER_GB: Price = Price {
    what: "data transfer out, GB",
    usd: 0.09,
    as_of: "2025-06",
    source: TRANSFER,
};

/// Every price that a plan uses.
pub const ALL: [Price; 9] = [
    MESSAGE,
    CONNECTION_MINUTE,
    HTTP_REQUEST,
    INVOCATION,
    GB_SECOND,
    WRITE_UNIT,
    READ_UNIT,
    QUEUE_REQUEST,
    TRANSFER_GB,
];

/// How long API Gateway keeps a WebSocket open, in seconds
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>).
pub const CONNECTION_LIFETIME_SECONDS: u64 = 2 * 3_600;

/// The largest WebSocket message in bytes (the same page).
pub const LARGEST_MESSAGE_BYTES: u32 = 128 * 1_024;

/// What one charged WebSocket message holds, in bytes.
pub const MESSAGE_UNIT_BYTES: u64 = 32 * 1_024;

/// What one charged SQS request holds, in bytes.
pub const QUEUE_UNIT_BYTES: u64 = 64 * 1_024;

/// What one write request unit holds, in bytes.
pub const WRITE_UNIT_BYTES: u64 = 1_024;

/// What one read request unit holds, in bytes, read consistently.
pub const READ_UNIT_BYTES: u64 = 4 * 1_024;
