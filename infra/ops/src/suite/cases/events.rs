//! In which forms a notification may be published.

use serde_json::{Value, json};

use crate::api::Call;
use crate::suite::case::{Case, Ended, Held, cases};
use crate::suite::expectation::{expect, expect_members, expect_that};
use crate::suite::trial::{Trial, notification, own_topic, text_of};

pub(super) const CASES: &[Case] = cases! {
    "a CloudEvent in structured mode arrives with its own attributes" => structured,
    "a CloudEvent in binary mode arrives with its own attributes" => binary,
    "data that is no JSON arrives as a text" => text,
    "a notification near 32 KiB arrives whole" => large,
    "a batch is answered notification by notification, and those accepted arrive" => batch,
};

async fn structured(trial: &Trial) -> Ended {
    let topic = own_topic();
    let mut socket = trial.open(&[&topic]).await?;
    let event = json!({
        "specversion": "1.0",
        "id": format!("structured-{topic}"),
        "source": "/suite",
        "type": "suite.structured",
        "subject": topic,
        "time": "2026-11-21T08:19:30.252Z",
        "suiteextension": "kept",
        "data": {"n": 1},
    });
    let call = Call::post("/notifications", &event);
    let id = trial
        .publish(&call.header("content-type", "application/cloudevents+json"))
        .await?;
    let arrived = socket.notification(text_of(&event, "id")).await?;
    expect_members("the event", &arrived, &event)?;
    expect("targeted", &trial.ledger(&id).await?.targeted, &1)?;
    Ok(Held::Kept)
}

async fn binary(trial: &Trial) -> Ended {
    let topic = own_topic();
    let event_id = format!("binary-{topic}");
    let mut socket = trial.open(&[&topic]).await?;
    let call = binary_event(&event_id, &topic).body(r#"{"n":1}"#);
    let call = call.header("content-type", "application/json");
    trial
        .publish(&call.header("ce-suiteextension", "K%C3%A4se"))
        .await?;
    let expected = json!({
        "specversion": "1.0",
        "id": event_id,
        "source": "/suite",
        "type": "suite.binary",
        "subject": topic,
        "suiteextension": "Käse",
        "data": {"n": 1},
    });
    expect_members(
        "the event",
        &socket.notification(&event_id).await?,
        &expected,
    )?;
    Ok(Held::Kept)
}

async fn text(trial: &Trial) -> Ended {
    let topic = own_topic();
    let event_id = format!("text-{topic}");
    let mut socket = trial.open(&[&topic]).await?;
    let call = binary_event(&event_id, &topic).body("AAPL 287.40 ✓");
    trial
        .publish(&call.header("content-type", "text/plain"))
        .await?;
    let expected = json!({"datacontenttype": "text/plain", "data": "AAPL 287.40 ✓"});
    expect_members(
        "the event",
        &socket.notification(&event_id).await?,
        &expected,
    )?;
    Ok(Held::Kept)
}

/// An event in binary mode, without its data.
fn binary_event(id: &str, topic: &str) -> Call {
    Call::new(http::Method::POST, "/notifications")
        .header("ce-specversion", "1.0")
        .header("ce-id", id)
        .header("ce-source", "/suite")
        .header("ce-type", "suite.binary")
        .header("ce-subject", topic)
}

async fn large(trial: &Trial) -> Ended {
    // With its envelope the frame stays just within 32 KiB.
    let data: String = ('a'..='z').cycle().take(32 * 1024 - 512).collect();
    let topic = own_topic();
    let mut socket = trial.open(&[&topic]).await?;
    let id = trial.notify(json!({"topic": topic}), json!(data)).await?;
    let arrived = socket.notification(&id).await?;
    let is_whole = arrived.get("data").and_then(Value::as_str) == Some(&data);
    expect_that(is_whole, "the data", "what was published", &arrived)?;
    Ok(Held::Kept)
}

async fn batch(trial: &Trial) -> Ended {
    let topic = own_topic();
    let mut socket = trial.open(&[&topic]).await?;
    let good = notification(json!({"topic": topic}), json!(1));
    let bad = json!({"type": "suite.note", "data": 1});
    let body = json!({"notifications": [good, bad, good]});
    let answer = trial
        .send(&Call::post("/notifications:batch", &body))
        .await?;
    expect("the status", &answer.status.as_u16(), &207)?;
    let results = answer.body.get("results").and_then(Value::as_array);
    let Some([first, second, third]) = results.map(Vec::as_slice) else {
        expect_that(false, "the answer", "3 results", &answer.body)?;
        return Ok(Held::Kept);
    };
    for accepted in [first, third] {
        let id = text_of(accepted, "id");
        let location = format!("/notifications/{id}");
        let expected = json!({"status": 202, "location": location});
        expect_members("the result", accepted, &expected)?;
        socket.notification(id).await?;
    }
    let expected = json!({"status": 422, "code": "invalid_fields"});
    expect_members("the result", second, &expected)?;
    Ok(Held::Kept)
}
