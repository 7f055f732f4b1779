use proptest::prelude::*;

use super::*;

const TINY: Bounds = Bounds {
    in_flight: 2,
    recent: 1,
    finished: 2,
    parked: 3,
};

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn recorder(subscribers: u32, bounds: Bounds) -> Recorder {
    let mut recorder = Recorder::new(subscribers, bounds);
    for index in 0..subscribers {
        recorder.opened(SubscriberIndex(index), millis(1));
    }
    recorder
}

fn arrive(recorder: &mut Recorder, id: &str, subscriber: u32, at_ms: u64) {
    let arrival = Arrival {
        subscriber: SubscriberIndex(subscriber),
        at: millis(at_ms),
    };
    recorder.arrived(id, arrival);
}

fn publish(recorder: &mut Recorder, sequence: u64, id: &str) {
    recorder.sent(sequence, Duration::ZERO, Duration::ZERO);
    assert!(recorder.accepted(sequence, id));
}

#[test]
fn latency_counts_from_the_intended_send_and_service_time_from_the_actual_one() {
    let mut recorder = recorder(1, Bounds::default());
    recorder.sent(0, millis(100), millis(150));
    recorder.accepted(0, "a");
    arrive(&mut recorder, "a", 0, 160);
    let measured = recorder.finish();
    assert!(measured.latency_us.unwrap().max.abs_diff(60_000) < 60);
    assert!(measured.service_time_us.unwrap().max.abs_diff(10_000) < 10);
    assert_eq!(measured.counts.late_sends, 1);
    assert_eq!(measured.latest_send, millis(50));
    assert_eq!(measured.busy, Some(millis(10)));
}

#[test]
fn frame_before_the_publish_answer_is_counted() {
    let mut recorder = recorder(2, Bounds::default());
    recorder.sent(0, millis(0), millis(0));
    arrive(&mut recorder, "a", 0, 5);
    arrive(&mut recorder, "a", 1, 7);
    assert!(!recorder.is_settled());
    recorder.accepted(0, "a");
    assert!(recorder.is_settled());
    let measured = recorder.finish();
    assert_eq!(measured.counts.received, 2);
    assert_eq!(measured.latency_us.unwrap().max.div_euclid(100), 70);
    assert_eq!(measured.fan_out_us.all.unwrap().notifications, 1);
}

#[test]
fn second_arrival_is_a_duplicate_in_flight_and_finished_alike() {
    let mut recorder = recorder(2, Bounds::default());
    publish(&mut recorder, 0, "a");
    arrive(&mut recorder, "a", 0, 1);
    arrive(&mut recorder, "a", 0, 2);
    arrive(&mut recorder, "a", 1, 3);
    arrive(&mut recorder, "a", 1, 4);
    let counts = recorder.finish().counts;
    assert_eq!((counts.received, counts.duplicates), (2, 2));
}

#[test]
fn duplicate_before_the_publish_answer_is_a_duplicate() {
    let mut recorder = recorder(1, Bounds::default());
    recorder.sent(0, millis(0), millis(0));
    arrive(&mut recorder, "a", 0, 1);
    arrive(&mut recorder, "a", 0, 2);
    recorder.accepted(0, "a");
    let counts = recorder.finish().counts;
    assert_eq!((counts.received, counts.duplicates), (1, 1));
}

#[test]
fn notification_of_somebody_else_is_not_received() {
    let mut recorder = recorder(1, Bounds::default());
    arrive(&mut recorder, "theirs", 0, 1);
    recorder.sent(0, millis(0), millis(0));
    arrive(&mut recorder, "theirs too", 0, 2);
    recorder.accepted(0, "a");
    let counts = recorder.finish().counts;
    assert_eq!((counts.received, counts.unattributed), (0, 2));
    assert_eq!(counts.missing(), 1);
}

#[test]
fn closed_socket_misses_what_it_had_not_received() {
    let mut recorder = recorder(2, Bounds::default());
    publish(&mut recorder, 0, "a");
    recorder.sent(1, millis(0), millis(0));
    arrive(&mut recorder, "a", 0, 1);
    recorder.closed(SubscriberIndex(1));
    recorder.accepted(1, "b");
    arrive(&mut recorder, "b", 0, 2);
    assert!(recorder.is_settled());
    publish(&mut recorder, 2, "c");
    arrive(&mut recorder, "c", 0, 3);
    let counts = recorder.finish().counts;
    assert_eq!((counts.expected, counts.received), (5, 3));
    assert_eq!(counts.unexpected_closes, 1);
}

#[test]
fn frame_before_the_answer_counts_although_its_socket_has_closed_since() {
    let mut recorder = recorder(2, Bounds::default());
    recorder.sent(0, millis(0), millis(0));
    arrive(&mut recorder, "a", 0, 1);
    recorder.closed(SubscriberIndex(0));
    recorder.closed(SubscriberIndex(1));
    recorder.accepted(0, "a");
    assert!(recorder.is_settled());
    let counts = recorder.finish().counts;
    assert_eq!(
        (counts.expected, counts.received, counts.duplicates),
        (2, 1, 0)
    );
}

#[test]
fn notification_to_nobody_is_settled_at_once() {
    let mut recorder = recorder(1, Bounds::default());
    recorder.closed(SubscriberIndex(0));
    publish(&mut recorder, 0, "a");
    assert!(recorder.is_settled());
    assert_eq!(recorder.finish().counts.reach_basis_points(), None);
}

#[test]
fn failed_publish_is_expected_nowhere() {
    let mut recorder = recorder(1, Bounds::default());
    recorder.sent(0, millis(0), millis(0));
    recorder.publish_failed(0, || "503".to_owned());
    recorder.sent(1, millis(0), millis(0));
    recorder.publish_failed(1, || "429".to_owned());
    assert!(recorder.is_settled());
    let measured = recorder.finish();
    assert_eq!(
        (measured.counts.expected, measured.counts.publish_errors),
        (0, 2)
    );
    assert_eq!(measured.first_publish_error.as_deref(), Some("503"));
}

#[test]
fn id_answered_twice_is_a_failed_publish() {
    let mut recorder = recorder(1, Bounds::default());
    publish(&mut recorder, 0, "a");
    recorder.sent(1, millis(0), millis(0));
    assert!(!recorder.accepted(1, "a"));
    let counts = recorder.finish().counts;
    assert_eq!(
        (counts.accepted, counts.publish_errors, counts.expected),
        (1, 1, 1)
    );
}

#[test]
fn publish_without_an_answer_is_counted_at_the_end() {
    let mut recorder = recorder(1, Bounds::default());
    recorder.sent(0, millis(0), millis(0));
    assert_eq!(recorder.finish().counts.unanswered, 1);
}

#[test]
fn beyond_the_bound_the_oldest_in_flight_is_given_up_and_stays_missing() {
    let mut recorder = recorder(1, TINY);
    for (sequence, id) in ["a", "b", "c"].into_iter().enumerate() {
        publish(&mut recorder, u64::try_from(sequence).unwrap(), id);
    }
    arrive(&mut recorder, "a", 0, 1);
    arrive(&mut recorder, "c", 0, 1);
    let counts = recorder.finish().counts;
    assert_eq!((counts.given_up, counts.unattributed), (1, 1));
    assert_eq!((counts.expected, counts.received), (3, 1));
}

#[test]
fn who_reconnects_is_excused_and_what_arrives_all_the_same_is_extra() {
    let mut recorder = recorder(3, Bounds::default());
    publish(&mut recorder, 0, "a");
    recorder.sent(1, millis(0), millis(0));
    arrive(&mut recorder, "a", 0, 1);
    arrive(&mut recorder, "a", 1, 1);
    recorder.left(SubscriberIndex(2));
    recorder.accepted(1, "b");
    arrive(&mut recorder, "b", 0, 2);
    arrive(&mut recorder, "b", 1, 2);
    assert!(recorder.is_settled());
    arrive(&mut recorder, "a", 2, 3);
    arrive(&mut recorder, "a", 2, 3);
    recorder.reopened(SubscriberIndex(2), millis(1));
    publish(&mut recorder, 2, "c");
    arrive(&mut recorder, "c", 2, 4);
    let counts = recorder.finish().counts;
    assert_eq!((counts.expected, counts.received), (7, 5));
    assert_eq!((counts.excused, counts.extra, counts.duplicates), (2, 1, 1));
    assert_eq!((counts.connected, counts.reconnects), (3, 1));
    assert_eq!(counts.unexpected_closes, 0);
}

#[test]
fn who_connects_after_the_send_is_not_expected() {
    let mut recorder = Recorder::new(2, Bounds::default());
    recorder.opened(SubscriberIndex(0), millis(1));
    publish(&mut recorder, 0, "a");
    recorder.opened(SubscriberIndex(1), millis(1));
    arrive(&mut recorder, "a", 1, 1);
    arrive(&mut recorder, "a", 0, 1);
    arrive(&mut recorder, "a", 1, 2);
    let counts = recorder.finish().counts;
    assert_eq!((counts.expected, counts.received), (1, 1));
    assert_eq!((counts.extra, counts.duplicates), (1, 1));
}

#[test]
fn a_topic_is_expected_at_its_subscribers_only() {
    let topics: Topics = "a,b".parse().unwrap();
    let of_a: Vec<_> = (0..10)
        .filter(|&index| topics.of(SubscriberIndex(index)) == 0)
        .collect();
    let mut recorder = recorder(10, Bounds::default()).with_topics(Some(topics));
    publish(&mut recorder, 0, "to a");
    for &subscriber in &of_a {
        arrive(&mut recorder, "to a", subscriber, 1);
    }
    assert!(recorder.is_settled());
    publish(&mut recorder, 1, "to b");
    arrive(&mut recorder, "to b", of_a[0], 2);
    let counts = recorder.finish().counts;
    assert_eq!(counts.expected, 10);
    assert_eq!((counts.misdirected, counts.extra), (1, 0));
}

#[test]
fn slow_readers_are_counted_and_not_timed() {
    let slow = SlowReaders {
        count: 1,
        among: 2,
        pause: Duration::from_secs(1),
    };
    let mut recorder = recorder(2, Bounds::default()).with_slow_readers(Some(slow));
    publish(&mut recorder, 0, "a");
    arrive(&mut recorder, "a", 0, 9_000);
    arrive(&mut recorder, "a", 1, 10);
    let measured = recorder.finish();
    assert_eq!((measured.counts.expected, measured.counts.received), (2, 2));
    assert_eq!(measured.latency_us.unwrap().max.div_euclid(1_000), 10);
    assert_eq!(measured.fan_out_us.all.unwrap().max.div_euclid(1_000), 10);
}

#[test]
fn an_arrival_after_a_later_notification_is_out_of_order() {
    let mut recorder = recorder(2, Bounds::default());
    publish(&mut recorder, 0, "a");
    publish(&mut recorder, 1, "b");
    arrive(&mut recorder, "b", 0, 1);
    arrive(&mut recorder, "a", 0, 2);
    arrive(&mut recorder, "a", 1, 1);
    arrive(&mut recorder, "b", 1, 2);
    assert_eq!(recorder.finish().counts.out_of_order, 1);
}

#[test]
fn reach_is_a_hundred_percent_only_if_nothing_is_missing() {
    let counts = Counts {
        expected: 1_000_000,
        received: 999_999,
        ..Counts::default()
    };
    assert_eq!(counts.reach_basis_points(), Some(9_999));
    assert_eq!(counts.missing(), 1);
}

/// What happens to one delivery.
#[derive(Debug, Clone, Copy)]
struct Fate {
    arrivals: u64,
    is_before_answer: bool,
}

fn fates(notifications: usize, subscribers: usize) -> impl Strategy<Value = Vec<Vec<Fate>>> {
    let fate = (0_u64..4, any::<bool>()).prop_map(|(arrivals, is_before_answer)| Fate {
        arrivals,
        is_before_answer,
    });
    prop::collection::vec(prop::collection::vec(fate, subscribers), notifications)
}

proptest! {
    #[test]
    fn losses_and_duplicates_are_counted_exactly(script in fates(6, 70)) {
        let mut recorder = recorder(70, Bounds::default());
        for (sequence, deliveries) in script.iter().enumerate() {
            let id = sequence.to_string();
            let sequence = u64::try_from(sequence).unwrap();
            recorder.sent(sequence, Duration::ZERO, Duration::ZERO);
            for is_before_answer in [true, false] {
                if !is_before_answer {
                    recorder.accepted(sequence, &id);
                }
                for (subscriber, fate) in deliveries.iter().enumerate() {
                    for at in 0..fate.arrivals {
                        if fate.is_before_answer == is_before_answer {
                            arrive(&mut recorder, &id, u32::try_from(subscriber).unwrap(), at);
                        }
                    }
                }
            }
        }
        let arrivals = || script.iter().flatten().map(|fate| fate.arrivals);
        let counts = recorder.finish().counts;
        prop_assert_eq!(counts.expected, 6 * 70);
        prop_assert_eq!(counts.received, arrivals().filter(|&n| n > 0).count() as u64);
        prop_assert_eq!(counts.duplicates, arrivals().map(|n| n.saturating_sub(1)).sum::<u64>());
        prop_assert_eq!(counts.unattributed, 0);
    }
}
