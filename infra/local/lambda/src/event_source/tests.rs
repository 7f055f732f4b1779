//! The semantics of a mapping, on paused time.

mod fakes;
mod sqs;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use self::fakes::{Act, Function, Queue, VISIBILITY, answers, fails};
use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn mapping() -> EventSourceMapping {
    EventSourceMapping {
        function: "worker".to_owned(),
        queue_arn: "arn:aws:sqs:us-east-1:000000000000:notifications".to_owned(),
        batch_size: 10,
        batching_window: Duration::ZERO,
        max_concurrency: 2,
        report_batch_item_failures: true,
    }
}

fn start(
    mapping: EventSourceMapping,
    function: &Arc<Function>,
    queue: &Queue,
) -> (CancellationToken, JoinHandle<Result<(), MappingError>>) {
    let shutdown = CancellationToken::new();
    let running = run(
        mapping,
        Arc::clone(function),
        queue.clone(),
        shutdown.clone(),
    );
    (shutdown, tokio::spawn(running))
}

/// Lets a mapping run for a while, and shuts it down.
async fn run_for(
    time: Duration,
    mapping: EventSourceMapping,
    function: &Arc<Function>,
    queue: &Queue,
) {
    let (shutdown, running) = start(mapping, function, queue);
    sleep(time).await;
    shutdown.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_function_sees_the_event_that_aws_sends() {
    let queue = Queue::of(["order"]);
    let function = Function::new(|_| answers(""));
    run_for(SECOND, mapping(), &function, &queue).await;
    let expected = json!({"Records": [{
        "messageId": "order",
        "receiptHandle": "order",
        "body": "order",
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:notifications",
        "awsRegion": "us-east-1",
    }]});
    assert_eq!(function.seen()[0].event, expected);
}

#[test]
fn message_attributes_look_as_on_aws() {
    let attribute = MessageAttribute {
        string_value: Some("v1".to_owned()),
        data_type: "String".to_owned(),
        ..MessageAttribute::default()
    };
    let expected = json!({
        "stringValue": "v1",
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": "String",
    });
    assert_eq!(serde_json::to_value(attribute).unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_succeeded_is_deleted() {
    let queue = Queue::of(["a", "b", "c"]);
    let function = Function::new(|_| answers(r#"{"batchItemFailures":[]}"#));
    run_for(SECOND, mapping(), &function, &queue).await;
    assert_eq!(function.seen()[0].bodies(), ["a", "b", "c"]);
    assert!(queue.left().is_empty());
}

#[tokio::test(start_paused = true)]
async fn failed_items_come_back_after_their_visibility_timeout() {
    let queue = Queue::of(["a", "b", "c"]);
    let function = Function::new(|nth| match nth {
        0 => answers(r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#),
        _ => answers("{}"),
    });
    run_for(40 * SECOND, mapping(), &function, &queue).await;
    assert_eq!(function.seconds(), [0.0, 30.0]);
    assert_eq!(function.seen()[1].bodies(), ["b"]);
    assert!(queue.left().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_item_identifier_fails_the_whole_batch() {
    let queue = Queue::of(["a", "b"]);
    let function = Function::new(|_| answers(r#"{"batchItemFailures":[{"itemIdentifier":"z"}]}"#));
    run_for(31 * SECOND, mapping(), &function, &queue).await;
    assert_eq!(function.seconds(), [0.0, 30.0]);
    assert_eq!(function.seen()[1].bodies(), ["a", "b"]);
    assert_eq!(queue.left(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn without_partial_responses_any_answer_deletes_the_batch() {
    let queue = Queue::of(["a", "b"]);
    let function = Function::new(|_| answers(r#"{"batchItemFailures":[{"itemIdentifier":"a"}]}"#));
    let mapping = EventSourceMapping {
        report_batch_item_failures: false,
        ..mapping()
    };
    run_for(SECOND, mapping, &function, &queue).await;
    assert!(queue.left().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_poison_message_goes_back_each_time() {
    let queue = Queue::of(["poison"]);
    let function = Function::new(|nth| {
        fails(match nth {
            0 => InvokeError::Failed {
                error_type: "E".to_owned(),
                message: String::new(),
            },
            1 => InvokeError::TimedOut { after: SECOND },
            _ => InvokeError::Exited { status: None },
        })
    });
    run_for(70 * SECOND, mapping(), &function, &queue).await;
    assert_eq!(function.seconds(), [0.0, 30.0, 60.0]);
    let count = &function.seen()[2].event["Records"][0]["attributes"]["ApproximateReceiveCount"];
    assert_eq!(count, "3");
    assert_eq!(queue.left(), ["poison"]);
}

#[tokio::test(start_paused = true)]
async fn no_more_batches_run_than_the_maximum_concurrency() {
    let bodies: Vec<_> = (0..10).map(|n| format!("m{n}")).collect();
    let queue = Queue::of(bodies.iter().map(String::as_str));
    let function = Function::new(|_| Act {
        takes: SECOND,
        ..answers("")
    });
    let mapping = EventSourceMapping {
        batch_size: 1,
        max_concurrency: 3,
        ..mapping()
    };
    run_for(10 * SECOND, mapping, &function, &queue).await;
    assert_eq!(function.most_running.load(Ordering::Relaxed), 3);
    assert_eq!(
        function.seconds(),
        [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0]
    );
    assert!(queue.left().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_throttled_batch_is_retried_and_received_once() {
    let queue = Queue::of(["a"]);
    let function = Function::new(|nth| match nth {
        0..3 => fails(InvokeError::Throttled),
        _ => answers(""),
    });
    run_for(SECOND, mapping(), &function, &queue).await;
    assert_eq!(function.seconds(), [0.0, 0.1, 0.3, 0.7]);
    let count = &function.seen()[3].event["Records"][0]["attributes"]["ApproximateReceiveCount"];
    assert_eq!(count, "1");
    assert!(queue.left().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_batch_throttled_for_too_long_comes_back_after_its_visibility_timeout() {
    let queue = Queue::of(["a"]);
    let born = Instant::now();
    let function = Function::new(move |_| match born.elapsed() {
        elapsed if elapsed < VISIBILITY => fails(InvokeError::Throttled),
        _ => answers(""),
    });
    run_for(31 * SECOND, mapping(), &function, &queue).await;
    assert_eq!(function.seconds().last(), Some(&30.0));
    assert!(queue.left().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_collected_within_its_window() {
    let queue = Queue::of(["a"]);
    let function = Function::new(|_| answers(""));
    let mapping = EventSourceMapping {
        batching_window: 5 * SECOND,
        batch_size: 100,
        ..mapping()
    };
    let (shutdown, running) = start(mapping, &function, &queue);
    sleep(3 * SECOND).await;
    queue.send("b");
    sleep(3 * SECOND).await;
    queue.send("c");
    sleep(6 * SECOND).await;
    shutdown.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(function.seconds(), [5.0, 11.0]);
    assert_eq!(function.seen()[0].bodies(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_does_not_wait_for_its_window() {
    let bodies: Vec<_> = (10..35).map(|n| format!("m{n}")).collect();
    let queue = Queue::of(bodies.iter().map(String::as_str));
    let function = Function::new(|_| answers(""));
    let mapping = EventSourceMapping {
        batching_window: 5 * SECOND,
        batch_size: 20,
        ..mapping()
    };
    run_for(6 * SECOND, mapping, &function, &queue).await;
    let sizes: Vec<_> = function
        .seen()
        .iter()
        .map(|seen| seen.bodies().len())
        .collect();
    assert_eq!((sizes, function.seconds()), (vec![20, 5], vec![0.0, 5.0]));
}

#[tokio::test(start_paused = true)]
async fn a_batch_ends_before_its_event_becomes_too_large() {
    let bodies: Vec<_> = (0..8).map(|n| n.to_string().repeat(1_000_000)).collect();
    let queue = Queue::of(bodies.iter().map(String::as_str));
    let function = Function::new(|_| answers(""));
    run_for(SECOND, mapping(), &function, &queue).await;
    // Each record has its body twice: as the body and as the receipt handle.
    let sizes: Vec<_> = function
        .seen()
        .iter()
        .map(|seen| seen.bodies().len())
        .collect();
    assert_eq!(sizes, [3, 3, 2]);
    assert!(queue.left().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_running_invocations() {
    let queue = Queue::of(["a"]);
    let function = Function::new(|_| Act {
        takes: 10 * SECOND,
        ..answers("")
    });
    let started = Instant::now();
    run_for(SECOND, mapping(), &function, &queue).await;
    assert_eq!(started.elapsed(), 10 * SECOND);
    assert!(queue.left().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_gives_back_what_no_function_has_seen() {
    let queue = Queue::of(["a"]);
    let function = Function::new(|_| answers(""));
    let mapping = EventSourceMapping {
        batching_window: 20 * SECOND,
        ..mapping()
    };
    run_for(SECOND, mapping, &function, &queue).await;
    assert!(function.seen().is_empty());
    assert_eq!(queue.take(1).len(), 1, "visible at once");
}

#[tokio::test(start_paused = true)]
async fn a_mapping_ends_with_its_host() {
    let queue = Queue::of(["a"]);
    let function = Function::new(|_| fails(InvokeError::ShuttingDown));
    let (_shutdown, running) = start(mapping(), &function, &queue);
    let ended = timeout_at(Instant::now() + SECOND, running).await;
    ended.unwrap().unwrap().unwrap();
    assert_eq!(queue.take(1).len(), 1, "visible at once");
}
