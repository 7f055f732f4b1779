//! What a client listens to, changed over its socket.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::stack::{Stack, Subscriber, token};

fn subscribe(topics: &[&str]) -> Value {
    json!({"action": "subscribe", "topics": topics})
}

fn unsubscribe(topics: &[&str]) -> Value {
    json!({"action": "unsubscribe", "topics": topics})
}

impl Stack {
    /// Publishes to a topic and returns how many were listening.
    async fn listeners(&self, topic: &str) -> Value {
        let body = json!({"type": "t", "data": 1, "target": {"topic": topic}});
        let location = self.publish("/notifications", &body.to_string()).await;
        self.settled(&location).await["targeted"].clone()
    }
}

#[tokio::test]
async fn who_subscribes_is_reached_until_it_unsubscribes() {
    let stack = Stack::start(&[]).await;
    let mut subscriber = stack.subscribe("?topics=b").await;
    let mut other = stack.subscribe("?topics=b").await;
    assert_eq!(stack.listeners("a").await, 0);

    let answer = subscriber.ask(subscribe(&["c", "a", "c"])).await;
    let all = json!(["a", "b", "c"]);
    assert_eq!(answer, json!({"type": "subscribed", "topics": all}));
    assert_eq!(stack.listeners("a").await, 1);
    assert_eq!(subscriber.frame().await["subject"], "a");
    let who = subscriber.ask(json!({"action": "whoami"})).await;
    assert_eq!(who["topics"], all);

    let answer = subscriber.ask(unsubscribe(&["a", "b", "never"])).await;
    assert_eq!(answer, json!({"type": "unsubscribed", "topics": ["c"]}));
    assert_eq!(stack.listeners("a").await, 0);
    assert_eq!(stack.listeners("b").await, 1);
    assert_eq!(subscriber.count_arrived().await, 0);
    assert_eq!(other.count_arrived().await, 1);
}

#[tokio::test]
async fn topics_that_cannot_be_chosen_are_named_and_change_nothing() {
    let stack = Stack::start(&["--env", "MAX_TOPICS=3"]).await;
    let mut subscriber = stack.subscribe("?topics=a").await;
    for (message, code, named) in [
        (subscribe(&["b", "c", "d"]), "too_many_topics", json!(null)),
        (subscribe(&["b"; 91]), "too_many_topics", json!(null)),
        (
            subscribe(&["b", "user:u1", "org:o1"]),
            "forbidden_topics",
            json!(["user:u1", "org:o1"]),
        ),
        (
            unsubscribe(&["user:u1"]),
            "forbidden_topics",
            json!(["user:u1"]),
        ),
        (subscribe(&["b", "c d"]), "invalid_topics", json!(["c d"])),
        (subscribe(&[]), "invalid_topics", json!(null)),
        (
            json!({"action": "subscribe"}),
            "invalid_topics",
            json!(null),
        ),
    ] {
        let answer = subscriber.ask(message).await;
        assert_eq!(
            (&answer["type"], &answer["code"]),
            (&json!("error"), &json!(code))
        );
        assert_eq!(answer["topics"], named, "{answer}");
    }
    let answer = subscriber.ask(subscribe(&["b", "c"])).await;
    assert_eq!(
        answer["topics"],
        json!(["a", "b", "c"]),
        "exactly as many as it may"
    );
}

#[tokio::test]
async fn a_client_chooses_what_its_token_permits_and_sends_as_its_user() {
    let stack = Stack::start(&[
        "--auth",
        "--env",
        "PUBLISHER_AUTH=off",
        "--env",
        "SENDMESSAGE_PER_MINUTE=1",
    ])
    .await;
    let token = token(&["--user", "u1", "--topics", "news,stocks/*"]).await;
    let mut subscriber = stack.subscribe(&format!("?token={token}")).await;
    let answer = subscriber
        .ask(subscribe(&["news", "bonds", "user:u1"]))
        .await;
    assert_eq!(answer["code"], "forbidden_topics");
    assert_eq!(answer["topics"], json!(["bonds", "user:u1"]));
    let answer = subscriber.ask(subscribe(&["news", "stocks/A"])).await;
    assert_eq!(answer["topics"], json!(["news", "stocks/A"]));
    let answer = subscriber.ask(unsubscribe(&["news"])).await;
    assert_eq!(answer["topics"], json!(["stocks/A"]));
    assert_eq!(stack.listeners("news").await, 0);
    assert_eq!(stack.listeners("user:u1").await, 1);
    assert_eq!(subscriber.frame().await["subject"], "user:u1");

    let message = json!({"action": "sendmessage", "message": 1});
    subscriber.send(message).await;
    let frames = [subscriber.frame().await, subscriber.frame().await];
    let own = frames.iter().find(|frame| frame["type"] == "message.sent");
    assert_eq!(own.unwrap()["data"]["userId"], "u1");
}

#[tokio::test]
async fn a_closed_connection_leaves_no_subscription() {
    let stack = Stack::start(&[]).await;
    let mut subscriber = stack.subscribe("?topics=a").await;
    subscriber.ask(subscribe(&["b"])).await;
    assert_eq!(stack.listeners("b").await, 1);
    assert_eq!(stack.rows_of("subscriptions").await, 2);
    subscriber.vanish();
    stack.wait_until_empty("connections").await;
    assert_eq!(stack.rows_of("subscriptions").await, 0);
    assert_eq!(stack.listeners("b").await, 0);
}

/// Subscribes and unsubscribes without waiting for the answers, then returns
/// what the last answer to each says it listens to.
///
/// The local gateway hands over one message of a socket at a time, in their
/// order, so that the last answer is to the last message. API Gateway does not:
/// there they meet in the table, as in the tests of the function itself.
async fn storm(subscriber: &mut Subscriber, seed: usize) -> BTreeSet<String> {
    const MESSAGES: usize = 40;
    for n in 0..MESSAGES {
        let topic = format!("topic/{}", (n * 7 + seed) % 5);
        let change = if (n * 5 + seed).is_multiple_of(3) {
            unsubscribe
        } else {
            subscribe
        };
        subscriber.send(change(&[topic.as_str()])).await;
    }
    let mut last = Value::Null;
    for _ in 0..MESSAGES {
        last = subscriber.frame().await;
        assert!(
            ["subscribed", "unsubscribed"].contains(&last["type"].as_str().unwrap()),
            "{last}"
        );
    }
    let topics = last["topics"].as_array().unwrap().iter();
    topics
        .map(|topic| topic.as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn storms_of_changes_end_in_what_was_acknowledged_last() {
    let stack = Stack::start(&["--account-rate", "unlimited"]).await;
    let mut subscribers = stack.subscribe_many(8).await;
    let storms = subscribers.iter_mut().enumerate();
    let ended = join_all(storms.map(|(seed, subscriber)| storm(subscriber, seed))).await;
    for n in 0..5 {
        let topic = format!("topic/{n}");
        let listening = ended
            .iter()
            .filter(|topics| topics.contains(&topic))
            .count();
        assert_eq!(stack.listeners(&topic).await, listening, "{topic}");
    }
    for (subscriber, topics) in subscribers.iter_mut().zip(&ended) {
        assert_eq!(subscriber.count_arrived().await, topics.len());
    }
    let subscriptions: usize = ended.iter().map(BTreeSet::len).sum();
    assert_eq!(stack.rows_of("subscriptions").await, subscriptions);

    // And they vanish in the middle of the next.
    for mut subscriber in subscribers {
        for n in 0..5 {
            let topic = format!("topic/{n}");
            subscriber.send(subscribe(&[topic.as_str()])).await;
        }
        subscriber.vanish();
    }
    stack.wait_until_empty("connections").await;
    assert_eq!(stack.rows_of("subscriptions").await, 0);
}
