use std::time::Duration;

use super::*;

/// 300,000 connections all day, forty notifications of 500 bytes a day.
const WORKLOAD: Workload = Workload {
    connections: 300_000,
    hours_connected: 24.0,
    topics: 0,
    keepalive: Duration::from_mins(9),
    publishes_per_day: 40.0,
    payload_bytes: 500,
    broadcast: Duration::from_millis(29_500),
};

#[track_caller]
fn check(workload: Workload, name: &str, usd: f64) {
    let term = terms(&workload, &Assumptions::default())
        .into_iter()
        .find(|term| term.name == name)
        .unwrap();
    assert!(
        (term.usd - usd).abs() < 0.005,
        "{name}: {} and not {usd}",
        term.usd
    );
}

#[test]
fn pushes_are_charged_by_32_kb() {
    // 40 x 30 x 300,000 = 360 million messages.
    check(WORKLOAD, "pushes", 360.0);
    let with_payload = |payload_bytes| Workload {
        payload_bytes,
        ..WORKLOAD
    };
    check(with_payload(32_768), "pushes", 360.0);
    check(with_payload(32_769), "pushes", 720.0);
    check(with_payload(131_072), "pushes", 1_440.0);
}

#[test]
fn connection_minutes_are_charged_whether_anything_is_sent_or_not() {
    // 300,000 x 60 x 24 x 30 = 12,960 million minutes.
    check(WORKLOAD, "connection minutes", 3_240.0);
    let office_hours = Workload {
        hours_connected: 8.0,
        publishes_per_day: 0.0,
        ..WORKLOAD
    };
    check(office_hours, "connection minutes", 1_080.0);
}

#[test]
fn keepalives_are_two_messages_and_a_function() {
    // 160 a day and connection, 1,440 million a month: 2,880 of messages, 288
    // of invocations, and 7.2 million GB-seconds at 0.0000133334.
    check(WORKLOAD, "keep-alives", 2_880.0 + 288.0 + 96.000_48);
    let without = Workload {
        keepalive: Duration::ZERO,
        ..WORKLOAD
    };
    check(without, "keep-alives", 0.0);
}

#[test]
fn connections_are_made_anew_every_two_hours() {
    let connects = [0.0, 1.0, 2.0, 2.5, 24.0].map(|hours| format!("{}", connects_per_day(hours)));
    assert_eq!(connects, ["0", "1", "1", "2", "12"]);
    // 108 million a month, each: 0.4 invocations and 0.133334 of GB-seconds, 1.25
    // of writes, 0.125 of a read, in millionths of a dollar.
    check(
        WORKLOAD,
        "connects and disconnects",
        108.0 * (0.4 + 0.133_334 + 1.25 + 0.125),
    );
    // Two topics are four more writes.
    let with_topics = Workload {
        topics: 2,
        ..WORKLOAD
    };
    check(
        with_topics,
        "connects and disconnects",
        108.0 * (0.4 + 0.133_334 + 3.75 + 0.125),
    );
}

#[test]
fn the_audience_is_read_once_a_notification() {
    // 30 MB are 7,325 units; 1,200 notifications.
    check(
        WORKLOAD,
        "reading the audience",
        1_200.0 * 7_325.0 * 0.125e-6,
    );
}

#[test]
fn queues_are_charged_for_each_task_and_for_waiting() {
    // Nine tasks, each sent, received and deleted.
    check(WORKLOAD, "queues", 1_200.0 * 27.0 * 0.4e-6);
    // 43,200 polls a day.
    check(WORKLOAD, "polling idle queues", 1_296_000.0 * 0.4e-6);
}

#[test]
fn the_ledger_is_written_as_long_as_pushing_takes() {
    // The notification, nine leases and nine last words, the cut, and 29
    // checkpoints of two workers.
    let often = Workload {
        publishes_per_day: 40_000.0,
        ..WORKLOAD
    };
    check(often, "ledger", 1_200_000.0 * 78.0 * 0.625e-6);
    let small = Workload {
        connections: 5,
        broadcast: Duration::ZERO,
        ..often
    };
    check(small, "ledger", 1_200_000.0 * 3.0 * 0.625e-6);
}

#[test]
fn workers_are_charged_as_long_as_pushing_takes() {
    // Two workers for 29.5 s and nine tasks of 0.1 s: 59.9 GB-seconds; nine
    // invocations; the request; the publishing function.
    let each = 59.9 * 13.333_4 + 1.8 + 1.0 + 0.2 + 0.066_667;
    check(WORKLOAD, "publishing and workers", 1_200.0 * each * 1e-6);
}

#[test]
fn every_byte_that_leaves_is_charged() {
    // 360 million frames of 500 bytes are 180 GB.
    check(WORKLOAD, "data transfer out", 16.2);
}

#[test]
fn without_notifications_only_the_connections_cost() {
    let silent = Workload {
        publishes_per_day: 0.0,
        ..WORKLOAD
    };
    for term in terms(&silent, &Assumptions::default()) {
        assert_eq!(term.usd > 0.0, !term.is_per_notification, "{}", term.name);
    }
}
