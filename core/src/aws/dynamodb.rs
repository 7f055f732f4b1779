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
use aws_sdk_dynamodb::types::CancellationReason;
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

/// Whether a transaction was cancelled for what passes: somebody else was at
/// the same rows, or there were too many writes at once, and nothing else is
/// wrong. A reason is given for every item, `None` for those that are not to
/// blame
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>).
fn is_passing(reasons: &[CancellationReason]) -> bool {
    let codes = || reasons.iter().filter_map(CancellationReason::code);
    let passes = |code| {
        matches!(
            code,
            "ConditionalCheckFailed"
                | "TransactionConflict"
                | "ThrottlingError"
                | "ProvisionedThroughputExceeded"
        )
    };
    codes().any(passes) && codes().all(|code| code == "None" || passes(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(codes: &[&str], expected: bool) {
        let reason = |code: &&str| CancellationReason::builder().code(*code).build();
        let reasons: Vec<_> = codes.iter().map(reason).collect();
        assert_eq!(is_passing(&reasons), expected, "{codes:?}");
    }

    #[test]
    fn what_passes_is_told_from_what_is_wrong() {
        check(&["ConditionalCheckFailed", "None"], true);
        check(
            &["TransactionConflict", "None", "TransactionConflict"],
            true,
        );
        check(&["None", "ThrottlingError"], true);
        check(
            &["ProvisionedThroughputExceeded", "TransactionConflict"],
            true,
        );
        check(&["None", "ValidationError"], false);
        check(&["TransactionConflict", "ValidationError"], false);
        check(&["ConditionalCheckFailed", "ValidationError"], false);
        check(
            &["ThrottlingError", "ItemCollectionSizeLimitExceeded"],
            false,
        );
        check(&["ItemCollectionSizeLimitExceeded", "None"], false);
        check(&["None", "None"], false);
        check(&[], false);
    }
}
