//! What the ledger tells, and what can be cancelled.

use futures::future::try_join_all;
use http::StatusCode;
use serde_json::{Value, json};

use crate::api::{Call, ledger_in};
use crate::suite::case::{Case, Ended, Failure, Held, cases};
use crate::suite::expectation::{expect, expect_problem, expect_that};
use crate::suite::trial::{Trial, notification, own_topic, text_of};

pub(super) const CASES: &[Case] = cases! {
    "the ledger closes, and adds up" => closes,
    "a closed socket is counted or not targeted, and holds nothing up" => closed_socket,
    "a socket that vanished is counted or not targeted, and holds nothing up" => vanished_socket,
    "what has not ended can be cancelled" => cancel,
    "what has ended can not be cancelled" => cancel_ended,
    "the ledger of an unknown notification is not found" => unknown,
};

/// How often it is tried to cancel before the workers are done.
const CANCELLATIONS: usize = 5;

/// How many notifications are published at once to be cancelled: while workers
/// are at the first ones, the last ones wait.
const PUBLISHED_AT_ONCE: usize = 20;

/// How many of them are cancelled at once: as many as others would be at it.
const CANCELLED_AT_ONCE: usize = 8;

async fn closes(trial: &Trial) -> Ended {
    let topic = own_topic();
    let _listening = [trial.open(&[&topic]).await?, trial.open(&[&topic]).await?];
    let id = trial.notify(json!({"topic": topic}), json!(1)).await?;
    let ledger = trial.ledger(&id).await?;
    expect("the id", &ledger.id, &id)?;
    expect("the state", &ledger.state.as_str(), &"done")?;
    let counts = (ledger.targeted, ledger.accepted, ledger.pending);
    expect("targeted, accepted and pending", &counts, &(2, 2, 0))?;
    Ok(Held::Kept)
}

async fn closed_socket(trial: &Trial) -> Ended {
    let topic = own_topic();
    trial.open(&[&topic]).await?.close().await?;
    nothing_is_held_up(trial, &topic).await
}

async fn vanished_socket(trial: &Trial) -> Ended {
    let topic = own_topic();
    drop(trial.open(&[&topic]).await?);
    nothing_is_held_up(trial, &topic).await
}

/// Expects that a notification reaches who is there, whoever has left.
async fn nothing_is_held_up(trial: &Trial, topic: &str) -> Ended {
    let mut open = trial.open(&[topic]).await?;
    let id = trial.notify(json!({"topic": topic}), json!(1)).await?;
    open.notification(&id).await?;
    let ledger = trial.ledger(&id).await?;
    // A gateway may take a push to a socket of which it does not know yet that
    // it has closed.
    let is_settled = ledger.state == "done"
        && (1..=2).contains(&ledger.targeted)
        && ledger.accepted + ledger.gone == ledger.targeted;
    let expected = "done, everybody accepted or gone";
    expect_that(is_settled, "the ledger", expected, &ledger)?;
    Ok(Held::Kept)
}

async fn cancel(trial: &Trial) -> Ended {
    let topic = own_topic();
    let _listening = trial.open_many(trial.sockets, &[&topic]).await?;
    for _ in 0..CANCELLATIONS {
        let ids = publish_many(trial, &topic).await?;
        let mut noted = Vec::new();
        // The last ones first: they wait for longest.
        for ids in ids.rchunks(CANCELLED_AT_ONCE) {
            let asking: Vec<_> = ids.iter().map(|id| ask_to_cancel(trial, id)).collect();
            noted.extend(try_join_all(asking).await?.into_iter().flatten());
        }
        for id in noted {
            if is_cancelled(trial, id).await? {
                return Ok(Held::Kept);
            }
        }
    }
    Ok(Held::NotMade(
        "every time, everybody was reached before it could be cancelled: try more --sockets",
    ))
}

/// Publishes notifications that are alike, and returns their ids.
async fn publish_many(trial: &Trial, topic: &str) -> Result<Vec<String>, Failure> {
    let notifications = vec![notification(json!({"topic": topic}), json!(1)); PUBLISHED_AT_ONCE];
    let body = json!({"notifications": notifications});
    let answer = trial
        .send(&Call::post("/notifications:batch", &body))
        .await?;
    expect("the status", &answer.status.as_u16(), &207)?;
    let results = answer.body.get("results").and_then(Value::as_array);
    let results = results.into_iter().flatten();
    let ids: Vec<_> = results
        .map(|result| text_of(result, "id").to_owned())
        .filter(|id| !id.is_empty())
        .collect();
    let are_accepted = ids.len() == PUBLISHED_AT_ONCE;
    let expected = format!("{PUBLISHED_AT_ONCE} ids");
    expect_that(are_accepted, "the answer", &expected, &answer.body)?;
    Ok(ids)
}

/// Asks to cancel a notification; returns its id where that was noted, which it
/// is not where a worker was faster.
async fn ask_to_cancel<'a>(trial: &Trial, id: &'a str) -> Result<Option<&'a str>, Failure> {
    let answer = trial.delete(&format!("/notifications/{id}")).await?;
    if answer.status != StatusCode::ACCEPTED {
        expect_problem(&answer, 409, "already_ended")?;
        return Ok(None);
    }
    let cancelled = ledger_in(answer)?;
    let is_noted = cancelled.cancel_requested_at.is_some();
    expect_that(is_noted, "the answer", "cancelRequestedAt", &cancelled)?;
    Ok(Some(id))
}

/// Waits until a notification has ended that was to be cancelled; returns
/// whether somebody was left to be cancelled.
async fn is_cancelled(trial: &Trial, id: &str) -> Result<bool, Failure> {
    let ledger = trial.ledger(id).await?;
    match (ledger.state.as_str(), ledger.cancelled) {
        ("cancelled", 1..) => return Ok(true),
        ("done", 0) => {}
        _ => expect_that(false, "the ledger", "cancelled, or done", &ledger)?,
    }
    Ok(false)
}

async fn cancel_ended(trial: &Trial) -> Ended {
    let id = trial
        .notify(json!({"topic": own_topic()}), json!(1))
        .await?;
    trial.ledger(&id).await?;
    let answer = trial.delete(&format!("/notifications/{id}")).await?;
    expect_problem(&answer, 409, "already_ended")?;
    Ok(Held::Kept)
}

async fn unknown(trial: &Trial) -> Ended {
    for id in ["01900000-0000-7000-8000-000000000000", "no-id-at-all"] {
        let path = format!("/notifications/{id}");
        for answer in [trial.get(&path).await?, trial.delete(&path).await?] {
            expect_problem(&answer, 404, "no_such_notification")?;
        }
    }
    Ok(Held::Kept)
}
