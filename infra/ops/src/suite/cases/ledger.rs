//! What the ledger tells, and what can be cancelled.

use http::StatusCode;
use serde_json::json;

use crate::api::ledger_in;
use crate::suite::case::{Case, Ended, Held, cases};
use crate::suite::expectation::{expect, expect_problem, expect_that};
use crate::suite::trial::{Trial, own_topic};

pub(super) const CASES: &[Case] = cases! {
    "the ledger closes, and adds up" => closes,
    "a closed socket is counted or not targeted, and holds nothing up" => closed_socket,
    "a socket that vanished is counted or not targeted, and holds nothing up" => vanished_socket,
    "what has not ended can be cancelled" => cancel,
    "what has ended can not be cancelled" => cancel_ended,
    "the ledger of an unknown notification is not found" => unknown,
};

/// How often something is published that could be cancelled.
const CANCELLATIONS: usize = 10;

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
    let _listening = trial.open(&[&topic]).await?;
    for _ in 0..CANCELLATIONS {
        let id = trial.notify(json!({"topic": topic}), json!(1)).await?;
        let answer = trial.delete(&format!("/notifications/{id}")).await?;
        if answer.status != StatusCode::ACCEPTED {
            // A worker was faster.
            expect_problem(&answer, 409, "already_ended")?;
            continue;
        }
        let cancelled = ledger_in(answer)?;
        let is_noted = cancelled.cancel_requested_at.is_some();
        expect_that(is_noted, "the answer", "cancelRequestedAt", &cancelled)?;
        let ledger = trial.ledger(&id).await?;
        let has_ended = matches!(ledger.state.as_str(), "cancelled" | "done");
        expect_that(has_ended, "the ledger", "cancelled, or done", &ledger)?;
        return Ok(Held::Kept);
    }
    Ok(Held::NotMade(
        "everything was done before it could be cancelled",
    ))
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
