//! What a subscriber chooses to listen to.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::refusals::expect_refusal;
use super::replies::expect_error;
use crate::suite::case::{Case, Ended, Held, cases};
use crate::suite::expectation::{expect, expect_members};
use crate::suite::trial::{Trial, own_topic};

pub(super) const CASES: &[Case] = cases! {
    "topics named when connecting are listened to from the start" => named_when_connecting,
    "a subscription is acknowledged, and takes effect at once" => subscribe,
    "what was unsubscribed from does not arrive any more" => unsubscribe,
    "malformed topics are refused by their names, and nothing changes" => malformed,
    "a handshake that names a malformed topic is refused with 400" => malformed_when_connecting,
    "a user's own topic cannot be chosen by another" => reserved,
    "those who listen to a topic are counted" => counted,
};

/// How long to wait before counting again.
const POLL: Duration = Duration::from_millis(200);

async fn named_when_connecting(trial: &Trial) -> Ended {
    let topics = [own_topic(), own_topic()];
    let [first, second] = &topics;
    let mut socket = trial.open(&[first, second]).await?;
    for topic in &topics {
        let id = trial.notify(json!({"topic": topic}), json!(topic)).await?;
        let notification = socket.notification(&id).await?;
        let expected = json!({"subject": topic, "data": topic});
        expect_members("the notification", &notification, &expected)?;
    }
    let who = socket.ask(&json!({"action": "whoami"})).await?;
    let expected = trial.deployment.listened(&[first, second]);
    expect_members("whoami", &who, &json!({"topics": expected}))?;
    Ok(Held::Kept)
}

async fn subscribe(trial: &Trial) -> Ended {
    let topic = own_topic();
    let mut socket = trial.open(&[]).await?;
    let action = json!({"action": "subscribe", "topics": [topic]});
    let expected = json!({"type": "subscribed", "topics": trial.deployment.listened(&[&topic])});
    // Twice is no mistake.
    for _ in 0..2 {
        expect_members("the reply", &socket.ask(&action).await?, &expected)?;
    }
    let id = trial.notify(json!({"topic": topic}), json!(1)).await?;
    socket.notification(&id).await?;
    expect("targeted", &trial.ledger(&id).await?.targeted, &1)?;
    Ok(Held::Kept)
}

async fn unsubscribe(trial: &Trial) -> Ended {
    let (kept, left) = (own_topic(), own_topic());
    let mut socket = trial.open(&[&kept, &left]).await?;
    let action = json!({"action": "unsubscribe", "topics": [left]});
    let expected = json!({"type": "unsubscribed", "topics": trial.deployment.listened(&[&kept])});
    expect_members("the reply", &socket.ask(&action).await?, &expected)?;
    let id = trial.notify(json!({"topic": left}), json!(1)).await?;
    expect("targeted", &trial.ledger(&id).await?.targeted, &0)?;
    expect("arrived", &socket.count(&id).await?, &0)?;
    Ok(Held::Kept)
}

async fn malformed(trial: &Trial) -> Ended {
    let topic = own_topic();
    let mut socket = trial.open(&[&topic]).await?;
    let action = json!({"action": "subscribe", "topics": [own_topic(), "a b"]});
    let error = socket.ask(&action).await?;
    expect_error(&error, "invalid_topics")?;
    expect_members("the error", &error, &json!({"topics": ["a b"]}))?;
    let who = socket.ask(&json!({"action": "whoami"})).await?;
    let expected = trial.deployment.listened(&[&topic]);
    expect_members("whoami", &who, &json!({"topics": expected}))?;
    Ok(Held::Kept)
}

async fn malformed_when_connecting(trial: &Trial) -> Ended {
    expect_refusal(trial.deployment.open(&["a b"]).await, 400)
}

async fn reserved(trial: &Trial) -> Ended {
    let somebody = format!("user:{}", own_topic());
    let mut socket = trial.open(&[]).await?;
    let action = json!({"action": "subscribe", "topics": [somebody]});
    let error = socket.ask(&action).await?;
    expect_error(&error, "forbidden_topics")?;
    expect_members("the error", &error, &json!({"topics": [somebody]}))?;
    Ok(Held::Kept)
}

async fn counted(trial: &Trial) -> Ended {
    let topic = own_topic();
    let mut listening = Vec::new();
    for listeners in 0..=2_u8 {
        let expected = json!({"topic": topic, "connections": listeners});
        let deadline = Instant::now() + trial.deployment.patience();
        // The count may lag behind what was just subscribed to.
        loop {
            let answer = trial.get(&format!("/topics/{topic}")).await?;
            expect("the status", &answer.status.as_u16(), &200)?;
            match expect_members("the count", &answer.body, &expected) {
                Ok(()) => break,
                Err(_) if Instant::now() < deadline => sleep(POLL).await,
                Err(unexpected) => return Err(unexpected.into()),
            }
        }
        listening.push(trial.open(&[&topic]).await?);
    }
    Ok(Held::Kept)
}
