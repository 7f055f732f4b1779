use super::*;

const SECOND: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(30);

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn message(body: &str) -> Message {
    Message::new(body).unwrap()
}

fn queue(settings: Settings) -> Queue {
    Queue::new(settings, 1)
}

fn queue_of(bodies: &[&str]) -> Queue {
    let mut queue = queue(Settings::default());
    for body in bodies {
        queue.send(at(0), message(body), None).unwrap();
    }
    queue
}

fn receive_one(queue: &mut Queue, now: Duration) -> Option<ReceivedMessage> {
    queue.receive(now, 1, None).unwrap().messages.pop()
}

fn bodies(received: &Received) -> Vec<&str> {
    let messages = received.messages.iter();
    messages.map(|delivery| delivery.message.body()).collect()
}

fn counts(visible: usize, in_flight: usize, delayed: usize) -> Counts {
    Counts {
        visible,
        in_flight,
        delayed,
    }
}

#[test]
fn a_sent_message_is_received_as_it_was_sent() {
    let mut queue = queue(Settings::default());
    let id = queue.send(at(5), message("hello"), None).unwrap();
    let delivery = receive_one(&mut queue, at(7)).unwrap();
    assert_eq!(delivery.id, id);
    assert_eq!(delivery.message.body(), "hello");
    assert_eq!(delivery.receive_count, 1);
    assert_eq!(delivery.sent_at, at(5));
    assert_eq!(delivery.first_received_at, at(7));
    assert_eq!(delivery.dead_letter_source, None);
}

#[test]
fn the_longest_visible_come_first_and_no_more_than_asked_for() {
    let mut queue = queue_of(&["a", "b", "c"]);
    assert_eq!(bodies(&queue.receive(at(1), 2, None).unwrap()), ["a", "b"]);
    assert_eq!(bodies(&queue.receive(at(2), 2, None).unwrap()), ["c"]);
    assert_eq!(queue.counts(at(2)), counts(0, 3, 0));
}

#[test]
fn a_message_not_deleted_in_time_is_visible_again() {
    let mut queue = queue_of(&["a"]);
    let first = receive_one(&mut queue, at(0)).unwrap();
    assert_eq!(queue.next_visible_at(), Some(TIMEOUT));
    assert_eq!(receive_one(&mut queue, at(29)), None);
    let second = receive_one(&mut queue, TIMEOUT).unwrap();
    assert_eq!(second.id, first.id);
    assert_eq!(second.receive_count, 2);
    assert_eq!(second.first_received_at, at(0));
    assert_ne!(second.receipt_handle, first.receipt_handle);
}

#[test]
fn a_receiver_can_choose_the_visibility_timeout() {
    let mut queue = queue_of(&["a"]);
    queue.receive(at(0), 1, Some(at(300))).unwrap();
    assert_eq!(queue.next_visible_at(), Some(at(300)));
    queue.receive(at(300), 1, Some(Duration::ZERO)).unwrap();
    assert_eq!(queue.counts(at(300)), counts(1, 0, 0));
}

#[test]
fn a_delay_of_the_message_overrides_that_of_the_queue() {
    let mut queue = queue(Settings {
        delay: at(10),
        ..Settings::default()
    });
    queue.send(at(0), message("queue's delay"), None).unwrap();
    queue.send(at(0), message("longer"), Some(at(60))).unwrap();
    queue
        .send(at(0), message("none"), Some(Duration::ZERO))
        .unwrap();
    assert_eq!(queue.counts(at(0)), counts(1, 0, 2));
    assert_eq!(bodies(&queue.receive(at(0), 10, None).unwrap()), ["none"]);
    assert_eq!(
        bodies(&queue.receive(at(10), 10, None).unwrap()),
        ["queue's delay"]
    );
    assert_eq!(queue.counts(at(59)).delayed, 1);
    assert_eq!(queue.counts(at(60)).delayed, 0);
    assert_eq!(
        queue.send(at(0), message("x"), Some(MAX_DELAY + SECOND)),
        Err(SendError::DelayTooLong(MAX_DELAY + SECOND))
    );
}

#[test]
fn a_message_over_the_limit_is_refused() {
    let mut queue = queue(Settings {
        max_message_bytes: 4,
        ..Settings::default()
    });
    assert!(queue.send(at(0), message("four"), None).is_ok());
    assert_eq!(
        queue.send(at(0), message("fünf"), None),
        Err(SendError::TooLong { bytes: 5, limit: 4 })
    );
}

#[test]
fn deleting_is_idempotent() {
    let mut queue = queue_of(&["a"]);
    let handle = receive_one(&mut queue, at(0)).unwrap().receipt_handle;
    assert_eq!(queue.delete(at(1), handle), Ok(true));
    assert_eq!(queue.delete(at(2), handle), Ok(false));
    assert_eq!(queue.counts(at(2)), Counts::default());
    assert_eq!(queue.next_visible_at(), None);
}

#[test]
fn a_stale_handle_deletes_nothing_and_the_latest_deletes_after_its_timeout() {
    let mut queue = queue_of(&["a"]);
    let stale = receive_one(&mut queue, at(0)).unwrap().receipt_handle;
    let latest = receive_one(&mut queue, TIMEOUT).unwrap().receipt_handle;
    assert_eq!(queue.delete(TIMEOUT, stale), Ok(false));
    assert_eq!(queue.counts(TIMEOUT), counts(0, 1, 0));
    assert_eq!(queue.delete(TIMEOUT * 3, latest), Ok(true));
}

#[test]
fn a_handle_of_another_queue_is_refused() {
    let mut other = Queue::new(Settings::default(), 2);
    other.send(at(0), message("a"), None).unwrap();
    let handle = receive_one(&mut other, at(0)).unwrap().receipt_handle;
    let mut queue = queue_of(&["a"]);
    assert_eq!(queue.delete(at(0), handle), Err(InvalidReceiptHandle));
    assert_eq!(
        queue.change_visibility(at(0), handle, TIMEOUT),
        Err(InvalidReceiptHandle.into())
    );
}

#[test]
fn visibility_of_a_message_in_flight_can_be_extended_and_ended() {
    let mut queue = queue_of(&["a"]);
    let handle = receive_one(&mut queue, at(0)).unwrap().receipt_handle;
    queue.change_visibility(at(20), handle, at(100)).unwrap();
    assert_eq!(queue.next_visible_at(), Some(at(120)));
    queue
        .change_visibility(at(30), handle, Duration::ZERO)
        .unwrap();
    assert_eq!(queue.counts(at(30)), counts(1, 0, 0));
    assert_eq!(
        queue.change_visibility(at(30), handle, at(1)),
        Err(ChangeVisibilityError::NotInFlight)
    );
    receive_one(&mut queue, at(31)).unwrap();
    assert_eq!(
        queue.change_visibility(at(32), handle, at(1)),
        Err(ChangeVisibilityError::NotAvailable)
    );
}

#[test]
fn a_message_stays_hidden_for_twelve_hours_at_most() {
    let mut queue = queue_of(&["a"]);
    let handle = receive_one(&mut queue, at(0)).unwrap().receipt_handle;
    let limit = MAX_VISIBILITY_TIMEOUT;
    assert_eq!(
        queue.change_visibility(at(10), handle, limit.saturating_sub(at(10))),
        Ok(())
    );
    assert_eq!(
        queue.change_visibility(at(10), handle, limit),
        Err(ChangeVisibilityError::BeyondLimit)
    );
}

#[test]
fn a_message_received_too_often_is_dead_and_keeps_what_it_was() {
    let mut queue = queue(Settings {
        max_receive_count: Some(2),
        ..Settings::default()
    });
    let id = queue.send(at(1), message("poison"), None).unwrap();
    for receive in 0..2 {
        let received = queue.receive(TIMEOUT * receive + SECOND, 10, None).unwrap();
        assert_eq!((received.messages.len(), received.dead.len()), (1, 0));
    }
    let mut received = queue.receive(TIMEOUT * 2 + SECOND, 10, None).unwrap();
    assert!(received.messages.is_empty());
    assert_eq!(queue.counts(TIMEOUT * 2 + SECOND), Counts::default());
    let mut dead = received.dead.pop().unwrap();
    assert_eq!((dead.id, dead.receive_count, dead.sent_at), (id, 2, at(1)));

    let mut dead_letters = Queue::new(Settings::default(), 2);
    dead.dead_letter_source = Some(Arc::from("arn:source"));
    dead_letters.accept(at(100), dead);
    let delivery = receive_one(&mut dead_letters, at(100)).unwrap();
    assert_eq!((delivery.id, delivery.receive_count), (id, 3));
    assert_eq!(delivery.sent_at, at(1));
    assert_eq!(delivery.first_received_at, at(1));
    assert_eq!(delivery.dead_letter_source.as_deref(), Some("arn:source"));
}

#[test]
fn a_message_in_flight_can_be_delivered_in_duplicate() {
    let mut queue = queue_of(&["a"]);
    let first = receive_one(&mut queue, at(0)).unwrap();
    let second = queue
        .redeliver(at(5), first.receipt_handle, Some(at(1)))
        .unwrap();
    assert_eq!((second.id, second.receive_count), (first.id, 2));
    assert_eq!(queue.next_visible_at(), Some(TIMEOUT));
    assert_eq!(queue.delete(at(6), first.receipt_handle), Ok(false));
    assert_eq!(queue.delete(at(6), second.receipt_handle), Ok(true));
    assert_eq!(queue.redeliver(at(7), second.receipt_handle, None), None);
}

#[test]
fn a_duplicate_never_exceeds_the_receive_count() {
    let mut queue = queue(Settings {
        max_receive_count: Some(1),
        ..Settings::default()
    });
    queue.send(at(0), message("a"), None).unwrap();
    let first = receive_one(&mut queue, at(0)).unwrap();
    assert_eq!(queue.redeliver(at(1), first.receipt_handle, None), None);
    assert_eq!(queue.delete(at(1), first.receipt_handle), Ok(true));
}

#[test]
fn a_message_expires_in_whatever_state_it_is() {
    let mut queue = queue_of(&["visible", "in flight"]);
    let retention = queue.settings().retention;
    let handle = receive_one(&mut queue, at(0)).unwrap().receipt_handle;
    queue
        .change_visibility(at(0), handle, MAX_VISIBILITY_TIMEOUT)
        .unwrap();
    queue.send(SECOND, message("younger"), None).unwrap();
    assert_eq!(queue.counts(retention.saturating_sub(SECOND)).visible, 3);
    assert_eq!(queue.counts(retention), counts(1, 0, 0));
    assert_eq!(queue.delete(retention, handle), Ok(false));
}

#[test]
fn a_purge_drops_everything() {
    let mut queue = queue_of(&["a", "b"]);
    queue.send(at(0), message("c"), Some(at(10))).unwrap();
    let handle = receive_one(&mut queue, at(0)).unwrap().receipt_handle;
    queue.purge();
    assert_eq!(queue.counts(at(0)), Counts::default());
    assert_eq!(queue.delete(at(0), handle), Ok(false));
}

#[test]
fn the_limit_of_messages_in_flight_is_kept_and_reported() {
    let mut queue = queue(Settings::default());
    let message = Arc::new(message("a"));
    for _ in 0..=MAX_IN_FLIGHT {
        queue.send(at(0), Arc::clone(&message), None).unwrap();
    }
    let received = queue.receive(at(0), usize::MAX, None).unwrap().messages;
    assert_eq!(received.len(), MAX_IN_FLIGHT);
    assert_eq!(queue.receive(at(1), 1, None).unwrap_err(), OverLimit);
    queue.delete(at(1), received[0].receipt_handle).unwrap();
    assert_eq!(queue.receive(at(1), 10, None).unwrap().messages.len(), 1);
}

#[test]
fn the_oldest_visible_message_can_be_taken_out() {
    let mut queue = queue_of(&["a", "b"]);
    let taken = queue.take_visible(at(0)).unwrap();
    assert_eq!((taken.message.body(), taken.receive_count), ("a", 0));
    assert_eq!(queue.counts(at(0)), counts(1, 0, 0));
}

#[test]
fn the_same_seed_and_operations_give_the_same_deliveries() {
    let run = || {
        let mut queue = queue_of(&["a", "b", "c"]);
        let first = queue.receive(at(0), 2, None).unwrap().messages;
        let second = queue.receive(TIMEOUT, 9, None).unwrap().messages;
        (first, second)
    };
    assert_eq!(run(), run());
}
