use std::time::Duration;

use http::Uri;
use serde_json::value::RawValue;

use super::*;
use crate::{
    parking::Arrival,
    recorder::{Bounds, Recorder},
    schedule::Schedule,
    subscriber_set::SubscriberIndex,
    units::Rate,
};

fn settings() -> Settings {
    let publish = Uri::from_static("http://127.0.0.1:3000/orders");
    let rate = "2/s".parse::<Rate>().unwrap();
    Settings {
        subscribers: 1_000,
        schedule: Schedule::counting(rate, 3),
        ..Settings::new(Uri::from_static("ws://127.0.0.1:3001/prod"), Some(publish))
    }
}

/// Two notifications to 1,000 subscribers, one delivery lost and one doubled;
/// a third whose publish failed.
fn measurements() -> Measurements {
    let mut recorder = Recorder::new(1_000, Bounds::default());
    recorder.connect_retried(|| "the server answered 429 Too Many Requests".to_owned());
    for index in 0..1_000 {
        recorder.opened(SubscriberIndex(index), Duration::from_millis(2));
    }
    for (sequence, id) in [(0, "a"), (1, "b")] {
        let due = Duration::from_millis(500 * sequence);
        recorder.sent(sequence, due, due + Duration::from_millis(6 * sequence));
        recorder.accepted(sequence, id);
        for index in 0..1_000 {
            let arrival = Arrival {
                subscriber: SubscriberIndex(index),
                at: due + Duration::from_micros(10_000 + 40 * u64::from(index)),
            };
            if (sequence, index) != (1, 999) {
                recorder.arrived(id, arrival);
            }
            if index == 5 {
                recorder.arrived(id, arrival);
            }
        }
    }
    let due = Duration::from_secs(1);
    recorder.sent(2, due, due);
    recorder.publish_failed(2, || {
        "the server answered 503 Service Unavailable".to_owned()
    });
    let mut measured = recorder.finish();
    measured.recorded.own.push(OwnLoad {
        watched_us: 2_000_000,
        cpu_us: 400_000,
        cpus: 2,
        timers: 200,
        late_timers: 1,
        latest_timer_us: 7_120,
        resident_bytes: Some(30_000_000),
        subscribers: 1_000,
    });
    measured
}

fn report(measurements: Measurements, ledger: Option<Ledger>) -> Report {
    Report {
        settings: settings(),
        outcome: Outcome::of(&measurements.counts, false),
        run: "3fa9c2d1".parse().ok(),
        measurements,
        ledger,
    }
}

fn record() -> Ledger {
    let json = r#"{"targeted":1000,"accepted":999,"gone":1}"#;
    Ledger::Record {
        location: "/notifications/b".to_owned(),
        record: RawValue::from_string(json.to_owned()).unwrap(),
    }
}

#[test]
fn text_shows_what_was_asked_and_what_came_of_it() {
    insta::assert_snapshot!(report(measurements(), Some(record())).to_text());
}

#[test]
fn json_holds_the_same_figures() {
    insta::assert_snapshot!(report(measurements(), Some(record())).to_json());
}

#[test]
fn text_of_a_run_interrupted_before_it_began_has_no_figures() {
    let nothing = Recorder::new(1_000, Bounds::default()).finish();
    let interrupted = Report {
        outcome: Outcome::Interrupted,
        ..report(nothing, None)
    };
    insta::assert_snapshot!(interrupted.to_text());
}

#[test]
fn interrupted_run_does_not_say_that_there_is_no_ledger() {
    let interrupted = Report {
        outcome: Outcome::Interrupted,
        ..report(measurements(), None)
    };
    let text = interrupted.to_text();
    assert_eq!(
        text.lines().last(),
        Some("ledger         not asked for: interrupted")
    );
}

#[test]
fn missing_ledger_is_one_line() {
    let missing = Ledger::Unavailable {
        location: "/notifications/b".to_owned(),
        reason: "the server answered 404 Not Found".to_owned(),
    };
    let text = report(measurements(), Some(missing)).to_text();
    assert_eq!(
        text.lines().last(),
        Some("ledger         /notifications/b not available: the server answered 404 Not Found")
    );
}

#[test]
fn a_tool_that_was_the_bottleneck_says_so() {
    let mut measured = measurements();
    measured.recorded.own[0].late_timers = 20;
    let text = report(measured, None).to_text();
    assert!(
        text.contains(
            "bottleneck     this tool: 10 % of its own timers were late, the latest by 7 ms"
        ),
        "{text}"
    );
}
