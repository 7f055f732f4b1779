use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use fanout_core::connection::{Connection, ConnectionId};
use fanout_core::memory::{MemoryQueues, MemoryStore};
use fanout_core::notification::Target;
use fanout_core::queue::Lane;
use fanout_core::socket::Socket;
use fanout_core::store::StoreError;
use fanout_core::task::Work;
use http::HeaderMap;
use jiff::Timestamp;

use super::*;

mod cancelling;
mod in_time;
mod told;

const ORDER: &str = r#"{"bookId":123,"title":"The Pragmatic Programmer","quantity":1}"#;
const NOTIFICATION: &str = r#"{"type":"score","data":{"home":1},"target":{"topic":"match/7"}}"#;

/// A gateway with one open socket.
#[derive(Clone, Debug)]
struct OneSocket(Arc<Mutex<Option<ConnectionId>>>);

impl OneSocket {
    fn is_open(&self, id: &ConnectionId) -> bool {
        self.0.lock().unwrap().as_ref() == Some(id)
    }
}

impl Sockets for OneSocket {
    async fn inspect(&self, id: &ConnectionId) -> Result<Option<Socket>, StoreError> {
        Ok(self.is_open(id).then(|| Socket {
            connected_at: Some(Timestamp::UNIX_EPOCH),
            last_active_at: None,
            source_ip: Some("127.0.0.1".to_owned()),
            user_agent: None,
        }))
    }

    async fn close(&self, id: &ConnectionId) -> Result<bool, StoreError> {
        let was_open = self.is_open(id);
        if was_open {
            self.0.lock().unwrap().take();
        }
        Ok(was_open)
    }
}

struct Api {
    publish: Publish<MemoryStore, MemoryQueues, OneSocket>,
}

/// A request that is about to be sent.
struct Sending<'a> {
    api: &'a Api,
    method: &'a str,
    path: &'a str,
    headers: Value,
}

impl Sending<'_> {
    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers[name] = json!(value);
        self
    }

    async fn body(self, body: &str) -> (i64, HeaderMap, Value) {
        let Self {
            api,
            method,
            path,
            headers,
        } = self;
        let request = request_of(method, path, &headers, body);
        let response = api.publish.handle(&request, None).await;
        let body = body_of(&response);
        (response.status_code, response.headers, body)
    }
}

fn request_of(method: &str, path: &str, headers: &Value, body: &str) -> Request {
    let request = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {"http": {"method": method, "path": path}},
        "body": body,
        "isBase64Encoded": false,
    });
    serde_json::from_value(request).unwrap()
}

fn body_of(response: &Response) -> Value {
    let body = response.body.as_deref().unwrap_or("null".as_bytes());
    serde_json::from_slice(body).unwrap()
}

impl Api {
    fn new() -> Self {
        let clock = Clock::starting_at(Timestamp::from_second(1_700_000_000).unwrap());
        let store = MemoryStore::new(clock, 4);
        let publisher = Publisher {
            notifications: store.clone(),
            queue: MemoryQueues::default(),
            clock,
            source: "/notifications".to_owned(),
            max_frame_bytes: 2_048,
        };
        let socket = ConnectionId::from("TXzPWdnOjoECGjA=");
        Self {
            publish: Publish {
                store,
                publisher,
                sockets: OneSocket(Arc::new(Mutex::new(Some(socket)))),
                callers: Callers::Anyone,
                origins: None,
                metrics: Metrics::new(None, clock),
            },
        }
    }

    fn request<'a>(&'a self, method: &'a str, path: &'a str) -> Sending<'a> {
        Sending {
            api: self,
            method,
            path,
            headers: json!({"content-type": "application/json"}),
        }
    }

    fn post<'a>(&'a self, path: &'a str) -> Sending<'a> {
        self.request("POST", path)
    }

    async fn get(&self, path: &str) -> (i64, HeaderMap, Value) {
        self.request("GET", path).body("").await
    }

    fn sent(&self) -> Vec<(Lane, Duration, fanout_core::task::Task)> {
        self.publish.publisher.queue.take()
    }

    /// Stores the connection whose socket is open.
    async fn connect(&self, topics: &[&str]) {
        let connection = Connection {
            id: "TXzPWdnOjoECGjA=".into(),
            connected_at: Timestamp::UNIX_EPOCH,
            expires_at: Timestamp::MAX,
            user_id: Some("u1".to_owned()),
            org_id: None,
            topics: topics.iter().map(|topic| topic.parse().unwrap()).collect(),
        };
        let store = &self.publish.store;
        store.open(&connection).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_is_recorded_enqueued_and_located() {
    let api = Api::new();
    let (status, headers, body) = api.post("/orders").body(ORDER).await;
    let id = body["id"].as_str().unwrap();
    assert_eq!(status, 202);
    assert_eq!(headers[LOCATION], format!("/notifications/{id}"));

    let sent = api.sent();
    let [(Lane::Notifications, _, task)] = sent.as_slice() else {
        panic!("{sent:?}");
    };
    assert_eq!(task.work, Work::Audience(Target::Everyone));
    assert!(task.frame.contains(r#""type":"book.ordered""#));

    let (status, _, standing) = api.get(&format!("/notifications/{id}")).await;
    assert_eq!(status, 200);
    let expected = json!({
        "id": id, "state": "accepted", "targeted": 0, "accepted": 0, "gone": 0,
        "failed": 0, "expired": 0, "cancelled": 0, "pending": 0,
        "acceptedAt": "2023-11-14T22:13:20Z",
    });
    assert_eq!(standing, expected);
}

#[tokio::test(start_paused = true)]
async fn a_notification_to_a_topic_is_enqueued() {
    let api = Api::new();
    let (status, _, _) = api.post("/notifications").body(NOTIFICATION).await;
    assert_eq!(status, 202);
    assert_eq!(api.sent()[0].2.topic, Some("match/7".parse().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_cloud_event_reaches_subscribers_as_its_publisher_wrote_it() {
    let api = Api::new();
    let event = r#"{"specversion":"1.0","id":"7","source":"/shop","type":"sold","subject":"a/b"}"#;
    let structured = api
        .post("/notifications")
        .with("content-type", "application/cloudevents+json");
    assert_eq!(structured.body(event).await.0, 202);
    let binary = api
        .post("/notifications")
        .with("content-type", "text/plain")
        .with("ce-specversion", "1.0")
        .with("ce-id", "7")
        .with("ce-source", "/shop")
        .with("ce-type", "sold")
        .with("ce-subject", "a/b");
    assert_eq!(binary.body("hello").await.0, 202);
    let frames: Vec<Value> = api
        .sent()
        .iter()
        .map(|(_, _, task)| serde_json::from_str(&task.frame).unwrap())
        .collect();
    for frame in &frames {
        assert_eq!(
            (&frame["id"], &frame["source"], &frame["subject"]),
            (&json!("7"), &json!("/shop"), &json!("a/b"))
        );
    }
    assert_eq!(frames[0].get("data"), None);
    assert_eq!(
        (&frames[1]["data"], &frames[1]["datacontenttype"]),
        (&json!("hello"), &json!("text/plain"))
    );
}

#[tokio::test(start_paused = true)]
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
        ("/notifications:batch", "[]", 422, "invalid_fields"),
    ] {
        let (got, headers, problem) = api.post(path).body(body).await;
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{problem}");
        assert_eq!(headers[CONTENT_TYPE], "application/problem+json");
        assert_eq!(problem["status"], json!(status));
    }
    assert_eq!(api.sent().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_of_another_kind_is_refused() {
    let api = Api::new();
    for (path, content_type) in [
        ("/orders", "application/x-www-form-urlencoded"),
        ("/orders", "application/cloudevents+json"),
        ("/notifications:batch", "application/cloudevents+json"),
        ("/notifications", "application/cloudevents-batch+json"),
    ] {
        let sending = api.post(path).with("content-type", content_type);
        let (status, _, problem) = sending.body(ORDER).await;
        assert_eq!(
            (status, &problem["code"]),
            (415, &json!("unsupported_media_type"))
        );
    }
    assert_eq!(api.sent().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_same_request_under_a_key_has_the_same_answer() {
    let api = Api::new();
    let send = async |body: &str| {
        let sending = api.post("/orders").with("idempotency-key", "k");
        sending.body(body).await
    };
    let (status, headers, first) = send(ORDER).await;
    let (again, headers_again, second) = send(ORDER).await;
    assert_eq!((status, &first), (again, &second));
    assert_eq!(headers[LOCATION], headers_again[LOCATION]);
    let (status, _, problem) = send(r#"{"bookId":1,"title":"T","quantity":1}"#).await;
    assert_eq!(
        (status, &problem["code"]),
        (422, &json!("idempotency_key_reused"))
    );
    assert_eq!(api.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_leaves_its_key_free() {
    let api = Api::new();
    let send = async |body: &str| {
        let sending = api.post("/orders").with("idempotency-key", "k");
        sending.body(body).await.0
    };
    assert_eq!(send("{}").await, 422);
    assert_eq!(send(ORDER).await, 202);
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_which_nothing_is_valid_leaves_its_key_free() {
    let api = Api::new();
    let send = async |body: &str| {
        let sending = api.post("/notifications:batch");
        sending.with("idempotency-key", "k").body(body).await
    };
    let (status, _, answer) = send(r#"{"notifications":[{"type":7},3]}"#).await;
    assert_eq!(
        (status, &answer["results"][1]["status"]),
        (207, &json!(422))
    );
    let valid = format!(r#"{{"notifications":[{NOTIFICATION}]}}"#);
    let (status, _, answer) = send(&valid).await;
    assert_eq!(
        (status, &answer["results"][0]["status"]),
        (207, &json!(202))
    );
}

#[tokio::test(start_paused = true)]
async fn a_malformed_key_is_refused() {
    let api = Api::new();
    for key in ["", &"k".repeat(256)] {
        let sending = api.post("/orders").with("idempotency-key", key);
        let (status, _, problem) = sending.body(ORDER).await;
        assert_eq!(
            (status, &problem["code"]),
            (400, &json!("invalid_idempotency_key"))
        );
    }
    assert_eq!(api.sent().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn each_notification_of_a_batch_has_its_own_result() {
    let api = Api::new();
    let batch = format!(r#"{{"notifications":[{NOTIFICATION},{{"type":7}},{NOTIFICATION}]}}"#);
    let send = async |body: &str| {
        let sending = api.post("/notifications:batch");
        sending.with("idempotency-key", "k").body(body).await
    };
    let (status, _, answer) = send(&batch).await;
    let statuses: Vec<_> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["status"].as_u64().unwrap())
        .collect();
    assert_eq!((status, statuses.as_slice()), (207, &[202, 422, 202][..]));
    assert_eq!(answer["results"][1]["code"], "invalid_fields");
    assert_eq!(api.sent().len(), 2);

    assert_eq!(send(&batch).await.2, answer, "the same answer");
    let longer = batch.replace("]}", &format!(",{NOTIFICATION}]}}"));
    assert_eq!(send(&longer).await.0, 422, "another request");
    assert_eq!(api.sent().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_notification_is_not_found() {
    let api = Api::new();
    for id in ["0190163d-8694-739b-aea5-966c26f8ad91", "7"] {
        for method in ["GET", "DELETE"] {
            let path = format!("/notifications/{id}");
            let (status, _, problem) = api.request(method, &path).body("").await;
            assert_eq!(
                (status, &problem["code"]),
                (404, &json!("no_such_notification"))
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_shown_and_closed() {
    let api = Api::new();
    api.connect(&["a"]).await;
    let path = "/connections/TXzPWdnOjoECGjA%3D";
    let (status, _, shown) = api.get(path).await;
    let expected = json!({
        "connectionId": "TXzPWdnOjoECGjA=", "connectedAt": "1970-01-01T00:00:00Z",
        "lastActiveAt": null, "sourceIp": "127.0.0.1", "userAgent": null,
        "userId": "u1", "orgId": null, "topics": ["a"],
    });
    assert_eq!((status, shown), (200, expected));

    let (status, _, _) = api.request("DELETE", path).body("").await;
    assert_eq!(status, 204);
    let store = &api.publish.store;
    assert_eq!(store.connection_ids(), []);
    for method in ["GET", "DELETE"] {
        let (status, _, problem) = api.request(method, path).body("").await;
        assert_eq!(
            (status, &problem["code"]),
            (404, &json!("no_such_connection"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_a_connection_is_not_asked_about() {
    let mut api = Api::new();
    let long = "a".repeat(129);
    for id in [
        "a b",
        "a%00",
        "../orders",
        &long,
        "%40connections",
        "\u{e9}",
    ] {
        // The gateway would say that it is open.
        let open = ConnectionId::from(routes_decoded(id));
        api.publish.sockets = OneSocket(Arc::new(Mutex::new(Some(open))));
        let path = format!("/connections/{}", id.replace('/', "%2F"));
        for method in ["GET", "DELETE"] {
            let (status, _, problem) = api.request(method, &path).body("").await;
            assert_eq!(
                (status, &problem["code"]),
                (404, &json!("no_such_connection")),
                "{id}"
            );
        }
    }
}

fn routes_decoded(segment: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(segment);
    decoded.decode_utf8_lossy().into_owned()
}

#[tokio::test(start_paused = true)]
async fn the_listeners_of_a_topic_are_counted() {
    let api = Api::new();
    api.connect(&["stocks/AAPL"]).await;
    for (topic, connections) in [("stocks%2FAAPL", 1), ("stocks/AAPL", 1), ("news", 0)] {
        let (status, _, counted) = api.get(&format!("/topics/{topic}")).await;
        assert_eq!(
            (status, &counted["connections"]),
            (200, &json!(connections))
        );
    }
    let (status, _, problem) = api.get("/topics/a%20b").await;
    assert_eq!((status, &problem["code"]), (422, &json!("invalid_topic")));
}

#[tokio::test(start_paused = true)]
async fn unknown_routes_and_methods_are_told_what_there_is() {
    let api = Api::new();
    let (status, _, problem) = api.post("/order").body(ORDER).await;
    assert_eq!((status, &problem["code"]), (404, &json!("no_such_route")));
    assert!(problem["detail"].as_str().unwrap().contains("POST /orders"));
    let (status, headers, _) = api.get("/orders").await;
    assert_eq!((status, &headers["allow"]), (405, &"POST".parse().unwrap()));
    assert_eq!(api.sent().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn pages_of_listed_origins_may_publish() {
    let mut api = Api::new();
    let shop = "https://shop.example";
    api.publish.origins = Some(Origins::Only(BTreeSet::from([shop.to_owned()])));
    let preflight = api
        .request("OPTIONS", "/orders")
        .with("origin", shop)
        .with("access-control-request-method", "POST");
    let (status, headers, _) = preflight.body("").await;
    assert_eq!(
        (status, &headers["access-control-allow-origin"]),
        (204, &shop.parse().unwrap())
    );
    let refused = api.post("/orders").with("origin", shop).body("{}").await;
    assert_eq!(
        (refused.0, &refused.1["access-control-allow-origin"]),
        (422, &shop.parse().unwrap())
    );
    let other = api.post("/orders").with("origin", "https://else.example");
    let (status, headers, _) = other.body(ORDER).await;
    assert_eq!(
        (status, headers.get("access-control-allow-origin")),
        (202, None)
    );
    let (status, _, _) = api.request("OPTIONS", "/orders").body("").await;
    assert_eq!(status, 405, "no preflight");
}
