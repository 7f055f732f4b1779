//! What can be cancelled.

use fanout_core::ledger::{Counts, Entry, Lease, Ledger as _, PartState, Progress};
use fanout_core::task::{Left, Outstanding, Part};

use super::*;

/// Publishes an order, and settles all there is to it; returns where it is.
async fn ended(api: &Api, progress: Progress) -> String {
    let (_, headers, body) = api.post("/orders").body(ORDER).await;
    let store = &api.publish.store;
    let lease = Lease {
        notification_id: body["id"].as_str().unwrap().parse().unwrap(),
        part: Part::root(),
        owner: "worker".to_owned(),
    };
    let now = api.publish.publisher.clock.now();
    store.begin(&lease, now, now).await.unwrap();
    let entry = Entry {
        number: 1,
        progress,
        written_at: now,
        is_last: true,
    };
    store.write(&lease, &entry).await.unwrap();
    headers[LOCATION].to_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn what_has_not_ended_can_be_cancelled() {
    let api = Api::new();
    let (_, headers, _) = api.post("/orders").body(ORDER).await;
    let location = headers[LOCATION].to_str().unwrap();
    for _ in 0..2 {
        let (status, _, standing) = api.request("DELETE", location).body("").await;
        assert_eq!((status, &standing["state"]), (202, &json!("accepted")));
        assert_eq!(standing["cancelRequestedAt"], "2023-11-14T22:13:20Z");
    }
    let (_, _, standing) = api.get(location).await;
    assert_eq!(standing["cancelRequestedAt"], "2023-11-14T22:13:20Z");
}

#[tokio::test(start_paused = true)]
async fn what_failed_can_be_cancelled_too() {
    let api = Api::new();
    let waiting = Outstanding::from(fanout_core::connection::Recipient {
        connection_id: "broken".into(),
        connected_at: Timestamp::UNIX_EPOCH,
    });
    let dead = Progress {
        left: Left {
            unread: None,
            outstanding: vec![waiting],
        },
        state: PartState::DeadLettered,
        ..Progress::default()
    };
    let location = ended(&api, dead).await;
    let (status, _, standing) = api.request("DELETE", &location).body("").await;
    assert_eq!((status, &standing["state"]), (202, &json!("failed")));
    assert_eq!(standing["cancelRequestedAt"], "2023-11-14T22:13:20Z");
}

#[tokio::test(start_paused = true)]
async fn what_is_settled_cannot_be_cancelled() {
    let api = Api::new();
    let one = |counts| Progress {
        counts,
        state: PartState::Done,
        ..Progress::default()
    };
    for (state, counts) in [
        (
            "done",
            Counts {
                accepted: 1,
                ..Counts::default()
            },
        ),
        (
            "expired",
            Counts {
                expired: 1,
                ..Counts::default()
            },
        ),
        (
            "cancelled",
            Counts {
                cancelled: 1,
                ..Counts::default()
            },
        ),
    ] {
        let location = ended(&api, one(counts)).await;
        assert_eq!(api.get(&location).await.2["state"], state);
        let (status, _, problem) = api.request("DELETE", &location).body("").await;
        assert_eq!((status, &problem["code"]), (409, &json!("already_ended")));
    }
}
