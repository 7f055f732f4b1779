use super::*;

mod move_task;

const SECOND: Duration = Duration::from_secs(1);

pub(super) fn service() -> Sqs {
    service_with(Fault::default())
}

fn service_with(duplicate_delivery: Fault) -> Sqs {
    let sqs = Sqs::new("123456789012", "eu-central-1", duplicate_delivery);
    sqs.create_queue("jobs", QueueAttributes::default())
        .unwrap();
    sqs
}

/// A service with a queue `jobs` whose messages die in `dead` after `max`
/// receives.
pub(super) fn service_with_redrive(max: u32) -> Sqs {
    let sqs = service();
    sqs.create_queue("dead", QueueAttributes::default())
        .unwrap();
    let attributes = redrive_to("arn:aws:sqs:eu-central-1:123456789012:dead", max);
    sqs.set_attributes("jobs", attributes).unwrap();
    sqs
}

fn redrive_to(dead_letter_queue: &str, max_receive_count: u32) -> QueueAttributes {
    QueueAttributes {
        redrive: Some(RedrivePolicy {
            dead_letter_queue: dead_letter_queue.to_owned(),
            max_receive_count,
        }),
        ..QueueAttributes::default()
    }
}

pub(super) fn send(sqs: &Sqs, queue: &str, body: &str) -> MessageId {
    let message = Message::new(body).unwrap();
    sqs.send(queue, message, None).unwrap()
}

pub(super) async fn poll(sqs: &Sqs, queue: &str, wait: Duration) -> Vec<ReceivedMessage> {
    let options = ReceiveOptions {
        max_messages: 10,
        wait,
        visibility_timeout: None,
    };
    sqs.receive(queue, options).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_without_messages_ends_after_its_wait() {
    let started = Instant::now();
    assert!(poll(&service(), "jobs", SECOND * 20).await.is_empty());
    assert_eq!(started.elapsed(), SECOND * 20);
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_ends_at_once_when_a_message_is_sent() {
    let (sqs, started) = (service(), Instant::now());
    let sender = async {
        tokio::time::sleep(SECOND * 3).await;
        send(&sqs, "jobs", "hello");
    };
    let (messages, ()) = tokio::join!(poll(&sqs, "jobs", SECOND * 20), sender);
    assert_eq!(messages.len(), 1);
    assert_eq!(started.elapsed(), SECOND * 3);
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_ends_when_a_delayed_or_hidden_message_becomes_visible() {
    let (sqs, started) = (service(), Instant::now());
    let message = Message::new("later").unwrap();
    sqs.send("jobs", message, Some(SECOND * 5)).unwrap();
    assert_eq!(poll(&sqs, "jobs", SECOND * 20).await.len(), 1);
    assert_eq!(started.elapsed().as_secs(), 5);
    assert!(poll(&sqs, "jobs", SECOND * 20).await.is_empty());
    assert_eq!(poll(&sqs, "jobs", SECOND * 20).await.len(), 1);
    assert_eq!(started.elapsed().as_secs(), 35);
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_ends_when_a_receiver_gives_its_message_back() {
    let (sqs, started) = (service(), Instant::now());
    send(&sqs, "jobs", "hello");
    let received = poll(&sqs, "jobs", SECOND).await;
    let handle = received[0].receipt_handle;
    let giver = async {
        tokio::time::sleep(SECOND).await;
        sqs.change_visibility("jobs", handle, Duration::ZERO)
            .unwrap();
    };
    let (messages, ()) = tokio::join!(poll(&sqs, "jobs", SECOND * 20), giver);
    assert_eq!(messages[0].receive_count, 2);
    assert_eq!(started.elapsed(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_long_poll_takes_no_message() {
    let sqs = service();
    let dropped = tokio::time::timeout(SECOND, poll(&sqs, "jobs", SECOND * 20));
    assert!(dropped.await.is_err());
    send(&sqs, "jobs", "hello");
    let counts = sqs.counts("jobs").unwrap();
    assert_eq!((counts.visible, counts.in_flight), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_fails_when_its_queue_is_deleted() {
    let sqs = service();
    let options = ReceiveOptions {
        wait: SECOND * 20,
        ..ReceiveOptions::default()
    };
    let deleter = async {
        tokio::time::sleep(SECOND).await;
        sqs.delete_queue("jobs").unwrap();
    };
    let (received, ()) = tokio::join!(sqs.receive("jobs", options), deleter);
    let expected = Error::QueueDoesNotExist("jobs".to_owned());
    assert_eq!(received, Err(expected));
}

#[tokio::test(start_paused = true)]
async fn one_message_goes_to_one_of_many_receivers() {
    let sqs = service();
    let receivers = async {
        let polls = (0..5).map(|_| {
            let sqs = sqs.clone();
            async move { poll(&sqs, "jobs", SECOND).await.len() }
        });
        let polls: JoinSet<_> = polls.collect();
        polls.join_all().await.iter().sum::<usize>()
    };
    let sender = async {
        tokio::task::yield_now().await;
        send(&sqs, "jobs", "hello");
    };
    let (received, ()) = tokio::join!(receivers, sender);
    assert_eq!(received, 1);
}

#[tokio::test(start_paused = true)]
async fn a_poison_message_moves_to_the_dead_letter_queue() {
    let sqs = service_with_redrive(2);
    let id = send(&sqs, "jobs", "poison");
    for receive_count in 1..=2 {
        let received = poll(&sqs, "jobs", SECOND * 31).await;
        assert_eq!(received[0].receive_count, receive_count);
    }
    assert!(poll(&sqs, "jobs", SECOND * 31).await.is_empty());
    assert_eq!(sqs.counts("jobs"), Ok(Counts::default()));
    let dead = poll(&sqs, "dead", Duration::ZERO).await.remove(0);
    assert_eq!((dead.id, dead.receive_count), (id, 3));
    assert_eq!(
        dead.dead_letter_source.as_deref(),
        Some("arn:aws:sqs:eu-central-1:123456789012:jobs")
    );
    assert_eq!(sqs.dead_letter_sources("dead").unwrap(), ["jobs"]);
}

#[tokio::test(start_paused = true)]
async fn a_queue_without_its_dead_letter_queue_delivers_on() {
    let sqs = service_with_redrive(1);
    sqs.delete_queue("dead").unwrap();
    send(&sqs, "jobs", "poison");
    for receive_count in 1..=3 {
        let received = poll(&sqs, "jobs", SECOND * 31).await;
        assert_eq!(received[0].receive_count, receive_count);
    }
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_reaches_a_second_receiver_while_the_first_is_at_work() {
    let sqs = service_with(Fault::new(1.0, 0));
    send(&sqs, "jobs", "hello");
    let first = poll(&sqs, "jobs", Duration::ZERO).await.remove(0);
    let second = poll(&sqs, "jobs", SECOND).await.remove(0);
    assert_eq!((second.id, second.receive_count), (first.id, 2));
    assert!(poll(&sqs, "jobs", SECOND).await.is_empty());
    sqs.delete("jobs", first.receipt_handle).unwrap();
    assert_eq!(sqs.counts("jobs").unwrap().in_flight, 1);
    sqs.delete("jobs", second.receipt_handle).unwrap();
    assert_eq!(sqs.counts("jobs"), Ok(Counts::default()));
}

#[tokio::test(start_paused = true)]
async fn a_message_deleted_before_its_duplicate_is_not_delivered_again() {
    let sqs = service_with(Fault::new(1.0, 0));
    send(&sqs, "jobs", "hello");
    let first = poll(&sqs, "jobs", Duration::ZERO).await.remove(0);
    sqs.delete("jobs", first.receipt_handle).unwrap();
    assert!(poll(&sqs, "jobs", SECOND * 60).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_waits_out_the_limit_of_messages_in_flight() {
    let sqs = service();
    let message = Arc::new(Message::new("a").unwrap());
    for _ in 0..=crate::queue::MAX_IN_FLIGHT {
        sqs.send("jobs", Arc::clone(&message), None).unwrap();
    }
    let everything = ReceiveOptions {
        max_messages: usize::MAX,
        ..ReceiveOptions::default()
    };
    sqs.receive("jobs", everything).await.unwrap();
    let over = sqs.receive("jobs", everything).await;
    assert!(matches!(over, Err(Error::OverLimit(_))));
    let received = poll(&sqs, "jobs", SECOND * 31).await;
    assert_eq!(received.len(), 10);
}

#[tokio::test]
async fn creating_a_queue_again_needs_the_same_attributes() {
    let sqs = service();
    let attributes = QueueAttributes::default();
    assert_eq!(sqs.create_queue("jobs", attributes.clone()), Ok(()));
    let other = QueueAttributes {
        delay: SECOND,
        ..attributes
    };
    assert_eq!(
        sqs.create_queue("jobs", other),
        Err(Error::QueueNameExists("jobs".to_owned()))
    );
}

#[tokio::test]
async fn names_and_attributes_are_checked() {
    let sqs = service();
    for name in ["", "jobs.fifo", "a b", &"n".repeat(81)] {
        let created = sqs.create_queue(name, QueueAttributes::default());
        assert_eq!(created, Err(Error::InvalidQueueName(name.to_owned())));
    }
    let refused = |attributes| sqs.create_queue("other", attributes).unwrap_err();
    for target in ["missing", "other"] {
        let error = refused(redrive_to(target, 5));
        assert_eq!(error, Error::NoDeadLetterQueue(target.to_owned()));
    }
    for max in [0, 1_001] {
        let error = refused(redrive_to("jobs", max));
        assert_eq!(error, InvalidAttribute("RedrivePolicy").into());
    }
    let too_long = QueueAttributes {
        visibility_timeout: MAX_VISIBILITY_TIMEOUT + SECOND,
        ..QueueAttributes::default()
    };
    assert_eq!(
        refused(too_long),
        InvalidAttribute("VisibilityTimeout").into()
    );
}

#[tokio::test(start_paused = true)]
async fn a_second_purge_within_a_minute_is_refused() {
    let sqs = service();
    send(&sqs, "jobs", "hello");
    sqs.purge("jobs").unwrap();
    assert_eq!(sqs.counts("jobs"), Ok(Counts::default()));
    let refused = Err(Error::PurgeInProgress("jobs".to_owned()));
    assert_eq!(sqs.purge("jobs"), refused);
    tokio::time::advance(SECOND * 60).await;
    assert_eq!(sqs.purge("jobs"), Ok(()));
}

#[tokio::test]
async fn queues_have_an_arn_and_a_url() {
    let sqs = service();
    assert_eq!(
        sqs.queue_arn("jobs").unwrap(),
        "arn:aws:sqs:eu-central-1:123456789012:jobs"
    );
    assert_eq!(
        sqs.queue_url("http://127.0.0.1:9324", "jobs").unwrap(),
        "http://127.0.0.1:9324/123456789012/jobs"
    );
    assert!(sqs.queue_arn("missing").is_err());
}
