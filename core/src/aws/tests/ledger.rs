//! The ledger over a table that does not always answer.

use aws_config::retry::RetryConfig;
use jiff::Timestamp;
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;

use super::*;
use crate::audience::Slice;
use crate::aws::dynamodb::{self, Store, Tables};
use crate::ledger::{Begun, Lease, Ledger as _};
use crate::notification::NotificationId;
use crate::task::Part;

const FAILED: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
const NOTHING: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
const CANCELLED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 44\r\n\r\n\
                         {\"Item\":{\"cancelRequestedAt\":{\"N\":\"1000\"} }}";

/// A store over a table that answers each `GetItem` so, and everything else with
/// nothing.
async fn store(get_item: &'static str) -> (Store, JoinSet<()>) {
    let table = listen().await;
    let config = config().to_builder();
    let config = config
        .endpoint_url(format!("http://{}", table.local_addr().unwrap()))
        .retry_config(RetryConfig::disabled())
        .build();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut sockets = JoinSet::new();
        loop {
            let (mut socket, _) = table.accept().await.unwrap();
            sockets.spawn(async move {
                let request = read_request(&mut socket, "}").await;
                let answer = if request.contains(".GetItem\r\n") {
                    get_item
                } else {
                    NOTHING
                };
                socket.write_all(answer.as_bytes()).await.unwrap();
            });
        }
    });
    let settings = dynamodb::Settings {
        tables: Tables {
            connections: "connections".to_owned(),
            subscriptions: "subscriptions".to_owned(),
            notifications: "notifications".to_owned(),
        },
        topic_shards: 4,
        retention: Duration::from_hours(1),
    };
    (Store::new(&config, settings, Clock::System), serving)
}

async fn begin(get_item: &'static str, part: Part) -> Begun {
    let (store, _serving) = store(get_item).await;
    let now = Timestamp::UNIX_EPOCH;
    let lease = Lease {
        notification_id: NotificationId::generate(now),
        part,
        owner: "one".to_owned(),
    };
    store.begin(&lease, now, Timestamp::MAX).await.unwrap()
}

fn taken(is_cancelled: bool) -> Begun {
    Begun::Taken {
        progress: None,
        is_cancelled,
    }
}

#[tokio::test]
async fn a_slice_is_begun_whether_or_not_the_cancellation_can_be_looked_up() {
    let slice = Part::of_slice(&Slice::Everyone { segment: 1, of: 4 });
    for (get_item, is_cancelled) in [(CANCELLED, true), (NOTHING, false), (FAILED, false)] {
        assert_eq!(begin(get_item, slice.clone()).await, taken(is_cancelled));
    }
}

#[tokio::test]
async fn for_a_root_nothing_is_looked_up() {
    assert_eq!(begin(CANCELLED, Part::root()).await, taken(false));
}
