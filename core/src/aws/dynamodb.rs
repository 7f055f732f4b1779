//! The three tables, as the registry of connections and the audiences in it,
//! and as the notifications with their ledger and the idempotency keys.

mod attributes;
mod audience;
mod idempotency;
mod ledger;
mod notifications;
mod registry;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::topic::Topic;

/// The names of the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    /// `connectionId` → one row for each open socket.
    pub connections: String,
    /// `topicShard`, `connectionId` → who listens to a topic.
    pub subscriptions: String,
    /// `notificationId`, `part` → the notification, and its ledger.
    pub notifications: String,
}

/// How the tables are used.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The tables.
    pub tables: Tables,
    /// Into how many shards each topic's subscriptions are stored. Changing it
    /// hides subscriptions that were stored before.
    pub topic_shards: u16,
    /// How long a notification and its ledger are kept.
    pub retention: Duration,
}

/// The tables in DynamoDB.
#[derive(Clone, Debug)]
pub struct Store {
    client: Client,
    settings: Settings,
    clock: Clock,
}

impl Store {
    /// Makes a store over the tables.
    #[must_use]
    pub fn new(config: &SdkConfig, settings: Settings, clock: Clock) -> Self {
        Self {
            client: Client::new(config),
            settings,
            clock,
        }
    }

    /// The key of a topic's shard.
    fn topic_shard(topic: &Topic, shard: u16) -> String {
        format!("{topic}#{shard}")
    }

    /// When a row of the notifications table may be deleted.
    fn retained_until(&self, now: Timestamp) -> Timestamp {
        let retention = SignedDuration::try_from(self.settings.retention);
        now + retention.unwrap_or(SignedDuration::ZERO)
    }
}

/// Whether a write was refused because its condition did not hold.
fn is_refused(error: &impl ProvideErrorMetadata) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}
