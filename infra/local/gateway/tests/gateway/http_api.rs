//! The HTTP API on the wire.

use std::time::Duration;

use bytes::Bytes;
use fanout_local_gateway::{IntegrationError, RateLimit, StaticRoute};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;

use crate::stage::{SIGNATURE, Stage, settings};

async fn post(stage: &Stage, path: &str, body: Bytes) -> Response<Bytes> {
    let request = Request::post(format!("http://{}{path}", stage.http))
        .header("content-type", "application/json");
    stage.send(request.body(Full::new(body)).unwrap()).await
}

#[track_caller]
fn check(reply: &Response<Bytes>, status: u16, message: &str) {
    let body = json!({ "message": message }).to_string();
    assert_eq!(reply.status(), status);
    assert_eq!(reply.body(), &body);
}

#[tokio::test]
async fn a_request_reaches_its_function_and_the_answer_its_client() {
    let mut stage = Stage::start(settings());
    let answer = json!({
        "statusCode": 202, "headers": {"location": "/notifications/7"}, "body": "{}",
    });
    stage.functions.answer("publish", Ok(answer));
    let reply = post(&stage, "/orders/a%20b?x=1", r#"{"bookId":7}"#.into()).await;
    assert_eq!(reply.status(), 202);
    assert_eq!(reply.headers()["location"], "/notifications/7");
    assert_eq!(reply.headers()["apigw-requestid"].len(), 16);
    assert_eq!(reply.body(), "{}");
    let event = stage.event("publish").await;
    assert_eq!(event["routeKey"], "POST /orders/{id}");
    assert_eq!(event["pathParameters"], json!({"id": "a b"}));
    assert_eq!(event["body"], r#"{"bookId":7}"#);
    let context = &event["requestContext"];
    assert_eq!(context["domainName"], json!(stage.http.to_string()));
    assert_eq!(context["http"]["sourceIp"], "127.0.0.1");
}

#[tokio::test]
async fn a_request_without_a_route_is_not_found() {
    let stage = Stage::start(settings());
    check(
        &post(&stage, "/elsewhere", Bytes::new()).await,
        404,
        "Not Found",
    );
}

#[tokio::test]
async fn failures_of_the_function_have_their_statuses() {
    let stage = Stage::start(settings());
    let failed = IntegrationError::Failed {
        message: "boom".to_owned(),
    };
    for (error, status, message) in [
        (failed, 500, "Internal Server Error"),
        (IntegrationError::Throttled, 503, "Service Unavailable"),
        (IntegrationError::TimedOut, 503, "Service Unavailable"),
    ] {
        stage.functions.answer("publish", Err(error));
        check(
            &post(&stage, "/orders/1", Bytes::new()).await,
            status,
            message,
        );
    }
}

#[tokio::test]
async fn a_function_that_never_answers_is_given_up() {
    let mut settings = settings();
    settings.http_integration_timeout = Duration::from_millis(20);
    let stage = Stage::start(settings);
    stage.functions.play("publish", |_| std::future::pending());
    let reply = post(&stage, "/orders/1", Bytes::new()).await;
    check(&reply, 503, "Service Unavailable");
}

#[tokio::test]
async fn requests_over_the_accounts_rate_are_turned_away_but_not_pages() {
    let mut settings = settings();
    settings.account = Some(RateLimit {
        rate_per_second: 0,
        burst: 1,
    });
    settings.static_routes = vec![StaticRoute {
        path: "/".to_owned(),
        content_type: "text/html".to_owned(),
        body: "<p>hello".into(),
    }];
    let stage = Stage::start(settings);
    for (method, body) in [("GET", "<p>hello"), ("GET", "<p>hello"), ("HEAD", "")] {
        let page = Request::builder().method(method);
        let page = page.uri(format!("http://{}/", stage.http));
        let page = stage.send(page.body(Full::default()).unwrap()).await;
        assert_eq!(page.headers()["content-type"], "text/html");
        assert_eq!(page.body(), body);
    }
    assert_eq!(post(&stage, "/orders/1", Bytes::new()).await.status(), 200);
    let reply = post(&stage, "/orders/1", Bytes::new()).await;
    check(&reply, 429, "Too Many Requests");
    let statistics = stage.gateway.statistics();
    assert_eq!(
        (statistics.http_requests, statistics.http_throttled),
        (1, 1)
    );
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let mut settings = settings();
    settings.max_body_bytes = 100_000;
    let stage = Stage::start(settings);
    let fitting = Bytes::from(vec![b' '; 100_000]);
    assert_eq!(post(&stage, "/orders/1", fitting).await.status(), 200);
    let reply = post(&stage, "/orders/1", vec![b' '; 100_001].into()).await;
    check(&reply, 413, "Request Entity Too Large");
}

#[tokio::test]
async fn a_refusal_before_the_body_is_read_keeps_the_connection() {
    let mut settings = settings();
    settings.account = Some(RateLimit {
        rate_per_second: 0,
        burst: 0,
    });
    let stage = Stage::start(settings);
    for (address, path) in [
        (stage.http, "/orders/1"),
        (stage.websocket, "/prod/@connections/TXzPWdnOjoECGjA="),
    ] {
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (mut client, connection) = http1::handshake(stream).await.unwrap();
        let connection = tokio::spawn(connection);
        for _ in 0..10 {
            let request = Request::post(path)
                .header("host", "localhost")
                .header("authorization", SIGNATURE)
                .body(Full::new(Bytes::from(vec![b'x'; 100_000])));
            client.ready().await.unwrap();
            let reply = client.send_request(request.unwrap()).await.unwrap();
            assert_eq!(reply.status(), 429);
            reply.into_body().collect().await.unwrap();
        }
        drop(client);
        connection.await.unwrap().unwrap();
    }
}
