//! What every store of notifications promises, held by the one in memory and by
//! the one in `DynamoDB`.

use fanout_core::idempotency::{IdempotencyKey, KEPT_FOR};
use fanout_core::ledger::{Ledger, State};
use fanout_core::notification::{Draft, Expiry, Notification, NotificationId, Target};
use fanout_core::notifications::{Notifications, Recorded};
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::at;

pub(crate) trait Tables: Notifications + Ledger {}

impl<T: Notifications + Ledger> Tables for T {}

promises! {
    what_is_recorded_without_a_key_is_new_every_time,
    the_same_request_has_what_was_recorded_first,
    another_request_under_a_key_is_told_so,
    what_was_enqueued_is_not_handed_out_again,
    a_key_is_free_again_once_it_is_not_kept,
    one_of_many_at_once_is_recorded,
    a_claim_holds_for_one_request,
    a_repeated_claim_is_kept_no_longer,
    a_claimed_key_records_nothing,
    what_is_cancelled_stays_cancelled_since_then,
    what_was_never_recorded_has_no_standing,
}

/// Times of rows in `DynamoDB` that decide over keys are whole seconds.
fn second(second: i64) -> Timestamp {
    at(second * 1_000)
}

fn kept_for() -> SignedDuration {
    SignedDuration::try_from(KEPT_FOR).unwrap()
}

fn notification(now: Timestamp) -> Notification {
    let topic = "news".parse().unwrap();
    let draft = Draft {
        expiry: Some(Expiry::AfterSeconds(60)),
        ..Draft::new("sold", Target::Topic { topic }, json!({"n": 1}))
    };
    Notification::accept(draft, "/shop", now)
}

fn key(body: &str) -> IdempotencyKey {
    IdempotencyKey::new("caller", b"key", &[body.as_bytes()]).unwrap()
}

async fn record(tables: &impl Tables, notification: &Notification, body: &str) -> Recorded {
    tables.record_once(notification, &key(body)).await.unwrap()
}

fn again(first: &Notification, not_enqueued: bool) -> Recorded {
    Recorded::Again {
        id: first.id,
        accepted_at: first.time,
        not_enqueued: not_enqueued.then(|| Box::new(first.clone())),
    }
}

async fn what_is_recorded_without_a_key_is_new_every_time(tables: &impl Tables) {
    for _ in 0..2 {
        let notification = notification(second(1));
        tables.record(&notification).await.unwrap();
        let standing = tables.standing(notification.id).await.unwrap().unwrap();
        assert_eq!(
            (standing.state, standing.accepted_at, standing.expires_at),
            (State::Accepted, second(1), Some(second(61)))
        );
    }
}

async fn the_same_request_has_what_was_recorded_first(tables: &impl Tables) {
    let (first, second) = (notification(second(1)), notification(second(2)));
    assert_eq!(record(tables, &first, "a").await, Recorded::New);
    for _ in 0..2 {
        assert_eq!(record(tables, &second, "a").await, again(&first, true));
    }
    assert_eq!(tables.standing(second.id).await.unwrap(), None);
}

async fn another_request_under_a_key_is_told_so(tables: &impl Tables) {
    let (first, other) = (notification(second(1)), notification(second(2)));
    assert_eq!(record(tables, &first, "a").await, Recorded::New);
    assert_eq!(record(tables, &other, "b").await, Recorded::OtherRequest);
    assert_eq!(tables.standing(other.id).await.unwrap(), None);
}

async fn what_was_enqueued_is_not_handed_out_again(tables: &impl Tables) {
    let first = notification(second(1));
    record(tables, &first, "a").await;
    tables.note_enqueued(&key("a")).await.unwrap();
    let recorded = record(tables, &notification(second(2)), "a").await;
    assert_eq!(recorded, again(&first, false));
}

async fn a_key_is_free_again_once_it_is_not_kept(tables: &impl Tables) {
    let first = notification(second(1));
    record(tables, &first, "a").await;
    let end = second(1) + kept_for();
    let last = notification(end - SignedDuration::from_secs(1));
    assert_eq!(record(tables, &last, "a").await, again(&first, true));
    let next = notification(end);
    assert_eq!(record(tables, &next, "b").await, Recorded::New);
    assert_eq!(record(tables, &next, "b").await, again(&next, true));
}

async fn one_of_many_at_once_is_recorded(tables: &impl Tables) {
    let all: Vec<_> = (0..4).map(|_| notification(second(1))).collect();
    let recording = all
        .iter()
        .map(|notification| record(tables, notification, "a"));
    let recorded = join_all(recording).await;
    let new = |recorded: &&Recorded| **recorded == Recorded::New;
    assert_eq!(recorded.iter().filter(new).count(), 1);
    let mut pairs = all.iter().zip(&recorded);
    let (first, _) = pairs.find(|(_, one)| **one == Recorded::New).unwrap();
    for other in recorded.iter().filter(|one| !new(one)) {
        assert_eq!(*other, again(first, true));
    }
}

async fn a_claim_holds_for_one_request(tables: &impl Tables) {
    let claim = async |body, now| tables.claim(&key(body), now).await.unwrap();
    assert!(claim("a", second(1)).await);
    assert!(claim("a", second(2)).await);
    assert!(!claim("b", second(2)).await);
    let other = IdempotencyKey::new("other", b"key", &[b"b"]).unwrap();
    assert!(tables.claim(&other, second(2)).await.unwrap());
}

async fn a_repeated_claim_is_kept_no_longer(tables: &impl Tables) {
    let claim = async |body, now| tables.claim(&key(body), now).await.unwrap();
    let end = second(1) + kept_for();
    assert!(claim("a", second(1)).await);
    assert!(claim("a", end - SignedDuration::from_secs(1)).await);
    assert!(!claim("b", end - SignedDuration::from_secs(1)).await);
    assert!(claim("b", end).await);
}

async fn a_claimed_key_records_nothing(tables: &impl Tables) {
    assert!(tables.claim(&key("a"), second(1)).await.unwrap());
    let notification = notification(second(1));
    for body in ["a", "b"] {
        let recorded = record(tables, &notification, body).await;
        assert_eq!(recorded, Recorded::OtherRequest);
    }
    assert_eq!(tables.standing(notification.id).await.unwrap(), None);
}

async fn what_is_cancelled_stays_cancelled_since_then(tables: &impl Tables) {
    let notification = notification(second(1));
    let id = notification.id;
    let is_cancelled = async || tables.is_cancelled(id).await.unwrap();
    tables.record(&notification).await.unwrap();
    assert!(!is_cancelled().await);
    for now in [second(2), second(3)] {
        tables.cancel(id, now).await.unwrap();
        assert!(is_cancelled().await);
    }
    let standing = tables.standing(id).await.unwrap().unwrap();
    assert_eq!(standing.cancel_requested_at, Some(second(2)));
}

async fn what_was_never_recorded_has_no_standing(tables: &impl Tables) {
    let id = NotificationId::generate(second(1));
    tables.cancel(id, second(1)).await.unwrap();
    assert_eq!(tables.standing(id).await.unwrap(), None);
}

/// The embedded table of notifications, for what the port cannot do.
mod in_dynamodb_alone {
    use super::{Recorded, again, key, notification, record, second};
    use fanout_core::notifications::Notifications as _;
    use jiff::SignedDuration;
    use std::time::Duration;

    use crate::embedded;

    #[tokio::test]
    async fn a_key_does_not_outlive_what_was_recorded_under_it() {
        let retention = Duration::from_hours(1);
        let (store, _server) = embedded::dynamodb_keeping(retention).await.0;
        let first = notification(second(1));
        record(&store, &first, "a").await;
        let end = second(1) + SignedDuration::from_hours(1);
        let last = notification(end - SignedDuration::from_secs(1));
        assert_eq!(record(&store, &last, "a").await, again(&first, true));
        assert_eq!(record(&store, &notification(end), "b").await, Recorded::New);
    }

    #[tokio::test]
    async fn a_notification_that_is_lost_before_it_was_enqueued_is_an_error() {
        let retention = Duration::from_hours(48);
        let ((store, _server), database) = embedded::dynamodb_keeping(retention).await;
        let first = notification(second(1));
        record(&store, &first, "a").await;
        embedded::delete_notification(&database, first.id);
        let next = notification(second(2));
        let recorded = store.record_once(&next, &key("a")).await;
        assert!(recorded.unwrap_err().detail.contains("missing"));
        store.note_enqueued(&key("a")).await.unwrap();
        assert_eq!(record(&store, &next, "a").await, again(&first, false));
    }
}
