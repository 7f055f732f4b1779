//! What is told of requests in metrics, and the trace that tasks travel under.

use super::*;
use crate::metrics::tests::{Written, recording};

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";

fn observed() -> (Api, Written) {
    let mut api = Api::new();
    let (metrics, written) = recording(api.publish.publisher.clock);
    api.publish.metrics = metrics;
    (api, written)
}

#[tokio::test(start_paused = true)]
async fn a_notification_is_counted_once_and_goes_on_under_its_trace() {
    let (api, written) = observed();
    let header = format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=0");
    let headers = json!({"content-type": "application/json", "idempotency-key": "k"});
    let request = request_of("POST", "/orders", &headers, ORDER);
    let response = api.publish.handle(&request, header.parse().ok()).await;
    let metric = json!({"Name": "NotificationsAccepted", "Unit": "Count"});
    let expected = json!({
        "_aws": {"Timestamp": 1_700_000_000_000_i64, "CloudWatchMetrics": [{
            "Namespace": "Test", "Dimensions": [[]], "Metrics": [metric],
        }]},
        "notification_id": body_of(&response)["id"], "trace_id": ROOT,
        "NotificationsAccepted": 1,
    });
    assert_eq!(written.take(), [expected]);
    assert_eq!(api.sent()[0].2.trace.unwrap().to_string(), header);

    let again = api.publish.handle(&request, None).await;
    assert_eq!(again.status_code, 202);
    assert_eq!(written.take(), [Value::Null; 0]);
}

#[tokio::test(start_paused = true)]
async fn each_notification_of_a_batch_is_counted() {
    let (api, written) = observed();
    let batch = format!(r#"{{"notifications":[{NOTIFICATION},{{"type":7}},{NOTIFICATION}]}}"#);
    api.post("/notifications:batch").body(&batch).await;
    let told = json!({"NotificationsAccepted": 2, "NotificationsRefused": 1});
    assert_eq!(written.take_figures(), told);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_counted_where_something_was_to_be_published() {
    let (api, written) = observed();
    for (path, body) in [
        ("/orders", "{"),
        ("/notifications", "{}"),
        ("/notifications:batch", "[]"),
    ] {
        api.post(path).body(body).await;
        assert_eq!(
            written.take_figures(),
            json!({"NotificationsRefused": 1}),
            "{path}"
        );
    }
    api.get("/notifications/7").await;
    api.post("/no/such/route").body("").await;
    assert_eq!(written.take(), [Value::Null; 0]);
}
