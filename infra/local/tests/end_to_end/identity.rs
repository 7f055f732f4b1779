//! Who may connect, and who somebody is.

use serde_json::json;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;

use crate::stack::{Stack, token};

/// Returns the status and the text of a refused handshake.
#[track_caller]
fn refusal<T>(opened: Result<T, Error>) -> (u16, String) {
    match opened {
        Err(Error::Http(refused)) => {
            let status = refused.status().as_u16();
            let body = refused.into_body().unwrap_or_default();
            (status, String::from_utf8(body).unwrap())
        }
        Err(other) => panic!("not a refusal: {other}"),
        Ok(_) => panic!("the connection was not refused"),
    }
}

/// Publishing asks for no token here: these tests are about subscribers.
async fn stack() -> Stack {
    Stack::start(&[
        "--auth",
        "--env",
        "PUBLISHER_AUTH=off",
        "--env",
        "TOKEN_LEEWAY_SECONDS=0",
    ])
    .await
}

#[tokio::test]
async fn nobody_is_let_in_without_a_valid_token() {
    let stack = stack().await;
    let valid = token(&["--user", "u1"]).await;
    let expired = token(&["--user", "u1", "--ttl", "1ms"]).await;
    let secret = "another secret of at least 32 bytes";
    let forged = token(&["--user", "u1", "--auth-secret", secret]).await;
    for query in [
        "",
        "?token=",
        "?token=nonsense",
        &format!("?token={expired}"),
        &format!("?token={forged}"),
        &format!("?token={valid}&token={expired}"),
    ] {
        let (status, text) = refusal(stack.try_subscribe(query).await);
        assert_eq!(status, 401, "{query}: {text}");
        assert!(text.contains(r#""message":"Unauthorized""#), "{text}");
    }
    let bearer = format!("fanout.v1, bearer.{forged}");
    let (status, _) = refusal(stack.try_subscribe_speaking(&bearer).await);
    assert_eq!(status, 401);
    let ledger = stack.settled(&stack.order().await).await;
    assert_eq!(ledger["targeted"], 0, "nothing was stored");
}

#[tokio::test]
async fn a_token_comes_by_the_query_or_as_a_subprotocol_which_is_not_chosen() {
    let stack = stack().await;
    let valid = token(&["--user", "auth0|1"]).await;
    let mut by_query = stack.subscribe(&format!("?token={valid}")).await;
    let who = by_query.ask(json!({"action": "whoami"})).await;
    assert_eq!(who["userId"], "auth0|1");

    let bearer = format!("fanout.v1, bearer.{valid}");
    let opened = stack.try_subscribe_speaking(&bearer).await;
    let (mut by_subprotocol, chosen) = opened.unwrap();
    assert_eq!(chosen.as_deref(), Some("fanout.v1"));
    let who = by_subprotocol.ask(json!({"action": "whoami"})).await;
    assert_eq!(who["userId"], "auth0|1");

    // The token alone lets in, but is never answered: to such a client that
    // means that no subprotocol fits.
    let alone = format!("bearer.{valid}");
    let opened = stack.try_subscribe_speaking(&alone).await;
    let no_subprotocol = matches!(
        opened,
        Err(Error::Protocol(
            ProtocolError::SecWebSocketSubProtocolError(_)
        ))
    );
    assert!(no_subprotocol);
}

#[tokio::test]
async fn whoever_is_refused_is_logged_by_the_reason_and_never_by_the_token() {
    let stack = Stack::start(&["--auth", "--log", "trace"]).await;
    let valid = token(&["--user", "u1"]).await;
    let secret = "another secret of at least 32 bytes";
    let forged = token(&["--user", "u1", "--auth-secret", secret]).await;
    stack.subscribe(&format!("?token={valid}")).await;
    let bearer = format!("fanout.v1, bearer.{valid}");
    stack.try_subscribe_speaking(&bearer).await.unwrap();
    let opened = stack.try_subscribe(&format!("?token={forged}")).await;
    assert_eq!(refusal(opened).0, 401);
    stack.process.logged("wrong_signature").await;
    for token in [&valid, &forged] {
        // A part of it is bad enough.
        for part in token.split('.').skip(1) {
            assert!(!stack.process.has_logged(part), "{part} was logged");
        }
    }
}

#[tokio::test]
async fn users_and_organisations_are_reached_on_all_their_sockets() {
    let stack = stack().await;
    let [one, other] = [
        token(&["--user", "auth0|1", "--org", "acme"]).await,
        token(&["--user", "u2", "--org", "acme"]).await,
    ];
    let mut first = stack.subscribe(&format!("?token={one}")).await;
    let mut second = stack.subscribe(&format!("?token={one}&topics=a")).await;
    let mut third = stack.subscribe(&format!("?token={other}")).await;
    let to = |target| json!({"type": "note", "data": 1, "target": target}).to_string();

    let body = to(json!({"user": "auth0|1"}));
    let location = stack.publish("/notifications", &body).await;
    let ledger = stack.settled(&location).await;
    assert_eq!(
        (&ledger["targeted"], &ledger["accepted"]),
        (&json!(2), &json!(2))
    );
    for subscriber in [&mut first, &mut second] {
        assert_eq!(subscriber.frame().await["subject"], "user:auth0|1");
    }
    assert_eq!(third.count_arrived().await, 0);

    let body = to(json!({"org": "acme"}));
    let location = stack.publish("/notifications", &body).await;
    assert_eq!(stack.settled(&location).await["accepted"], 3);
    for subscriber in [&mut first, &mut second, &mut third] {
        assert_eq!(subscriber.frame().await["subject"], "org:acme");
    }
}

#[tokio::test]
async fn a_closed_socket_leaves_its_users_audience() {
    let stack = stack().await;
    let valid = token(&["--user", "u1", "--org", "acme"]).await;
    let subscriber = stack.subscribe(&format!("?token={valid}")).await;
    assert_eq!(stack.rows_of("subscriptions").await, 2);
    subscriber.vanish();
    stack.wait_until_empty("connections").await;
    assert_eq!(stack.rows_of("subscriptions").await, 0);
    let body = json!({"type": "note", "data": 1, "target": {"user": "u1"}}).to_string();
    let location = stack.publish("/notifications", &body).await;
    let ledger = stack.settled(&location).await;
    assert_eq!(ledger["targeted"], 0, "{ledger}");
}

#[tokio::test]
async fn topics_outside_the_tokens_permission_are_refused_by_name() {
    let stack = stack().await;
    let limited = token(&["--user", "u1", "--topics", "news,stocks/*"]).await;
    let query = |topics: &str| format!("?token={limited}&topics={topics}");
    let mut allowed = stack.subscribe(&query("news,stocks/AAPL")).await;
    let who = allowed.ask(json!({"action": "whoami"})).await;
    assert_eq!(who["topics"], json!(["news", "stocks/AAPL"]));

    let opened = stack.try_subscribe(&query("news,bonds,user:u1")).await;
    let refused = "topics: not allowed to listen to bonds, user:u1";
    assert_eq!(refusal(opened), (403, refused.to_owned()));
    let none = token(&["--user", "u1", "--topics", ""]).await;
    stack.subscribe(&format!("?token={none}")).await;
    let opened = stack
        .try_subscribe(&format!("?token={none}&topics=a"))
        .await;
    assert_eq!(refusal(opened).0, 403);
}

#[tokio::test]
async fn without_authentication_the_stack_says_so_and_anybody_may_come() {
    let stack = Stack::start(&[]).await;
    stack.process.logged("authentication is OFF").await;
    let mut subscriber = stack.subscribe("?token=whatever").await;
    let who = subscriber.ask(json!({"action": "whoami"})).await;
    assert_eq!(who["userId"], json!(null));
}

#[tokio::test]
async fn what_is_switched_off_alone_is_said_too() {
    let stack = stack().await;
    stack.process.logged("PUBLISHER_AUTH is off").await;
    assert!(!stack.process.has_logged("authentication is OFF"));
    assert!(!stack.process.has_logged("SUBSCRIBER_AUTH is off"));
}

#[tokio::test]
async fn publishing_asks_for_a_token_with_its_scope() {
    let stack = Stack::start(&["--auth"]).await;
    let order = async |authorization: &str| {
        let headers = [
            ("content-type", "application/json"),
            ("idempotency-key", "k"),
            ("authorization", authorization),
        ];
        let headers = if authorization.is_empty() {
            &headers[..2]
        } else {
            &headers[..]
        };
        let order = r#"{"bookId":1,"title":"Emma","quantity":1}"#;
        stack.request_with("POST", "/orders", headers, order).await
    };
    let bearer = async |arguments: &[&str]| format!("Bearer {}", token(arguments).await);
    let unauthenticated = order("").await;
    assert_eq!(unauthenticated.status, 401);
    assert_eq!(unauthenticated.body["code"], "unauthenticated");
    assert!(unauthenticated.headers.contains_key("www-authenticate"));
    let subscriber = order(&bearer(&["--user", "u1"]).await).await;
    assert_eq!(
        (subscriber.status.as_u16(), &subscriber.body["code"]),
        (403, &json!("forbidden"))
    );
    let scope = ["--scope", "publish"];
    let mut ids = Vec::new();
    for user in ["u1", "u2"] {
        let publisher = bearer(&[&["--user", user], &scope[..]].concat()).await;
        let accepted = order(&publisher).await;
        assert_eq!(accepted.status, 202, "{accepted:?}");
        assert_eq!(order(&publisher).await.body, accepted.body);
        ids.push(accepted.body["id"].clone());
    }
    assert_ne!(ids[0], ids[1], "a key is its caller's alone");
}
