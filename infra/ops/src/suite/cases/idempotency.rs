//! What an `Idempotency-Key` is good for.

use serde_json::json;

use super::audience::expect_none;
use crate::api::Call;
use crate::suite::case::{Case, Ended, Held, cases};
use crate::suite::expectation::{expect, expect_problem};
use crate::suite::trial::{Trial, notification, own_topic, text_of};

pub(super) const CASES: &[Case] = cases! {
    "the same request under the same key has the same answer, and is pushed once" => repeated,
    "another request under the same key is refused" => reused,
    "a malformed key is refused" => malformed,
};

const KEY: &str = "idempotency-key";

async fn repeated(trial: &Trial) -> Ended {
    let topic = own_topic();
    let mut sockets = [trial.open(&[&topic]).await?];
    let [socket] = &mut sockets;
    let body = notification(json!({"topic": topic}), json!(1));
    let call = Call::post("/notifications", &body).header(KEY, &topic);
    let id = trial.publish(&call).await?;
    let first = trial.send(&call).await?;
    expect("the answer's status", &first.status.as_u16(), &202)?;
    expect("the answer's id", &text_of(&first.body, "id"), &id.as_str())?;
    let second = trial.send(&call).await?;
    expect("the answer", &second.body, &first.body)?;
    socket.notification(&id).await?;
    expect("targeted", &trial.ledger(&id).await?.targeted, &1)?;
    expect_none(&mut sockets, &id).await
}

async fn reused(trial: &Trial) -> Ended {
    let topic = own_topic();
    let call = |data| {
        let body = notification(json!({"topic": topic}), data);
        Call::post("/notifications", &body).header(KEY, &topic)
    };
    trial.publish(&call(json!(1))).await?;
    let refused = trial.send(&call(json!(2))).await?;
    expect_problem(&refused, 422, "idempotency_key_reused")?;
    Ok(Held::Kept)
}

async fn malformed(trial: &Trial) -> Ended {
    let body = notification(json!({"topic": own_topic()}), json!(1));
    let call = Call::post("/notifications", &body).header(KEY, "k".repeat(256));
    expect_problem(&trial.send(&call).await?, 400, "invalid_idempotency_key")?;
    Ok(Held::Kept)
}
