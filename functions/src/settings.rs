//! The functions' settings: one typed struct each, read from the environment.
//!
//! The names here are the ones that the infrastructure sets; the README lists
//! them with their meanings, and `api/environment.json` by function.
//!
//! Reading goes on where something is wrong, so that everything is told
//! together: only settings of a reader that finishes well are to be used.

#[cfg(test)]
mod environment;
mod process;
mod publisher;
mod subscriber;
mod token;
mod worker;

use std::collections::BTreeMap;
use std::time::Duration;

use fanout_core::aws::SdkConfig;
use fanout_core::aws::dynamodb::{self, Store, Tables};
use fanout_core::aws::sqs::Queues;
use fanout_core::clock::Clock;
use fanout_core::publish::{LARGEST_MESSAGE, Publisher};
use fanout_core::queue::Lane;
use fanout_core::settings::Reader;

pub use self::process::{NotAFilter, Process, parse_filter};
pub use self::publisher::Publish;
pub use self::subscriber::{Authorizer, Connect, Message};
pub use self::token::{Publishers, Subscribers};
pub use self::worker::{PushClient, Worker};

/// API Gateway's frames: a larger message is billed as several
/// (<https://aws.amazon.com/api-gateway/pricing/>).
const DEFAULT_MAX_FRAME_BYTES: usize = 32 * 1024;
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// How a function publishes.
#[derive(Clone, Debug)]
pub struct Publishing {
    /// `NOTIFICATIONS_QUEUE_URL`.
    pub queues: BTreeMap<Lane, String>,
    /// `EVENT_SOURCE`: the `source` of every `CloudEvent`.
    pub event_source: String,
    /// `MAX_FRAME_BYTES`.
    pub max_frame_bytes: usize,
}

impl Publishing {
    fn read(read: &mut Reader) -> Self {
        let queue = read.text("NOTIFICATIONS_QUEUE_URL");
        let source = read.optional_text("EVENT_SOURCE");
        Self {
            queues: BTreeMap::from([(Lane::Notifications, queue)]),
            event_source: source.unwrap_or_else(|| "/notifications".to_owned()),
            max_frame_bytes: read.number(
                "MAX_FRAME_BYTES",
                DEFAULT_MAX_FRAME_BYTES,
                1_024..=LARGEST_MESSAGE,
            ),
        }
    }

    /// Makes the publisher that records in `store`.
    pub(crate) fn publisher(
        self,
        config: &SdkConfig,
        store: Store,
        clock: Clock,
    ) -> Publisher<Store, Queues> {
        Publisher {
            notifications: store,
            queue: Queues::new(config, self.queues),
            clock,
            source: self.event_source,
            max_frame_bytes: self.max_frame_bytes,
        }
    }
}

/// Reads the settings of the tables, which are all that `disconnect` needs.
pub fn store(read: &mut Reader) -> dynamodb::Settings {
    let retention = read.number("RETENTION_SECONDS", 7 * DAY_SECONDS, 60..=365 * DAY_SECONDS);
    dynamodb::Settings {
        tables: Tables {
            connections: read.text("CONNECTIONS_TABLE"),
            subscriptions: read.text("SUBSCRIPTIONS_TABLE"),
            notifications: read.text("NOTIFICATIONS_TABLE"),
        },
        topic_shards: read.number("TOPIC_SHARDS", 4, 1..=1_000),
        retention: Duration::from_secs(retention),
    }
}

fn max_topics(read: &mut Reader) -> usize {
    read.number("MAX_TOPICS", 50, 1..=1_000)
}

fn management_endpoint(read: &mut Reader) -> String {
    let endpoint = read.text("MANAGEMENT_ENDPOINT");
    read.require(endpoint.is_empty() || is_endpoint(&endpoint), || {
        format!(
            "MANAGEMENT_ENDPOINT: expected a URL such as \
             https://API.execute-api.REGION.amazonaws.com/STAGE without /@connections, \
             got {endpoint:?}"
        )
    });
    endpoint
}

fn is_endpoint(url: &str) -> bool {
    let is_http = url.starts_with("https://") || url.starts_with("http://");
    is_http && !url.contains("@connections") && !url.contains("%40connections")
}
