//! Handshakes: who comes in, and what everybody else is told.

use fanout_local_gateway::{IntegrationError, RateLimit};
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::stage::{Stage, next, settings};

#[tokio::test]
async fn a_handshake_waits_for_connect() {
    let mut stage = Stage::start(settings());
    let (release, released) = watch::channel(false);
    stage.functions.play("connect", move |_| {
        let mut released = released.clone();
        async move {
            released.wait_for(|is_released| *is_released).await.unwrap();
            Ok(json!({"statusCode": 200}))
        }
    });
    let event = {
        let request = format!("ws://{}/prod?topics=a", stage.websocket);
        let connecting = tokio::spawn(tokio_tungstenite::connect_async(request));
        let event = stage.event("connect").await;
        assert!(!connecting.is_finished());
        assert_eq!(stage.gateway.statistics().open_sockets, 0);
        release.send(true).unwrap();
        let (_socket, response) = connecting.await.unwrap().unwrap();
        assert_eq!(response.status(), 101);
        event
    };
    assert_eq!(event["queryStringParameters"], json!({"topics": "a"}));
    assert_eq!(event["requestContext"]["eventType"], "CONNECT");
    assert_eq!(event["headers"]["Sec-WebSocket-Version"], "13");
}

#[tokio::test]
async fn a_client_that_gives_up_during_connect_is_disconnected() {
    let mut stage = Stage::start(settings());
    let (release, released) = watch::channel(false);
    stage.functions.play("connect", move |_| {
        let mut released = released.clone();
        async move {
            released.wait_for(|is_released| *is_released).await.unwrap();
            Ok(json!({"statusCode": 200}))
        }
    });
    let request = format!("ws://{}/prod", stage.websocket);
    let connecting = tokio::spawn(tokio_tungstenite::connect_async(request));
    stage.event("connect").await;
    connecting.abort();
    assert!(connecting.await.is_err());
    release.send(true).unwrap();
    // The function had let the client in, so it is told of the end.
    let event = stage.event("disconnect").await;
    assert_eq!(event["requestContext"]["disconnectStatusCode"], 1006);
}

#[tokio::test]
async fn a_refusal_by_connect_becomes_the_answer() {
    let stage = Stage::start(settings());
    let refusal = json!({"statusCode": 418, "body": "no tea"});
    stage.functions.answer("connect", Ok(refusal));
    assert_eq!(stage.refusal("/prod").await, (418, "no tea".into()));
    assert_eq!(stage.gateway.statistics().handshakes_refused, 1);
}

#[tokio::test]
async fn a_failing_connect_is_a_bad_gateway_and_a_late_one_a_timeout() {
    let stage = Stage::start(settings());
    let failed = IntegrationError::Failed {
        message: "boom".to_owned(),
    };
    let cases = [
        (Err(failed), 502),
        (Err(IntegrationError::Throttled), 502),
        (Ok(json!({"body": "no status code"})), 502),
        (Err(IntegrationError::TimedOut), 504),
    ];
    for (outcome, status) in cases {
        stage.functions.answer("connect", outcome.clone());
        assert_eq!(stage.refusal("/prod").await.0, status, "{outcome:?}");
    }
}

#[tokio::test]
async fn the_subprotocol_is_the_one_that_connect_chose() {
    let stage = Stage::start(settings());
    let chosen = json!({"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "bearer"}});
    stage.functions.answer("connect", Ok(chosen));
    let offer = [("sec-websocket-protocol", "bearer, token-1")];
    let (_socket, response) = stage.try_connect("/prod", &offer).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "bearer");

    // Without a choice nothing is echoed, and the client gives up.
    stage
        .functions
        .answer("connect", Ok(json!({"statusCode": 200})));
    let refused = stage.try_connect("/prod", &offer).await;
    assert!(matches!(refused, Err(Error::Protocol(_))), "{refused:?}");
}

#[tokio::test]
async fn only_the_stage_can_be_connected_to() {
    let stage = Stage::start(settings());
    for target in ["/", "/dev", "/prod/extra"] {
        let forbidden = (403, r#"{"message":"Forbidden"}"#.into());
        assert_eq!(stage.refusal(target).await, forbidden, "{target}");
    }
}

#[tokio::test]
async fn a_plain_get_is_told_to_upgrade() {
    let stage = Stage::start(settings());
    let request = Request::get(format!("http://{}/prod", stage.websocket));
    let response = stage.send(request.body(Full::default()).unwrap()).await;
    assert_eq!(response.status(), 426);
    assert_eq!(response.headers()["upgrade"], "websocket");
}

#[tokio::test]
async fn connecting_has_a_rate_of_its_own() {
    let nothing_left = RateLimit {
        rate_per_second: 0,
        burst: 0,
    };
    let mut settings = settings();
    settings.account = Some(nothing_left);
    settings.connect_rate = Some(RateLimit {
        rate_per_second: 0,
        burst: 2,
    });
    let stage = Stage::start(settings);
    let _first = stage.try_connect("/prod", &[]).await.unwrap();
    let _second = stage.try_connect("/prod", &[]).await.unwrap();
    let too_many = (429, r#"{"message":"Too Many Requests"}"#.into());
    assert_eq!(stage.refusal("/prod").await, too_many);
}

#[tokio::test]
async fn sockets_beyond_the_limit_are_refused_before_connect_until_one_closes() {
    let mut settings = settings();
    settings.max_open_sockets = Some(2);
    let mut stage = Stage::start(settings);
    let (first, _) = stage.connect().await;
    let (mut second, id) = stage.connect().await;
    let too_many = (429, r#"{"message":"Too Many Requests"}"#.into());
    assert_eq!(stage.refusal("/prod").await, too_many);
    assert_eq!(stage.push(&id, "served").await, 200);
    assert_eq!(next(&mut second).await, Message::text("served"));
    drop(first);
    // The next event is this one: nobody asked `$connect` about the refusal.
    stage.event("disconnect").await;
    // Its file is closed by another task.
    while stage.try_connect("/prod", &[]).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert!(stage.gateway.statistics().handshakes_refused >= 1);
}

#[tokio::test]
async fn a_refused_handshake_leaves_its_place() {
    let mut settings = settings();
    settings.max_open_sockets = Some(1);
    let stage = Stage::start(settings);
    let refusal = json!({"statusCode": 401});
    stage.functions.answer("connect", Ok(refusal));
    for _ in 0..3 {
        assert_eq!(stage.refusal("/prod").await.0, 401);
    }
}

#[tokio::test]
async fn an_authorizer_decides_and_its_context_stays() {
    let mut settings = settings();
    settings.websocket_routes.authorizer = Some("authorizer".to_owned());
    let mut stage = Stage::start(settings);
    stage.functions.play("authorizer", |event| async move {
        let effect = match event["queryStringParameters"]["token"].as_str() {
            Some("good") => "Allow",
            Some("bad") => "Deny",
            Some("none") => {
                let message = "Unauthorized".to_owned();
                return Err(IntegrationError::Failed { message });
            }
            _ => return Ok(json!("neither")),
        };
        Ok(json!({
            "principalId": "user-1",
            "policyDocument": {"Statement": [{
                "Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"],
            }]},
            "context": {"seats": 7},
        }))
    });
    for (token, status) in [("bad", 403), ("none", 401), ("odd", 500)] {
        let (refused, _) = stage.refusal(&format!("/prod?token={token}")).await;
        assert_eq!(refused, status, "{token}");
        assert_eq!(stage.event("authorizer").await["type"], "REQUEST");
    }
    let (socket, _) = stage.try_connect("/prod?token=good", &[]).await.unwrap();
    drop(socket);
    stage.event("authorizer").await;
    let context = json!({"principalId": "user-1", "seats": "7"});
    let authorizer = |event: Value| event["requestContext"]["authorizer"].clone();
    assert_eq!(authorizer(stage.event("connect").await), context);
    assert_eq!(authorizer(stage.event("disconnect").await), context);
}
