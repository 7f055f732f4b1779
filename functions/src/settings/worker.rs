//! Settings of the worker.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use fanout_core::aws::dynamodb;
use fanout_core::fanout::pacer::Share;
use fanout_core::fanout::{self, retry};
use fanout_core::queue::Lane;
use fanout_core::settings::Reader;
use fanout_core::worker;

use super::{management_endpoint, store};

/// What pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushClient {
    /// Requests of this project's own, a fraction of the cost.
    Own,
    /// The AWS SDK.
    Sdk,
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
    /// `PUSH_CLIENT`: what pushes, `own` or `sdk`.
    pub push_client: PushClient,
    /// `PUSH_TIMEOUT_MS`: how long one attempt may take.
    pub push_timeout: Duration,
    /// How it cuts, tries again and stops.
    pub worker: worker::Settings,
}

impl Worker {
    /// Reads the settings.
    pub fn read(read: &mut Reader) -> Self {
        let store = store(read);
        let queues = BTreeMap::from([
            (Lane::Notifications, read.text("NOTIFICATIONS_QUEUE_URL")),
            (Lane::Slices, read.text("SLICES_QUEUE_URL")),
            (Lane::DeadLetters, read.text("DEAD_LETTER_QUEUE_URL")),
        ]);
        let management_endpoint = management_endpoint(read);
        let clients = [("own", PushClient::Own), ("sdk", PushClient::Sdk)];
        let push_client = read.one_of_or("PUSH_CLIENT", &clients, PushClient::Own);
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
        Self {
            share: Share {
                rate: read.positive("PUSH_RATE_PER_SECOND"),
                burst: NonZeroU32::new(read.number("PUSH_BURST", 100, 1..=u32::MAX))
                    .unwrap_or(NonZeroU32::MIN),
            },
            worker: worker::Settings {
                fanout: fanout::Settings {
                    max_in_flight,
                    max_outstanding: read.number("MAX_OUTSTANDING", 1_000, 1..=2_000),
                    page_size: read.number("PAGE_SIZE", 1_500, 1..=10_000),
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
            push_client,
            push_timeout,
        }
    }
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
        read(environment.map(own).collect())
    }

    fn read(environment: BTreeMap<String, String>) -> Result<Worker, String> {
        let mut read = Reader::new(environment);
        let settings = Worker::read(&mut read);
        read.finish(settings).map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_worker_needs_no_more_than_where_and_how_fast() {
        let settings = worker_with(&[]).unwrap();
        assert_eq!(settings.share.rate.get(), 1_000);
        assert_eq!(settings.worker.fanout.max_in_flight, 256);
        assert_eq!(settings.push_client, PushClient::Own);
    }

    #[test]
    fn what_pushes_is_chosen_by_name() {
        let settings = worker_with(&[("PUSH_CLIENT", "sdk")]).unwrap();
        assert_eq!(settings.push_client, PushClient::Sdk);
        let problem = worker_with(&[("PUSH_CLIENT", "curl")]).unwrap_err();
        assert!(problem.contains("expected one of own, sdk"), "{problem}");
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
        let problem = read(BTreeMap::new()).unwrap_err();
        for (name, _) in WORKER {
            assert!(
                problem.contains(&format!("{name}: not set")),
                "{name}: {problem}"
            );
        }
    }
}
