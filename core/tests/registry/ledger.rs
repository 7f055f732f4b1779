//! What every ledger promises, held by the one in memory and by the one in
//! `DynamoDB`.

use fanout_core::audience::Slice;
use fanout_core::ledger::{Begun, Counts, Entry, Lease, LedgerError, PartState, Progress, State};
use fanout_core::notification::{Draft, Notification, Target};
use fanout_core::task::{Left, Part};
use jiff::Timestamp;
use serde_json::json;

use crate::at;
use crate::notifications::Tables;

promises! {
    a_part_is_held_by_one_until_its_lease_ends,
    the_holder_of_a_lease_may_take_it_again,
    what_was_written_is_found_again,
    what_is_done_is_not_begun_again,
    who_lost_the_lease_writes_nothing,
    an_entry_that_comes_late_undoes_no_later_one,
    whoever_begins_is_told_of_the_cancellation,
    a_cancellation_alone_is_no_part_that_was_begun,
}

async fn recorded(tables: &impl Tables) -> Notification {
    let draft = Draft::new("sold", Target::Everyone, json!({"n": 1}));
    let notification = Notification::accept(draft, "/shop", at(1_000));
    tables.record(&notification).await.unwrap();
    notification
}

fn lease(of: &Notification, part: Part, owner: &str) -> Lease {
    Lease {
        notification_id: of.id,
        part,
        owner: owner.to_owned(),
    }
}

fn root(of: &Notification, owner: &str) -> Lease {
    lease(of, Part::root(), owner)
}

fn slice() -> Slice {
    Slice::Everyone { segment: 1, of: 4 }
}

fn fresh() -> Begun {
    taken(None)
}

fn taken(progress: Option<Progress>) -> Begun {
    Begun::Taken {
        progress,
        is_cancelled: false,
    }
}

fn entry(number: u32, accepted: u64, state: PartState) -> Entry {
    Entry {
        number,
        progress: Progress {
            counts: Counts {
                accepted,
                ..Counts::default()
            },
            left: match state {
                PartState::Done => Left::default(),
                PartState::Open | PartState::DeadLettered => Left::all_of(slice()),
            },
            state,
            slices: None,
        },
        written_at: at(2_000),
        is_last: state == PartState::Done,
    }
}

async fn begin(tables: &impl Tables, lease: &Lease, now: Timestamp) -> Begun {
    tables.begin(lease, now, at(60_000)).await.unwrap()
}

async fn a_part_is_held_by_one_until_its_lease_ends(tables: &impl Tables) {
    let notification = recorded(tables).await;
    let (one, other) = (root(&notification, "one"), root(&notification, "other"));
    assert_eq!(begin(tables, &one, at(1_000)).await, fresh());
    let held = begin(tables, &other, at(59_999)).await;
    assert_eq!(held, Begun::Held(at(60_000)));
    assert_eq!(begin(tables, &other, at(60_000)).await, fresh());
    // Other parts are nobody's business.
    let beside = lease(&notification, Part::of_slice(&slice()), "third");
    assert_eq!(begin(tables, &beside, at(1_000)).await, fresh());
}

async fn the_holder_of_a_lease_may_take_it_again(tables: &impl Tables) {
    let notification = recorded(tables).await;
    let one = root(&notification, "one");
    for _ in 0..2 {
        assert_eq!(begin(tables, &one, at(1_000)).await, fresh());
    }
}

async fn what_was_written_is_found_again(tables: &impl Tables) {
    let notification = recorded(tables).await;
    let one = root(&notification, "one");
    begin(tables, &one, at(1_000)).await;
    let written = Entry {
        is_last: true,
        ..entry(1, 7, PartState::Open)
    };
    tables.write(&one, &written).await.unwrap();
    // The last entry gave the lease back.
    let found = begin(tables, &root(&notification, "other"), at(3_000)).await;
    assert_eq!(found, taken(Some(written.progress)));
    let standing = tables.standing(notification.id).await.unwrap().unwrap();
    assert_eq!(
        (standing.state, standing.counts.accepted),
        (State::InProgress, 7)
    );
}

async fn what_is_done_is_not_begun_again(tables: &impl Tables) {
    let notification = recorded(tables).await;
    let one = root(&notification, "one");
    begin(tables, &one, at(1_000)).await;
    let done = entry(1, 7, PartState::Done);
    tables.write(&one, &done).await.unwrap();
    for owner in ["one", "other"] {
        let again = begin(tables, &root(&notification, owner), at(3_000)).await;
        assert_eq!(again, Begun::Done);
    }
}

async fn who_lost_the_lease_writes_nothing(tables: &impl Tables) {
    let notification = recorded(tables).await;
    let (one, other) = (root(&notification, "one"), root(&notification, "other"));
    let nobody = tables.write(&one, &entry(1, 1, PartState::Open)).await;
    assert!(matches!(nobody, Err(LedgerError::LeaseLost { .. })));
    begin(tables, &one, at(1_000)).await;
    begin(tables, &other, at(60_000)).await;
    let late = tables.write(&one, &entry(1, 1, PartState::Open)).await;
    assert!(matches!(late, Err(LedgerError::LeaseLost { .. })));
    let written = entry(1, 2, PartState::Open);
    tables.write(&other, &written).await.unwrap();
    let standing = tables.standing(notification.id).await.unwrap().unwrap();
    assert_eq!(standing.counts.accepted, 2);
}

async fn an_entry_that_comes_late_undoes_no_later_one(tables: &impl Tables) {
    let notification = recorded(tables).await;
    let one = root(&notification, "one");
    begin(tables, &one, at(1_000)).await;
    let (first, second) = (entry(1, 1, PartState::Open), entry(2, 2, PartState::Open));
    tables.write(&one, &second).await.unwrap();
    let late = tables.write(&one, &first).await;
    assert!(matches!(late, Err(LedgerError::LeaseLost { .. })));
    let standing = tables.standing(notification.id).await.unwrap().unwrap();
    assert_eq!(standing.counts.accepted, 2);
    // Tried again, because the answer was not seen.
    tables.write(&one, &second).await.unwrap();
}

async fn whoever_begins_is_told_of_the_cancellation(tables: &impl Tables) {
    let notification = recorded(tables).await;
    let other = recorded(tables).await;
    let begun = root(&notification, "one");
    begin(tables, &begun, at(1_000)).await;
    tables.cancel(notification.id, at(2_000)).await.unwrap();
    for part in [Part::root(), Part::of_slice(&slice())] {
        let told = begin(
            tables,
            &lease(&notification, part.clone(), "one"),
            at(3_000),
        )
        .await;
        let cancelled = Begun::Taken {
            progress: None,
            is_cancelled: true,
        };
        assert_eq!(told, cancelled, "{part}");
        let told = begin(tables, &lease(&other, part.clone(), "one"), at(3_000)).await;
        assert_eq!(told, fresh(), "{part} of another");
    }
    // Writing down how far it came does not undo it, also where it is redriven.
    let dead = Entry {
        is_last: true,
        ..entry(1, 1, PartState::DeadLettered)
    };
    tables.write(&begun, &dead).await.unwrap();
    assert!(tables.is_cancelled(notification.id).await.unwrap());
    let told = begin(tables, &root(&notification, "other"), at(4_000)).await;
    let cancelled = Begun::Taken {
        progress: Some(dead.progress),
        is_cancelled: true,
    };
    assert_eq!(told, cancelled);
}

async fn a_cancellation_alone_is_no_part_that_was_begun(tables: &impl Tables) {
    let notification = recorded(tables).await;
    tables.cancel(notification.id, at(2_000)).await.unwrap();
    let standing = tables.standing(notification.id).await.unwrap().unwrap();
    assert_eq!(standing.state, State::Accepted);
    assert_eq!(standing.cancel_requested_at, Some(at(2_000)));
    let told = begin(tables, &root(&notification, "one"), at(3_000)).await;
    let cancelled = Begun::Taken {
        progress: None,
        is_cancelled: true,
    };
    assert_eq!(told, cancelled);
    let standing = tables.standing(notification.id).await.unwrap().unwrap();
    assert_eq!(standing.state, State::InProgress);
}
