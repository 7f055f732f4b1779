//! What publishers can see of connections, and do to them.

use serde_json::json;

use crate::suite::case::{Case, Ended, Held, cases};
use crate::suite::expectation::{expect, expect_members, expect_problem};
use crate::suite::trial::{Trial, connection_of, own_topic};

pub(super) const CASES: &[Case] = cases! {
    "an open connection can be looked at" => look,
    "a connection can be closed, and is known no more" => close,
    "an unknown connection is not found" => unknown,
};

async fn look(trial: &Trial) -> Ended {
    let topic = own_topic();
    let mut socket = trial.open(&[&topic]).await?;
    let id = connection_of(&mut socket).await?;
    let answer = trial.get(&path_of(&id)).await?;
    expect("the status", &answer.status.as_u16(), &200)?;
    let topics = trial.deployment.listened(&[&topic]);
    let expected = json!({"connectionId": id, "topics": topics});
    expect_members("the connection", &answer.body, &expected)?;
    Ok(Held::Kept)
}

async fn close(trial: &Trial) -> Ended {
    let mut socket = trial.open(&[]).await?;
    let path = path_of(&connection_of(&mut socket).await?);
    let answer = trial.delete(&path).await?;
    expect("the status", &answer.status.as_u16(), &204)?;
    expect("the close frame's code", &socket.closed().await?, &1000)?;
    expect_problem(&trial.get(&path).await?, 404, "no_such_connection")?;
    Ok(Held::Kept)
}

async fn unknown(trial: &Trial) -> Ended {
    let path = path_of("AAAAAAAAAAAAAAA=");
    for answer in [trial.get(&path).await?, trial.delete(&path).await?] {
        expect_problem(&answer, 404, "no_such_connection")?;
    }
    Ok(Held::Kept)
}

/// Ids have letters, digits, and what base64 has besides.
fn path_of(connection: &str) -> String {
    let escaped = connection.replace('+', "%2B").replace('/', "%2F");
    format!("/connections/{}", escaped.replace('=', "%3D"))
}
