//! What every registry of connections promises, and every store of
//! notifications, held by those in memory and by those in `DynamoDB`.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod embedded;

use std::collections::BTreeSet;

use fanout_core::audience::{Audience, Slice};
use fanout_core::clock::Clock;
use fanout_core::connection::{Connection, ConnectionId, Recipient};
use fanout_core::memory::MemoryStore;
use fanout_core::store::{Counted, Forget, MAX_TOPICS_AT_ONCE, Registry, Relistened};
use fanout_core::topic::Topic;
use futures::future::join_all;
use jiff::Timestamp;

/// Into how many shards a topic is stored.
const SHARDS: u16 = 4;

trait Tables: Registry + Forget + Audience {}

impl<T: Registry + Forget + Audience> Tables for T {}

macro_rules! promises {
    ($($promise:ident,)*) => {
        mod in_memory {
            $(
                #[tokio::test]
                async fn $promise() {
                    let clock = crate::Clock::starting_at(crate::Timestamp::UNIX_EPOCH);
                    super::$promise(&crate::MemoryStore::new(clock, crate::SHARDS)).await;
                }
            )*
        }

        mod in_dynamodb {
            $(
                #[tokio::test]
                async fn $promise() {
                    let (store, _server) = crate::embedded::dynamodb().await;
                    super::$promise(&store).await;
                }
            )*
        }
    };
}

// Below the macro, because they use it.
mod ledger;
mod notifications;

promises! {
    topics_come_and_go_with_their_subscriptions,
    as_many_topics_as_one_message_names_change_at_once,
    a_connection_that_is_not_as_it_was_read_is_not_changed,
    changes_at_the_same_time_are_all_made,
    a_connection_forgotten_while_it_subscribes_leaves_nothing,
    a_subscription_that_the_row_does_not_name_is_forgotten_too,
    messages_are_counted_by_the_window,
    no_more_messages_than_allowed_are_counted_at_once,
    a_connection_that_is_not_stored_sends_nothing,
}

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap()
}

fn topics(names: &[&str]) -> Vec<Topic> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn numbered_topics(count: usize) -> Vec<Topic> {
    let names = (0..count).map(|n| format!("topic/{n}"));
    names.map(|name| name.parse().unwrap()).collect()
}

fn recipient(connection: &Connection) -> Recipient {
    Recipient {
        connection_id: connection.id.clone(),
        connected_at: connection.connected_at,
    }
}

/// Opens a connection and returns it as it is stored.
async fn open(tables: &impl Tables, id: &str, topics: Vec<Topic>) -> Connection {
    let connection = Connection {
        id: id.into(),
        connected_at: at(1_000),
        expires_at: at(10_000_000),
        user_id: Some("u1".to_owned()),
        org_id: Some("o1".to_owned()),
        topics,
    };
    tables.open(&connection).await.unwrap();
    find(tables, id).await
}

/// The topics to which a connection of [`open`] listens by itself.
fn of_token() -> [Topic; 2] {
    [Topic::of_user("u1").unwrap(), Topic::of_org("o1").unwrap()]
}

async fn find(tables: &impl Tables, id: &str) -> Connection {
    tables.find(&id.into()).await.unwrap().unwrap()
}

/// Who listens to a topic.
async fn listeners(tables: &impl Tables, topic: &Topic) -> Vec<ConnectionId> {
    let pages = (0..SHARDS).map(async |shard| {
        let topic = topic.clone();
        let slice = Slice::Topic { topic, shard };
        tables.page(&slice, None, 1_000).await.unwrap().recipients
    });
    let recipients = join_all(pages).await.into_iter().flatten();
    recipients.map(|found| found.connection_id).collect()
}

/// What a connection listens to, by its row; its subscriptions must say the
/// same of `all` topics.
async fn listens_to(tables: &impl Tables, id: &str, all: &[Topic]) -> BTreeSet<Topic> {
    let stored = tables.find(&id.into()).await.unwrap();
    let by_row: BTreeSet<Topic> = stored.into_iter().flat_map(|row| row.topics).collect();
    for topic in all {
        let is_listening = listeners(tables, topic).await.contains(&id.into());
        assert_eq!(is_listening, by_row.contains(topic), "{topic}");
    }
    by_row
}

async fn topics_come_and_go_with_their_subscriptions(tables: &impl Tables) {
    let all = topics(&["a", "b", "c"]);
    let mut connection = open(tables, "one", Vec::new()).await;
    let other = open(tables, "other", topics(&["a"])).await;
    for next in [
        topics(&["b", "a"]),
        topics(&["c", "b"]),
        Vec::new(),
        topics(&["c"]),
    ] {
        let relistened = tables.relisten(&connection, &next).await.unwrap();
        assert_eq!(relistened, Relistened::Changed);
        connection = find(tables, "one").await;
        let expected = next.into_iter().collect();
        assert_eq!(listens_to(tables, "one", &all).await, expected);
    }
    assert_eq!(find(tables, "other").await, other);
    assert_eq!(
        listens_to(tables, "other", &all).await,
        topics(&["a"]).into_iter().collect()
    );
    for topic in of_token() {
        let listening = listeners(tables, &topic).await.len();
        assert_eq!(listening, 2, "{topic} stays");
    }
}

async fn as_many_topics_as_one_message_names_change_at_once(tables: &impl Tables) {
    let all = numbered_topics(MAX_TOPICS_AT_ONCE);
    let connection = open(tables, "one", Vec::new()).await;
    let relistened = tables.relisten(&connection, &all).await.unwrap();
    assert_eq!(relistened, Relistened::Changed);
    assert_eq!(listens_to(tables, "one", &all).await.len(), all.len());
    let connection = find(tables, "one").await;
    tables.relisten(&connection, &[]).await.unwrap();
    assert_eq!(listens_to(tables, "one", &all).await.len(), 0);
}

async fn a_connection_that_is_not_as_it_was_read_is_not_changed(tables: &impl Tables) {
    let all = topics(&["a", "b", "c"]);
    let read = open(tables, "one", topics(&["a"])).await;
    let changed = tables.relisten(&read, &topics(&["b"])).await.unwrap();
    assert_eq!(changed, Relistened::Changed);
    let another_life = Connection {
        connected_at: at(2_000),
        topics: topics(&["b"]),
        ..read.clone()
    };
    let none = Connection {
        topics: Vec::new(),
        ..read.clone()
    };
    let another = Connection {
        id: "two".into(),
        ..read.clone()
    };
    for stale in [&read, &another_life, &none, &another] {
        let relistened = tables.relisten(stale, &topics(&["c"])).await.unwrap();
        assert_eq!(relistened, Relistened::Stale, "{stale:?}");
    }
    let expected = topics(&["b"]).into_iter().collect();
    assert_eq!(listens_to(tables, "one", &all).await, expected);
    assert_eq!(tables.find(&"two".into()).await.unwrap(), None);
}

/// Subscribes to a topic or leaves it, as often as it takes; returns whether
/// the connection is still there.
async fn toggle(tables: &impl Tables, id: &str, topic: &Topic, is_wanted: bool) -> bool {
    loop {
        // What is in memory never waits, and would never let others at it.
        tokio::task::yield_now().await;
        let Some(read) = tables.find(&id.into()).await.unwrap() else {
            return false;
        };
        let others = read.topics.iter().filter(|other| *other != topic);
        let next = others.chain(is_wanted.then_some(topic));
        let next: Vec<Topic> = next.cloned().collect();
        if tables.relisten(&read, &next).await.unwrap() == Relistened::Changed {
            return true;
        }
    }
}

async fn changes_at_the_same_time_are_all_made(tables: &impl Tables) {
    let all = numbered_topics(6);
    open(tables, "one", Vec::new()).await;
    let changing = all.iter().enumerate().map(async |(n, topic)| {
        for round in 0..5 {
            assert!(toggle(tables, "one", topic, (n + round) % 2 == 0).await);
        }
    });
    join_all(changing).await;
    let wanted = all.iter().enumerate().filter(|(n, _)| n % 2 == 0);
    let wanted = wanted.map(|(_, topic)| topic.clone()).collect();
    assert_eq!(listens_to(tables, "one", &all).await, wanted);
}

async fn a_connection_forgotten_while_it_subscribes_leaves_nothing(tables: &impl Tables) {
    let all = numbered_topics(3);
    for _ in 0..3 {
        let gone = recipient(&open(tables, "one", topics(&["topic/0"])).await);
        let changing = all.iter().map(async |topic| {
            let mut is_wanted = false;
            while toggle(tables, "one", topic, is_wanted).await {
                is_wanted = !is_wanted;
            }
        });
        let forgetting = async {
            // Gives up where the topics keep changing, to be called again.
            while tables.find(&gone.connection_id).await.unwrap().is_some() {
                tables
                    .forget(std::slice::from_ref(&gone), None)
                    .await
                    .unwrap();
            }
        };
        tokio::join!(join_all(changing), forgetting);
        assert!(listens_to(tables, "one", &all).await.is_empty());
        for topic in of_token() {
            assert!(listeners(tables, &topic).await.is_empty(), "{topic}");
        }
    }
}

async fn a_subscription_that_the_row_does_not_name_is_forgotten_too(tables: &impl Tables) {
    let found_in = topics(&["a"]);
    open(tables, "one", found_in.clone()).await;
    // The row is written anew: it does not know the subscription.
    let gone = recipient(&open(tables, "one", topics(&["b"])).await);
    tables.forget(&[gone], found_in.first()).await.unwrap();
    let all: Vec<_> = topics(&["a", "b"]).into_iter().chain(of_token()).collect();
    assert!(listens_to(tables, "one", &all).await.is_empty());
    assert_eq!(tables.find(&"one".into()).await.unwrap(), None);
}

async fn messages_are_counted_by_the_window(tables: &impl Tables) {
    let sender = recipient(&open(tables, "one", topics(&["a"])).await);
    let count = async |window| tables.count_message(&sender, window, 2).await.unwrap();
    assert_eq!(count(7).await, Counted::Within);
    assert_eq!(count(7).await, Counted::Within);
    assert_eq!(count(7).await, Counted::Over);
    assert_eq!(count(9).await, Counted::Within);
    // By a clock that is behind.
    assert_eq!(count(8).await, Counted::Within);
    assert_eq!(count(8).await, Counted::Over);
    assert_eq!(count(9).await, Counted::Over);
    // Counting and topics leave each other alone.
    let read = find(tables, "one").await;
    let relistened = tables.relisten(&read, &topics(&["b"])).await.unwrap();
    assert_eq!(relistened, Relistened::Changed);
    assert_eq!(count(9).await, Counted::Over);
    assert_eq!(
        tables.count_message(&sender, 9, 0).await.unwrap(),
        Counted::Over
    );
}

async fn no_more_messages_than_allowed_are_counted_at_once(tables: &impl Tables) {
    let sender = recipient(&open(tables, "one", Vec::new()).await);
    for window in [1, 2] {
        let counting = (0..30).map(|_| tables.count_message(&sender, window, 10));
        let counted = join_all(counting).await.into_iter().map(Result::unwrap);
        let within = counted.filter(|counted| *counted == Counted::Within);
        assert_eq!(within.count(), 10);
    }
}

async fn a_connection_that_is_not_stored_sends_nothing(tables: &impl Tables) {
    let sender = recipient(&open(tables, "one", Vec::new()).await);
    let other = Recipient {
        connected_at: at(2_000),
        ..sender.clone()
    };
    let unknown = tables.count_message(&other, 1, 10).await.unwrap();
    assert_eq!(unknown, Counted::Unknown);
    tables
        .forget(std::slice::from_ref(&sender), None)
        .await
        .unwrap();
    let unknown = tables.count_message(&sender, 1, 10).await.unwrap();
    assert_eq!(unknown, Counted::Unknown);
}
