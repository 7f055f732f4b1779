//! What a subscriber is answered.

use serde_json::{Value, json};

use crate::socket::Socket;
use crate::suite::case::{Case, Ended, Failure, Held, cases};
use crate::suite::expectation::{expect, expect_members, expect_that};
use crate::suite::trial::{Trial, connection_of, own_topic, text_of};

pub(super) const CASES: &[Case] = cases! {
    "whoami tells a connection its id and its topics" => whoami,
    "GET_CONNECTION_ID is answered as whoami is" => connection_id,
    "echo returns the object that was sent" => echo,
    "ping is answered with pong" => ping,
    "an unknown action is answered with an error, and the connection stays open" => unknown_action,
    "what is not JSON is answered with an error, and the connection stays open" => not_json,
    "JSON without an action is answered with an error, and the connection stays open" => no_action,
};

async fn whoami(trial: &Trial) -> Ended {
    let topic = own_topic();
    let mut socket = trial.open(&[&topic]).await?;
    let who = socket.ask(&json!({"action": "whoami"})).await?;
    expect_members(
        "whoami",
        &who,
        &json!({"type": "whoami", "topics": trial.deployment.listened(&[&topic])}),
    )?;
    expect_that(
        !text_of(&who, "connectionId").is_empty(),
        "whoami",
        "a connectionId",
        &who,
    )?;
    expect_that(
        who.get("userId").is_some(),
        "whoami",
        "a userId, which may be null",
        &who,
    )?;
    let other = connection_of(&mut trial.open(&[]).await?).await?;
    let is_own = other != text_of(&who, "connectionId");
    expect_that(is_own, "another connection", "an id of its own", &other)?;
    Ok(Held::Kept)
}

async fn connection_id(trial: &Trial) -> Ended {
    let mut socket = trial.open(&[]).await?;
    let id = connection_of(&mut socket).await?;
    let who = socket.ask(&json!({"action": "GET_CONNECTION_ID"})).await?;
    let expected = json!({"type": "whoami", "connectionId": id});
    expect_members("GET_CONNECTION_ID", &who, &expected)?;
    Ok(Held::Kept)
}

async fn echo(trial: &Trial) -> Ended {
    let mut socket = trial.open(&[]).await?;
    let sent =
        json!({"action": "echo", "n": 1, "text": "Käse ✓", "nested": {"list": [null, true]}});
    let echoed = socket.ask(&sent).await?;
    expect("the echo", &echoed, &sent)?;
    Ok(Held::Kept)
}

async fn ping(trial: &Trial) -> Ended {
    let mut socket = trial.open(&[]).await?;
    let pong = socket.ask(&json!({"action": "ping"})).await?;
    expect_members("the reply", &pong, &json!({"type": "pong"}))?;
    Ok(Held::Kept)
}

async fn unknown_action(trial: &Trial) -> Ended {
    let mut socket = trial.open(&[]).await?;
    let error = socket.ask(&json!({"action": "dance"})).await?;
    expect_error(&error, "unknown_action")?;
    stays_open(&mut socket).await
}

async fn not_json(trial: &Trial) -> Ended {
    let mut socket = trial.open(&[]).await?;
    socket.send("hello, is anybody there?").await?;
    expect_error(&socket.reply().await?, "not_json")?;
    stays_open(&mut socket).await
}

async fn no_action(trial: &Trial) -> Ended {
    let mut socket = trial.open(&[]).await?;
    expect_error(&socket.ask(&json!({"hello": 1})).await?, "no_action")?;
    stays_open(&mut socket).await
}

/// Expects an error frame.
pub(super) fn expect_error(frame: &Value, code: &str) -> Result<(), Failure> {
    expect_members("the reply", frame, &json!({"type": "error", "code": code}))?;
    let is_told = !text_of(frame, "detail").is_empty();
    expect_that(is_told, "the error", "a detail", frame)?;
    Ok(())
}

async fn stays_open(socket: &mut Socket) -> Ended {
    connection_of(socket).await?;
    Ok(Held::Kept)
}
