use fanout_core::memory::{MemoryQueues, MemoryStore};
use fanout_core::notification::Target;
use fanout_core::queue::Lane;
use fanout_core::task::Work;
use jiff::Timestamp;
use serde_json::Value;

use super::*;

const ORDER: &str = r#"{"bookId":123,"title":"The Pragmatic Programmer","quantity":1}"#;

struct Api {
    publish: Publish<MemoryStore, MemoryQueues>,
}

impl Api {
    fn new() -> Self {
        let clock = Clock::starting_at(Timestamp::from_second(1_700_000_000).unwrap());
        let publisher = Publisher {
            ledger: MemoryStore::new(clock, 4),
            queue: MemoryQueues::default(),
            clock,
            source: "/notifications".to_owned(),
            max_frame_bytes: 2_048,
        };
        Self {
            publish: Publish { publisher },
        }
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> (i64, HeaderMap, Value) {
        self.send_as("application/json", method, path, body).await
    }

    async fn send_as(
        &self,
        content_type: &str,
        method: &str,
        path: &str,
        body: &str,
    ) -> (i64, HeaderMap, Value) {
        let request = json!({
            "version": "2.0",
            "routeKey": format!("{method} {path}"),
            "rawPath": path,
            "rawQueryString": "",
            "headers": {"content-type": content_type},
            "requestContext": {"http": {"method": method, "path": path}},
            "body": body,
            "isBase64Encoded": false,
        });
        let request = serde_json::from_value(request).unwrap();
        let response = self.publish.handle(&request).await;
        let body = serde_json::from_slice(&response.body.unwrap()).unwrap();
        (response.status_code, response.headers, body)
    }

    /// Sends what must be refused, and checks that nothing was enqueued.
    #[track_caller]
    fn assert_nothing_enqueued(&self) {
        assert_eq!(self.publish.publisher.queue.take().len(), 0);
    }
}

#[tokio::test]
async fn an_order_is_recorded_enqueued_and_located() {
    let api = Api::new();
    let (status, headers, body) = api.send("POST", "/orders", ORDER).await;
    let id = body["id"].as_str().unwrap();
    assert_eq!(status, 202);
    assert_eq!(headers[LOCATION], format!("/notifications/{id}"));

    let sent = api.publish.publisher.queue.take();
    let [(Lane::Notifications, _, task)] = sent.as_slice() else {
        panic!("{sent:?}");
    };
    assert_eq!(task.work, Work::Audience(Target::Everyone));
    assert!(task.frame.contains(r#""type":"book.ordered""#));

    let (status, _, standing) = api.send("GET", &format!("/notifications/{id}"), "").await;
    assert_eq!(status, 200);
    let expected = json!({
        "id": id, "state": "accepted",
        "targeted": 0, "accepted": 0, "gone": 0, "failed": 0, "expired": 0, "pending": 0,
        "acceptedAt": "2023-11-14T22:13:20Z",
    });
    assert_eq!(standing, expected);
}

#[tokio::test]
async fn a_notification_to_a_topic_is_enqueued() {
    let api = Api::new();
    let body = r#"{"type":"score","data":{"home":1},"target":{"topic":"match/7"}}"#;
    let (status, _, _) = api.send("POST", "/notifications", body).await;
    let sent = api.publish.publisher.queue.take();
    assert_eq!(status, 202);
    assert_eq!(sent[0].2.topic, Some("match/7".parse().unwrap()));
}

#[tokio::test]
async fn malformed_bodies_are_problems_and_nothing_is_enqueued() {
    let api = Api::new();
    let large = format!(
        r#"{{"type":"t","data":"{}","target":"everyone"}}"#,
        "x".repeat(2_048)
    );
    for (path, body, status, code) in [
        ("/orders", "", 400, "not_json"),
        ("/orders", "{", 400, "not_json"),
        ("/orders", r#"{"bookId":"1"}"#, 422, "invalid_fields"),
        ("/notifications", large.as_str(), 413, "too_large"),
    ] {
        let (got, headers, problem) = api.send("POST", path, body).await;
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{problem}");
        assert_eq!(headers[CONTENT_TYPE], "application/problem+json");
        assert_eq!(problem["status"], json!(status));
    }
    api.assert_nothing_enqueued();
}

#[tokio::test]
async fn a_body_must_be_declared_as_json_if_it_is_declared() {
    let api = Api::new();
    let form = "application/x-www-form-urlencoded";
    let (status, _, problem) = api.send_as(form, "POST", "/orders", ORDER).await;
    assert_eq!(
        (status, &problem["code"]),
        (415, &json!("unsupported_media_type"))
    );
    api.assert_nothing_enqueued();
    let utf8 = "application/json; charset=utf-8";
    assert_eq!(api.send_as(utf8, "POST", "/orders", ORDER).await.0, 202);
}

#[tokio::test]
async fn unknown_routes_and_methods_are_told_what_there_is() {
    let api = Api::new();
    let (status, _, problem) = api.send("POST", "/order", ORDER).await;
    assert_eq!((status, &problem["code"]), (404, &json!("no_such_route")));
    assert!(problem["detail"].as_str().unwrap().contains("POST /orders"));
    let (status, headers, _) = api.send("GET", "/orders", "").await;
    assert_eq!(
        (status, &headers["allow"]),
        (405, &HeaderValue::from_static("POST"))
    );
    api.assert_nothing_enqueued();
}

#[tokio::test]
async fn an_unknown_notification_is_not_found() {
    let api = Api::new();
    for id in ["0190163d-8694-739b-aea5-966c26f8ad91", "7"] {
        let (status, _, problem) = api.send("GET", &format!("/notifications/{id}"), "").await;
        assert_eq!(
            (status, &problem["code"]),
            (404, &json!("no_such_notification"))
        );
    }
}

#[test]
fn a_base64_body_is_decoded() {
    let mut request = Request::default();
    request.body = Some(STANDARD.encode(ORDER));
    request.is_base64_encoded = true;
    assert_eq!(body_of(&request).unwrap(), ORDER.as_bytes());
}
