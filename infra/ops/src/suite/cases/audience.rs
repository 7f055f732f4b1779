//! Whom a notification reaches.

use serde_json::{Value, json};

use crate::api::Call;
use crate::socket::Socket;
use crate::suite::case::{Case, Ended, Held, cases};
use crate::suite::expectation::{expect, expect_members};
use crate::suite::trial::{Trial, connection_of, own_topic, text_of};

pub(super) const CASES: &[Case] = cases! {
    "an order reaches every socket exactly once, as the same event" => order,
    "an order of a merchant's book reaches only who listens to the merchant" => merchant,
    "a notification to a topic reaches only who listens to it" => topic,
    "a notification to a connection reaches that one alone" => connection,
    "a notification to a user reaches all of the user's sockets" => user,
    "a notification that nobody listens to is done at once" => nobody,
    "a broadcast reaches dozens of sockets exactly once" => broadcast,
    "a broadcast to a topic reaches dozens of listeners, each counted once" => all_counted,
    "sendmessage reaches everyone, the sender included" => sendmessage,
};

async fn order(trial: &Trial) -> Ended {
    let mut sockets = trial.open_many(3, &[]).await?;
    let order = json!({"bookId": 123, "title": "Emma", "quantity": 1});
    let id = trial.publish(&Call::post("/orders", &order)).await?;
    let expected = json!({"specversion": "1.0", "id": id, "type": "book.ordered", "data": order});
    let mut first = None;
    for socket in &mut sockets {
        let event = socket.notification(&id).await?;
        expect_members("the event", &event, &expected)?;
        let same: &Value = first.get_or_insert_with(|| event.clone());
        expect("the event of another socket", &event, same)?;
    }
    trial.shared_ledger(&id, sockets.len()).await?;
    expect_none(&mut sockets, &id).await
}

async fn merchant(trial: &Trial) -> Ended {
    let merchant = format!("suite{:016x}", fastrand::u64(..));
    let topic = format!("merchant:{merchant}");
    let mut sockets = [trial.open(&[&topic]).await?, trial.open(&[]).await?];
    let [listening, _] = &mut sockets;
    let order = json!({"bookId": 7, "title": "Käse ✓", "quantity": 2, "merchantId": merchant});
    let id = trial.publish(&Call::post("/orders", &order)).await?;
    let event = listening.notification(&id).await?;
    let expected = json!({"subject": topic, "data": {"bookId": 7}});
    expect_members("the event", &event, &expected)?;
    expect("targeted", &trial.ledger(&id).await?.targeted, &1)?;
    expect_none(&mut sockets, &id).await
}

async fn topic(trial: &Trial) -> Ended {
    let topic = own_topic();
    let mut listening = [trial.open(&[&topic]).await?, trial.open(&[&topic]).await?];
    let mut others = [trial.open(&[]).await?, trial.open(&[&own_topic()]).await?];
    let data = json!({"text": "Käse ✓", "list": [1, null]});
    let id = trial.notify(json!({"topic": topic}), data.clone()).await?;
    for socket in &mut listening {
        let event = socket.notification(&id).await?;
        let expected = json!({"type": "suite.note", "subject": topic, "data": data});
        expect_members("the event", &event, &expected)?;
    }
    let ledger = trial.ledger(&id).await?;
    let counts = (ledger.targeted, ledger.accepted, ledger.pending);
    expect("targeted, accepted and pending", &counts, &(2, 2, 0))?;
    expect_none(&mut listening, &id).await?;
    expect_none(&mut others, &id).await
}

async fn connection(trial: &Trial) -> Ended {
    let mut sockets = [trial.open(&[]).await?, trial.open(&[]).await?];
    let [one, _] = &mut sockets;
    let connection = connection_of(one).await?;
    let id = trial
        .notify(json!({"connection": connection}), json!(1))
        .await?;
    one.notification(&id).await?;
    let ledger = trial.ledger(&id).await?;
    let counts = (ledger.targeted, ledger.accepted);
    expect("targeted and accepted", &counts, &(1, 1))?;
    expect_none(&mut sockets, &id).await
}

async fn user(trial: &Trial) -> Ended {
    let mut sockets = [trial.open(&[]).await?, trial.open(&[]).await?];
    let [first, _] = &mut sockets;
    let who = first.ask(&json!({"action": "whoami"})).await?;
    let user = text_of(&who, "userId");
    if user.is_empty() {
        return Ok(Held::NotMade("connections have no user without a token"));
    }
    let id = trial.notify(json!({"user": user}), json!(1)).await?;
    for socket in &mut sockets {
        let event = socket.notification(&id).await?;
        let expected = json!({"subject": format!("user:{user}")});
        expect_members("the event", &event, &expected)?;
    }
    trial.shared_ledger(&id, sockets.len()).await?;
    expect_none(&mut sockets, &id).await
}

async fn nobody(trial: &Trial) -> Ended {
    let id = trial
        .notify(json!({"topic": own_topic()}), json!(1))
        .await?;
    let ledger = trial.ledger(&id).await?;
    let ended = (ledger.state.as_str(), ledger.targeted);
    expect("the state and targeted", &ended, &("done", 0))?;
    Ok(Held::Kept)
}

async fn broadcast(trial: &Trial) -> Ended {
    let mut sockets = trial.open_many(trial.sockets, &[]).await?;
    let id = trial.notify(json!("everyone"), json!("hello")).await?;
    for socket in &mut sockets {
        socket.notification(&id).await?;
    }
    trial.shared_ledger(&id, sockets.len()).await?;
    expect_none(&mut sockets, &id).await
}

async fn all_counted(trial: &Trial) -> Ended {
    let topic = own_topic();
    let mut sockets = trial.open_many(trial.sockets, &[&topic]).await?;
    let id = trial
        .notify(json!({"topic": topic}), json!("hello"))
        .await?;
    for socket in &mut sockets {
        socket.notification(&id).await?;
    }
    let ledger = trial.ledger(&id).await?;
    let counts = (ledger.targeted, ledger.accepted);
    let listeners = sockets.len() as u64;
    expect("targeted and accepted", &counts, &(listeners, listeners))?;
    expect_none(&mut sockets, &id).await
}

async fn sendmessage(trial: &Trial) -> Ended {
    let mut sockets = [trial.open(&[]).await?, trial.open(&[]).await?];
    let [sender, _] = &mut sockets;
    let connection = connection_of(sender).await?;
    let message = json!({"text": "hello"});
    let action = json!({"action": "sendmessage", "message": message});
    let sent = sender.ask(&action).await?;
    if text_of(&sent, "code") == "sendmessage_off" {
        return Ok(Held::NotMade(
            "clients cannot send messages here (SENDMESSAGE_PER_MINUTE)",
        ));
    }
    expect_members("the reply", &sent, &json!({"type": "sent"}))?;
    let id = text_of(&sent, "id");
    for socket in &mut sockets {
        let event = socket.notification(id).await?;
        let data = json!({"message": message, "connectionId": connection});
        expect_members(
            "the event",
            &event,
            &json!({"type": "message.sent", "data": data}),
        )?;
    }
    trial.shared_ledger(id, sockets.len()).await?;
    expect_none(&mut sockets, id).await
}

/// Expects that a notification has not arrived, or not once more.
pub(super) async fn expect_none(sockets: &mut [Socket], id: &str) -> Ended {
    for socket in sockets {
        expect("arrived besides", &socket.count(id).await?, &0)?;
    }
    Ok(Held::Kept)
}
