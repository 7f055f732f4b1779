//! Who is let in.

use serde_json::json;

use super::refusals::expect_refusal;
use crate::api::Call;
use crate::deployment::Opening;
use crate::suite::case::{Case, Ended, Held, cases};
use crate::suite::expectation::{expect, expect_problem, expect_that};
use crate::suite::trial::{Trial, connection_of, notification, own_topic};

pub(super) const CASES: &[Case] = cases! {
    "the subprotocol fanout.v1 is chosen where it is offered" => subprotocol,
    "a token among the subprotocols lets in, and is not echoed" => token_as_subprotocol,
    "without a valid token nobody may subscribe" => subscribe_without_token,
    "without a token nobody may publish" => publish_without_token,
};

const PROTOCOL: &str = "fanout.v1";
const NO_TOKENS: Held = Held::NotMade("no token is asked for, or none was given (--token)");
const SUBSCRIBERS_OPEN: Held = Held::NotMade("anybody may subscribe here (--subscribers-open)");
const PUBLISHERS_OPEN: Held = Held::NotMade("anybody may publish here (--publishers-open)");

async fn subprotocol(trial: &Trial) -> Ended {
    let opening = Opening {
        token: trial.deployment.token(),
        subprotocols: Some(PROTOCOL),
        ..Opening::default()
    };
    let socket = trial.deployment.open_with(opening).await?;
    expect("the subprotocol", &socket.subprotocol(), &Some(PROTOCOL))?;
    Ok(Held::Kept)
}

async fn token_as_subprotocol(trial: &Trial) -> Ended {
    let Some(token) = trial.deployment.token() else {
        return Ok(NO_TOKENS);
    };
    let offered = format!("{PROTOCOL}, bearer.{token}");
    let opening = Opening {
        subprotocols: Some(&offered),
        ..Opening::default()
    };
    let mut socket = trial.deployment.open_with(opening).await?;
    expect("the subprotocol", &socket.subprotocol(), &Some(PROTOCOL))?;
    connection_of(&mut socket).await?;
    Ok(Held::Kept)
}

async fn subscribe_without_token(trial: &Trial) -> Ended {
    if trial.subscribers_open {
        return Ok(SUBSCRIBERS_OPEN);
    }
    if trial.deployment.token().is_none() {
        return Ok(NO_TOKENS);
    }
    for token in [None, Some("nonsense")] {
        let opening = Opening {
            token,
            ..Opening::default()
        };
        expect_refusal(trial.deployment.open_with(opening).await, 401)?;
    }
    Ok(Held::Kept)
}

async fn publish_without_token(trial: &Trial) -> Ended {
    if trial.publishers_open {
        return Ok(PUBLISHERS_OPEN);
    }
    if trial.deployment.token().is_none() {
        return Ok(NO_TOKENS);
    }
    let body = notification(json!({"topic": own_topic()}), json!(1));
    let call = Call::post("/notifications", &body).without_token();
    let answer = trial.send(&call).await?;
    expect_problem(&answer, 401, "unauthenticated")?;
    let challenge = answer.header("www-authenticate");
    let is_bearer = challenge.starts_with("Bearer");
    expect_that(is_bearer, "WWW-Authenticate", "Bearer …", &challenge)?;
    Ok(Held::Kept)
}
