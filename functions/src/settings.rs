//! The functions' settings: one typed struct each, read from the environment.
//!
//! The names here are the ones that the infrastructure sets; the README lists
//! them with their meanings.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use fanout_core::aws::dynamodb::{self, Tables};
use fanout_core::fanout::pacer::Share;
use fanout_core::fanout::{self, retry};
use fanout_core::publish::LARGEST_MESSAGE;
use fanout_core::queue::Lane;
use fanout_core::settings::{InvalidConfiguration, Reader};
use fanout_core::worker;

/// API Gateway's frames: a larger message is billed as several
/// (<https://aws.amazon.com/api-gateway/pricing/>).
const DEFAULT_MAX_FRAME_BYTES: usize = 32 * 1024;
/// Two hours, after which API Gateway closes a connection, and ten minutes.
const DEFAULT_CONNECTION_LIFETIME_SECONDS: u64 = 2 * 60 * 60 + 10 * 60;
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// Settings of `connect`.
#[derive(Clone, Debug)]
pub struct Connect {
    /// The tables.
    pub store: dynamodb::Settings,
    /// `TOPICS_PARAMETER`: the query parameter that names topics.
    pub topics_parameter: String,
    /// `MAX_TOPICS`: how many topics one connection may name.
    pub max_topics: usize,
    /// `CONNECTION_LIFETIME_SECONDS`: when a row expires whose socket vanished
    /// without a trace.
    pub connection_lifetime: Duration,
}

/// Settings of `message`.
#[derive(Clone, Debug)]
pub struct Message {
    /// The tables.
    pub store: dynamodb::Settings,
    /// `NOTIFICATIONS_QUEUE_URL`.
    pub queues: BTreeMap<Lane, String>,
    /// `EVENT_SOURCE`: the `source` of every `CloudEvent`.
    pub event_source: String,
    /// `MAX_FRAME_BYTES`.
    pub max_frame_bytes: usize,
    /// `SUBSCRIBER_AUTH`.
    pub subscriber_auth: SubscriberAuth,
    /// `MAX_TOPICS`: how many topics one connection may choose.
    pub max_topics: usize,
    /// `SENDMESSAGE_PER_MINUTE`: how many messages one connection may send; 0
    /// for none at all.
    pub messages_per_minute: u32,
}

/// `SUBSCRIBER_AUTH`: how subscribers say who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriberAuth {
    /// `jwt`: by a token, which the authorizer verifies.
    Jwt,
    /// `off`: they do not.
    Off,
}

/// Settings of `publish`.
#[derive(Clone, Debug)]
pub struct Publish {
    /// The tables.
    pub store: dynamodb::Settings,
    /// `NOTIFICATIONS_QUEUE_URL`.
    pub queues: BTreeMap<Lane, String>,
    /// `EVENT_SOURCE`: the `source` of every `CloudEvent`.
    pub event_source: String,
    /// `MAX_FRAME_BYTES`.
    pub max_frame_bytes: usize,
}

/// Settings of `worker`, for either lane.
#[derive(Clone, Debug)]
pub struct Worker {
    /// The tables.
    pub store: dynamodb::Settings,
    /// `NOTIFICATIONS_QUEUE_URL`, `SLICES_QUEUE_URL`, `DEAD_LETTER_QUEUE_URL`.
    pub queues: BTreeMap<Lane, String>,
    /// `MANAGEMENT_ENDPOINT`: the stage whose `@connections` are pushed to.
    pub management_endpoint: String,
    /// `PUSH_RATE_PER_SECOND` and `PUSH_BURST`: this worker's share of the
    /// account's quota.
    pub share: Share,
    /// `PUSH_TIMEOUT_MS`: how long one attempt may take.
    pub push_timeout: Duration,
    /// How it cuts, tries again and stops.
    pub worker: worker::Settings,
}

impl Connect {
    /// Reads the settings.
    pub fn read(mut read: Reader) -> Result<Self, InvalidConfiguration> {
        let lifetime = read.number(
            "CONNECTION_LIFETIME_SECONDS",
            DEFAULT_CONNECTION_LIFETIME_SECONDS,
            1..=DAY_SECONDS,
        );
        let settings = Self {
            store: store(&mut read),
            topics_parameter: read
                .optional_text("TOPICS_PARAMETER")
                .unwrap_or_else(|| "topics".to_owned()),
            max_topics: max_topics(&mut read),
            connection_lifetime: Duration::from_secs(lifetime),
        };
        read.finish(settings)
    }
}

/// Reads the settings of a function that needs the tables alone.
pub fn read_store(mut read: Reader) -> Result<dynamodb::Settings, InvalidConfiguration> {
    let settings = store(&mut read);
    read.finish(settings)
}

impl Message {
    /// Reads the settings.
    pub fn read(mut read: Reader) -> Result<Self, InvalidConfiguration> {
        let known = [("jwt", SubscriberAuth::Jwt), ("off", SubscriberAuth::Off)];
        let settings = Self {
            store: store(&mut read),
            queues: BTreeMap::from([(Lane::Notifications, read.text("NOTIFICATIONS_QUEUE_URL"))]),
            event_source: event_source(&mut read),
            max_frame_bytes: max_frame_bytes(&mut read),
            subscriber_auth: read.one_of("SUBSCRIBER_AUTH", &known, SubscriberAuth::Jwt),
            max_topics: max_topics(&mut read),
            messages_per_minute: read.number("SENDMESSAGE_PER_MINUTE", 30, 0..=60_000),
        };
        read.finish(settings)
    }
}

impl Publish {
    /// Reads the settings.
    pub fn read(mut read: Reader) -> Result<Self, InvalidConfiguration> {
        let settings = Self {
            store: store(&mut read),
            queues: BTreeMap::from([(Lane::Notifications, read.text("NOTIFICATIONS_QUEUE_URL"))]),
            event_source: event_source(&mut read),
            max_frame_bytes: max_frame_bytes(&mut read),
        };
        read.finish(settings)
    }
}

impl Worker {
    /// Reads the settings.
    pub fn read(mut read: Reader) -> Result<Self, InvalidConfiguration> {
        let store = store(&mut read);
        let queues = BTreeMap::from([
            (Lane::Notifications, read.text("NOTIFICATIONS_QUEUE_URL")),
            (Lane::Slices, read.text("SLICES_QUEUE_URL")),
            (Lane::DeadLetters, read.text("DEAD_LETTER_QUEUE_URL")),
        ]);
        let management_endpoint = read.text("MANAGEMENT_ENDPOINT");
        read.require(
            management_endpoint.is_empty() || is_endpoint(&management_endpoint),
            || {
                format!(
                    "MANAGEMENT_ENDPOINT: expected a URL such as \
                     https://API.execute-api.REGION.amazonaws.com/STAGE without /@connections, \
                     got {management_endpoint:?}"
                )
            },
        );
        let push_timeout = read.milliseconds("PUSH_TIMEOUT_MS", 3_000, 100..=29_000);
        let deadline_margin = read.milliseconds("DEADLINE_MARGIN_MS", 6_000, 200..=60_000);
        let last_word = worker::last_word(deadline_margin);
        read.require(deadline_margin >= push_timeout + last_word, || {
            format!(
                "DEADLINE_MARGIN_MS: must be at least PUSH_TIMEOUT_MS and {} more, \
                 so that pushes in flight can end and be written down",
                last_word.as_millis()
            )
        });
        let max_in_flight = read.number("MAX_IN_FLIGHT", 256, 1..=900);
        let settings = Self {
            share: Share {
                rate: read.positive("PUSH_RATE_PER_SECOND"),
                burst: NonZeroU32::new(read.number("PUSH_BURST", 100, 1..=u32::MAX))
                    .unwrap_or(NonZeroU32::MIN),
            },
            worker: worker::Settings {
                fanout: fanout::Settings {
                    max_in_flight,
                    max_outstanding: read.number("MAX_OUTSTANDING", 1_000, 1..=2_000),
                    page_size: read.number("PAGE_SIZE", 1_000, 1..=10_000),
                    retry: retry::Policy {
                        max_failed: read.number("MAX_FAILED", 8, 1..=100),
                        max_throttled: read.number("MAX_THROTTLED", 100, 1..=10_000),
                        base: read.milliseconds("RETRY_BASE_MS", 100, 1..=60_000),
                        cap: read.milliseconds("RETRY_CAP_MS", 5_000, 1..=900_000),
                    },
                    patience: read.milliseconds("PATIENCE_MS", 1_000, 0..=60_000),
                    handshake_grace: read.milliseconds("HANDSHAKE_GRACE_MS", 30_000, 0..=60_000),
                    checkpoint_every: read.milliseconds("CHECKPOINT_MS", 1_000, 100..=60_000),
                },
                small_audience: read.number("SMALL_AUDIENCE", 1_000, 0..=2_000),
                segments: read.number("SEGMENTS", 8, 1..=128),
                topic_shards: store.topic_shards,
                deadline_margin,
            },
            store,
            queues,
            management_endpoint,
            push_timeout,
        };
        read.finish(settings)
    }
}

fn max_topics(read: &mut Reader) -> usize {
    read.number("MAX_TOPICS", 50, 1..=1_000)
}

fn event_source(read: &mut Reader) -> String {
    let source = read.optional_text("EVENT_SOURCE");
    source.unwrap_or_else(|| "/notifications".to_owned())
}

fn max_frame_bytes(read: &mut Reader) -> usize {
    read.number(
        "MAX_FRAME_BYTES",
        DEFAULT_MAX_FRAME_BYTES,
        1_024..=LARGEST_MESSAGE,
    )
}

fn store(read: &mut Reader) -> dynamodb::Settings {
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

fn is_endpoint(url: &str) -> bool {
    let is_http = url.starts_with("https://") || url.starts_with("http://");
    is_http && !url.contains("@connections") && !url.contains("%40connections")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKER: [(&str, &str); 8] = [
        ("CONNECTIONS_TABLE", "connections"),
        ("SUBSCRIPTIONS_TABLE", "subscriptions"),
        ("NOTIFICATIONS_TABLE", "notifications"),
        ("NOTIFICATIONS_QUEUE_URL", "http://sqs/1/notifications"),
        ("SLICES_QUEUE_URL", "http://sqs/1/slices"),
        ("DEAD_LETTER_QUEUE_URL", "http://sqs/1/dead-letters"),
        ("MANAGEMENT_ENDPOINT", "https://api.example/prod"),
        ("PUSH_RATE_PER_SECOND", "1000"),
    ];

    fn worker_with(changes: &[(&str, &str)]) -> Result<Worker, String> {
        let environment = WORKER.iter().chain(changes);
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Worker::read(Reader::new(environment.map(own).collect())).map_err(|e| e.to_string())
    }

    #[test]
    fn a_worker_needs_no_more_than_where_and_how_fast() {
        let settings = worker_with(&[]).unwrap();
        assert_eq!(settings.share.rate.get(), 1_000);
        assert_eq!(settings.worker.fanout.max_in_flight, 256);
    }

    #[test]
    fn messages_are_not_taken_until_it_is_said_who_may_send_them() {
        let message_with = |changes: &[(&str, &str)]| {
            let environment = WORKER.iter().chain(changes);
            let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            let read = Message::read(Reader::new(environment.map(own).collect()));
            read.map_err(|problem| problem.to_string())
        };
        let settings = message_with(&[("SUBSCRIBER_AUTH", "off")]).unwrap();
        assert_eq!(settings.subscriber_auth, SubscriberAuth::Off);
        assert_eq!(
            (settings.max_topics, settings.messages_per_minute),
            (50, 30)
        );
        let problem = message_with(&[]).unwrap_err();
        assert!(problem.ends_with("SUBSCRIBER_AUTH: not set"), "{problem}");
        let problem = message_with(&[("SUBSCRIBER_AUTH", "none")]).unwrap_err();
        assert!(problem.contains("expected one of jwt, off"), "{problem}");
    }

    #[test]
    fn an_endpoint_with_the_path_of_the_api_in_it_is_refused() {
        for endpoint in ["api.example/prod", "https://api.example/prod/@connections"] {
            let problem = worker_with(&[("MANAGEMENT_ENDPOINT", endpoint)]).unwrap_err();
            assert!(problem.contains("without /@connections"), "{problem}");
        }
    }

    #[test]
    fn pushes_in_flight_must_have_time_to_end() {
        let problem = worker_with(&[("DEADLINE_MARGIN_MS", "4000")]).unwrap_err();
        assert!(
            problem.contains("at least PUSH_TIMEOUT_MS and 2000 more"),
            "{problem}"
        );
    }

    #[test]
    fn an_empty_environment_is_told_everything_that_is_missing() {
        let problem = Worker::read(Reader::new(BTreeMap::new()))
            .unwrap_err()
            .to_string();
        for (name, _) in WORKER {
            assert!(
                problem.contains(&format!("{name}: not set")),
                "{name}: {problem}"
            );
        }
    }
}
