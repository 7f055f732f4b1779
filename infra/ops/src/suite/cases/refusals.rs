//! What is refused, and how that is told.

use http::Method;
use serde_json::{Value, json};

use crate::api::Call;
use crate::socket::{Socket, SocketError};
use crate::suite::case::{Case, Ended, Held, cases};
use crate::suite::expectation::{expect, expect_problem, expect_that};
use crate::suite::trial::{Trial, notification, own_topic};

pub(super) const CASES: &[Case] = cases! {
    "a body that is not JSON is refused with 400" => not_json,
    "a path that is not served is refused with 404" => no_such_route,
    "a method that a path does not take is refused with 405, and Allow says which it takes" => method,
    "a notification that is too large for a frame is refused with 413" => too_large,
    "a body of an unknown type is refused with 415" => media_type,
    "a body with invalid fields is refused with 422, and every field is named" => invalid_fields,
    "a malformed topic is refused with 422" => invalid_topic,
};

async fn not_json(trial: &Trial) -> Ended {
    for path in ["/orders", "/notifications", "/notifications:batch"] {
        let call = Call::post(path, &Value::Null).body(r#"{"type":"#);
        expect_problem(&trial.send(&call).await?, 400, "not_json")?;
    }
    Ok(Held::Kept)
}

async fn no_such_route(trial: &Trial) -> Ended {
    for call in [
        Call::new(Method::GET, "/suite-asks-for-this-in-vain"),
        Call::post(
            "/order",
            &json!({"bookId": 1, "title": "Emma", "quantity": 1}),
        ),
    ] {
        expect_problem(&trial.send(&call).await?, 404, "no_such_route")?;
    }
    Ok(Held::Kept)
}

async fn method(trial: &Trial) -> Ended {
    let id = "01900000-0000-7000-8000-000000000000";
    for (method, path, allowed) in [
        (Method::GET, "/orders".to_owned(), &["POST"][..]),
        (Method::PUT, "/notifications".to_owned(), &["POST"]),
        (
            Method::PATCH,
            format!("/notifications/{id}"),
            &["GET", "DELETE"],
        ),
    ] {
        let answer = trial.send(&Call::new(method, path)).await?;
        expect_problem(&answer, 405, "method_not_allowed")?;
        let mut told: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
        told.sort_by_key(|method| allowed.iter().position(|allowed| allowed == method));
        expect("Allow", &told.as_slice(), &allowed)?;
    }
    Ok(Held::Kept)
}

async fn too_large(trial: &Trial) -> Ended {
    // Larger than the largest frame that can be configured.
    let data = "a".repeat(129 * 1024);
    let body = notification(json!({"topic": own_topic()}), json!(data));
    let answer = trial.send(&Call::post("/notifications", &body)).await?;
    expect_problem(&answer, 413, "too_large")?;
    Ok(Held::Kept)
}

async fn media_type(trial: &Trial) -> Ended {
    let body = notification(json!({"topic": own_topic()}), json!(1));
    for content_type in ["text/plain", "application/cloudevents-batch+json"] {
        let call = Call::post("/notifications", &body).header("content-type", content_type);
        expect_problem(&trial.send(&call).await?, 415, "unsupported_media_type")?;
    }
    Ok(Held::Kept)
}

async fn invalid_fields(trial: &Trial) -> Ended {
    let order = json!({"bookId": 1, "title": "Emma", "quantity": 0, "author": "Austen"});
    let answer = trial.send(&Call::post("/orders", &order)).await?;
    expect_problem(&answer, 422, "invalid_fields")?;
    let errors = answer.body.get("errors").and_then(Value::as_array);
    let pointers = errors
        .into_iter()
        .flatten()
        .map(|error| error.get("pointer"));
    let mut pointers: Vec<_> = pointers.flatten().filter_map(Value::as_str).collect();
    pointers.sort_unstable();
    expect(
        "the fields",
        &pointers.as_slice(),
        &["/author", "/quantity"].as_slice(),
    )?;
    let nobody = json!({"type": "suite.note", "data": 1});
    let answer = trial.send(&Call::post("/notifications", &nobody)).await?;
    expect_problem(&answer, 422, "invalid_fields")?;
    Ok(Held::Kept)
}

async fn invalid_topic(trial: &Trial) -> Ended {
    expect_problem(&trial.get("/topics/a%20b").await?, 422, "invalid_topic")?;
    Ok(Held::Kept)
}

/// Expects a handshake to be refused with this status.
pub(in crate::suite) fn expect_refusal(
    opened: Result<Socket, SocketError>,
    expected: u16,
) -> Ended {
    match opened {
        Err(SocketError::Refused { status, text }) => {
            let got = format!("{}: {text}", status.as_u16());
            let is_status = status.as_u16() == expected;
            let expected = format!("a refusal with {expected}");
            expect_that(is_status, "the handshake", &expected, &got)?;
            Ok(Held::Kept)
        }
        Err(error) => Err(error.into()),
        Ok(_) => {
            let expected = format!("a refusal with {expected}");
            expect_that(false, "the handshake", &expected, &"an open socket")?;
            Ok(Held::Kept)
        }
    }
}
