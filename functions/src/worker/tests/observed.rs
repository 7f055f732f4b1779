//! What is told of tasks: their metrics, and the segments of their traces.

use fanout_core::ledger::{Begun, Lease};
use fanout_core::task::Part;
use serde_json::Value;

use super::*;

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";

#[tokio::test(start_paused = true)]
async fn a_line_says_how_every_push_and_delivery_ended() {
    let bench = Bench::with_connections(&["a", "b", "gone"]).await;
    let (notification, message) = bench.publish(Target::Everyone).await;
    tokio::time::advance(Duration::from_millis(250)).await;
    bench.deliver(&[&message]).await;
    let lines = bench.written.take();
    let metric = |name, unit| json!({"Name": name, "Unit": unit});
    let count = |name| metric(name, "Count");
    let expected = json!({
        "_aws": {"Timestamp": 1_700_000_000_250_i64, "CloudWatchMetrics": [{
            "Namespace": "Test", "Dimensions": [[]], "Metrics": [
                count("Pushes"), count("PushesAccepted"), count("PushesThrottled"),
                count("PushesTransient"), count("PushesRefused"), count("ConnectionsGone"),
                count("DeliveriesAccepted"), count("DeliveriesFailed"),
                count("DeliveriesExpired"), count("DeliveriesCancelled"),
                count("DeliveriesPending"), count("TasksDeadLettered"), count("TasksFailed"),
                metric("PushLatency", "Milliseconds"), metric("AcceptedAge", "Milliseconds"),
            ],
        }]},
        "notification_id": notification.id, "trace_id": ROOT,
        "Pushes": 3, "PushesAccepted": 2, "PushesThrottled": 0, "PushesTransient": 0,
        "PushesRefused": 0, "ConnectionsGone": 1, "DeliveriesAccepted": 2,
        "DeliveriesFailed": 0, "DeliveriesExpired": 0, "DeliveriesCancelled": 0,
        "DeliveriesPending": 0, "TasksDeadLettered": 0, "TasksFailed": 0,
        "PushLatency": [0.0, 0.0, 0.0], "AcceptedAge": [250.0, 250.0],
    });
    assert_eq!(lines, [expected]);
}

/// Delivers one notification for everyone, 90 seconds old; returns its line.
async fn told_of(connections: &[&str]) -> Value {
    let bench = Bench::with_connections(connections).await;
    let (_, message) = bench.publish(Target::Everyone).await;
    tokio::time::advance(Duration::from_secs(90)).await;
    bench.deliver(&[&message]).await;
    bench.written.take_figures()
}

#[tokio::test(start_paused = true)]
async fn what_is_put_back_is_unfinished() {
    let told = told_of(&["a", "slow"]).await;
    assert_eq!(
        (&told["PushesThrottled"], &told["DeliveriesPending"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        (&told["DeliveriesAccepted"], &told["UnfinishedAge"]),
        (&json!(1), &json!(90.0))
    );
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_has_failed() {
    let told = told_of(&["a", "broken"]).await;
    assert_eq!(
        (&told["TasksDeadLettered"], &told["DeliveriesFailed"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        (&told["PushesTransient"], &told["TasksFailed"]),
        (&json!(3), &json!(0))
    );
    assert_eq!(told.get("UnfinishedAge"), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_fails_its_task_and_stays_unfinished() {
    let told = told_of(&["forbidden"]).await;
    assert_eq!(
        (&told["PushesRefused"], &told["TasksFailed"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        (&told["UnfinishedAge"], &told["DeliveriesFailed"]),
        (&json!(90.0), &json!(0))
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failed_task_and_each_task_has_its_own_line() {
    let bench = Bench::with_connections(&["panic", "a"]).await;
    let (_, dead) = bench.publish(to("panic")).await;
    let (_, well) = bench.publish(to("a")).await;
    bench.deliver(&[&dead, &well, "no task"]).await;
    let lines = bench.written.take();
    let failed: Vec<_> = lines
        .iter()
        .map(|line| line["TasksFailed"].clone())
        .collect();
    assert_eq!(failed.iter().filter(|count| **count == json!(1)).count(), 2);
    let accepted = lines
        .iter()
        .filter_map(|line| line["DeliveriesAccepted"].as_u64());
    assert_eq!((lines.len(), accepted.sum::<u64>()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_part_that_another_worker_holds_has_not_failed() {
    let bench = Bench::with_connections(&["a"]).await;
    let (notification, message) = bench.publish(Target::Everyone).await;
    let lease = Lease {
        notification_id: notification.id,
        part: Part::root(),
        owner: "another".to_owned(),
    };
    let begun = bench.store.begin(&lease, bench.clock.now(), Timestamp::MAX);
    let taken = Begun::Taken {
        progress: None,
        is_cancelled: false,
    };
    assert_eq!(begun.await.unwrap(), taken);
    tokio::time::advance(Duration::from_secs(7)).await;
    assert_eq!(bench.deliver(&[&message]).await, ["m0"]);
    let told = bench.written.take_figures();
    assert_eq!(
        (&told["TasksFailed"], &told["UnfinishedAge"]),
        (&json!(0), &json!(7.0))
    );
}

#[tokio::test(start_paused = true)]
async fn a_redriven_dead_letter_counts_what_this_run_settled() {
    let bench = Bench::with_connections(&["a", "broken"]).await;
    let (_, message) = bench.publish(Target::Everyone).await;
    bench.deliver(&[&message]).await;
    let dead = bench.queue.take().pop().unwrap().2.encode().unwrap();
    bench.written.take();
    bench.gateway.is_mended.store(true, Ordering::Relaxed);
    bench.deliver(&[&dead]).await;
    let told = bench.written.take_figures();
    assert_eq!(
        (&told["DeliveriesAccepted"], &told["DeliveriesFailed"]),
        (&json!(1), &json!(0))
    );
}

#[tokio::test(start_paused = true)]
async fn a_segment_belongs_to_the_invocation_and_names_the_notification() {
    let bench = Bench::with_connections(&["a", "gone"]).await;
    let (notification, message) = bench.publish(Target::Everyone).await;
    bench.deliver(&[&message]).await;
    let mut segments = arrived(&bench.daemon);
    let segment = segments.pop().unwrap();
    assert_eq!(
        (
            &segment["trace_id"],
            &segment["parent_id"],
            &segment["name"]
        ),
        (
            &json!("1-6553f100-0123456789abcdef01234567"),
            &json!("00000000000000aa"),
            &json!("fan out")
        )
    );
    let annotations = json!({"message_trace_id": ROOT, "notification_id": notification.id});
    assert_eq!(segment["annotations"], annotations);
    let pushes = &segment["subsegments"][0];
    assert_eq!(
        (&pushes["name"], &pushes["namespace"]),
        (&json!("PostToConnection"), &json!("aws"))
    );
    let figures = &pushes["metadata"]["fanout"];
    assert_eq!(
        (&figures["pushes"], &figures["gone"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(segments.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn slices_and_what_is_left_go_on_under_the_trace_of_their_message() {
    let many: Vec<String> = (0..20).map(|n| format!("c{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for connections in [many.as_slice(), &["slow"], &["broken"]] {
        let bench = Bench::with_connections(connections).await;
        let (_, message) = bench.publish(Target::Everyone).await;
        bench.deliver(&[&message]).await;
        let sent = bench.queue.take();
        assert!(!sent.is_empty());
        for (_, _, task) in sent {
            assert_eq!(task.trace.unwrap().to_string(), MESSAGE);
        }
    }
}
