//! A mapping of a local SQS queue.

use fanout_local_faults::Fault;
use fanout_local_sqs::Sqs;
use fanout_local_sqs::message::{Attribute, AttributeValue, Message as Sent};
use fanout_local_sqs::queue::Counts;
use fanout_local_sqs::service::{QueueAttributes, RedrivePolicy};

use super::*;
use crate::event_source::sqs::SqsQueue;

/// `notifications`, whose messages die at their second receive, in `dead`.
fn queues() -> Sqs {
    let sqs = Sqs::new("000000000000", "us-east-1", Fault::default());
    sqs.create_queue("dead", QueueAttributes::default())
        .unwrap();
    let redrive = RedrivePolicy {
        dead_letter_queue: "dead".to_owned(),
        max_receive_count: 1,
    };
    let attributes = QueueAttributes {
        redrive: Some(redrive),
        ..QueueAttributes::default()
    };
    sqs.create_queue("notifications", attributes).unwrap();
    sqs
}

async fn drive(sqs: &Sqs, name: &str, function: &Arc<Function>, time: Duration) {
    let mapping = EventSourceMapping {
        queue_arn: sqs.queue_arn(name).unwrap(),
        ..mapping()
    };
    let shutdown = CancellationToken::new();
    let queue = SqsQueue::new(sqs.clone(), name);
    let running = tokio::spawn(run(mapping, Arc::clone(function), queue, shutdown.clone()));
    sleep(time).await;
    shutdown.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_message_of_the_queue_becomes_a_record_and_is_deleted() {
    let sqs = queues();
    let attribute = |data_type: &str, value| Attribute {
        data_type: data_type.to_owned(),
        value,
    };
    let attributes = [
        (
            "version",
            attribute("Number", AttributeValue::Text("1".to_owned())),
        ),
        (
            "raw",
            attribute(
                "Binary",
                AttributeValue::Binary(Bytes::from_static(b"\x00\xff")),
            ),
        ),
    ];
    let attributes = attributes.map(|(name, attribute)| (name.to_owned(), attribute));
    let sent = Sent::with_attributes("hello", BTreeMap::from(attributes)).unwrap();
    let id = sqs.send("notifications", sent, None).unwrap();
    let function = Function::new(|_| answers(""));
    drive(&sqs, "notifications", &function, SECOND).await;

    let record = &function.seen()[0].event["Records"][0];
    assert_eq!(record["messageId"], id.to_string());
    assert_eq!(record["body"], "hello");
    assert_eq!(record["md5OfBody"], "5d41402abc4b2a76b9719d911017c592");
    assert_eq!(record["attributes"]["ApproximateReceiveCount"], "1");
    let sent_at: u64 = record["attributes"]["SentTimestamp"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(sent_at > 1_500_000_000_000, "milliseconds since the epoch");
    assert_eq!(record["messageAttributes"]["version"]["stringValue"], "1");
    assert_eq!(record["messageAttributes"]["raw"]["binaryValue"], "AP8=");
    assert_eq!(sqs.counts("notifications").unwrap(), Counts::default());
}

#[tokio::test(start_paused = true)]
async fn a_poison_message_ends_in_the_dead_letter_queue_which_a_mapping_can_drain() {
    let sqs = queues();
    sqs.send("notifications", Sent::new("poison").unwrap(), None)
        .unwrap();
    let failing = Function::new(|_| fails(InvokeError::Exited { status: None }));
    drive(&sqs, "notifications", &failing, 31 * SECOND).await;
    assert_eq!(failing.seconds(), [0.0]);
    assert_eq!(sqs.counts("dead").unwrap().visible, 1);

    let draining = Function::new(|_| answers(""));
    drive(&sqs, "dead", &draining, SECOND).await;
    let attributes = &draining.seen()[0].event["Records"][0]["attributes"];
    let source = sqs.queue_arn("notifications").unwrap();
    assert_eq!(attributes["DeadLetterQueueSourceArn"], source);
    assert_eq!(sqs.counts("dead").unwrap(), Counts::default());
}

#[tokio::test(start_paused = true)]
async fn a_message_that_no_function_has_seen_is_visible_at_once() {
    let sqs = queues();
    sqs.send("notifications", Sent::new("unseen").unwrap(), None)
        .unwrap();
    let function = Function::new(|_| fails(InvokeError::ShuttingDown));
    drive(&sqs, "notifications", &function, SECOND).await;
    let counts = sqs.counts("notifications").unwrap();
    assert_eq!((counts.visible, counts.in_flight), (1, 0));
}
