//! The tables in an embedded DynamoDB, over HTTP, by the real SDK.

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, Region, SharedCredentialsProvider};
use dynoxide::Database;
use fanout_core::aws::dynamodb::{Settings, Store, Tables};
use fanout_core::clock::Clock;
use fanout_core::notification::NotificationId;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::SHARDS;

/// Creates the tables and returns a store over them, and the server.
pub(crate) async fn dynamodb() -> (Store, JoinSet<()>) {
    // Longer than keys are kept.
    dynamodb_keeping(Duration::from_hours(48)).await.0
}

/// Creates the tables, in which notifications are kept for so long; returns
/// them beside a store over them and the server.
pub(crate) async fn dynamodb_keeping(retention: Duration) -> ((Store, JoinSet<()>), Database) {
    let database = Database::memory().unwrap();
    for table in [
        table("connections", "connectionId", None),
        table("subscriptions", "topicShard", Some("connectionId")),
        table("notifications", "notificationId", Some("part")),
    ] {
        database
            .create_table(serde_json::from_value(table).unwrap())
            .unwrap();
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = JoinSet::new();
    server.spawn(dynoxide::server::serve_on(listener, database.clone()));
    let credentials = Credentials::new("id", "secret", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(format!("http://{address}"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let settings = Settings {
        tables: Tables {
            connections: "connections".to_owned(),
            subscriptions: "subscriptions".to_owned(),
            notifications: "notifications".to_owned(),
        },
        topic_shards: SHARDS,
        retention,
    };
    let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
    let store = Store::new(&config, settings, clock);
    ((store, server), database)
}

/// Deletes the row of a notification, and nothing else.
pub(crate) fn delete_notification(database: &Database, id: NotificationId) {
    let request = json!({
        "TableName": "notifications",
        "Key": {"notificationId": {"S": id.to_string()}, "part": {"S": "notification"}},
    });
    let request = serde_json::from_value(request).unwrap();
    database.delete_item(request).unwrap();
}

fn table(name: &str, partition_key: &str, sort_key: Option<&str>) -> Value {
    let keys = std::iter::once((partition_key, "HASH")).chain(sort_key.map(|key| (key, "RANGE")));
    let schema: Vec<_> = keys
        .clone()
        .map(|(key, kind)| json!({"AttributeName": key, "KeyType": kind}))
        .collect();
    let attributes: Vec<_> = keys
        .map(|(key, _)| json!({"AttributeName": key, "AttributeType": "S"}))
        .collect();
    json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": schema,
        "AttributeDefinitions": attributes,
    })
}
