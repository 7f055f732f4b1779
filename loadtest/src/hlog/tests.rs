use serde_json::value::RawValue;

use super::*;
use crate::{
    own_load::OwnLoad,
    parking::Arrival,
    recorder::{Bounds, Recorder},
    report::{Ledger, Report, fixtures},
    subscriber_set::SubscriberIndex,
};

fn report() -> Report {
    let mut recorder = Recorder::new(3, Bounds::default());
    for index in 0..3 {
        recorder.opened(SubscriberIndex(index), Duration::from_millis(2));
    }
    recorder.sent(0, Duration::from_secs(1), Duration::from_millis(1_001));
    recorder.accepted(0, "a");
    for index in 0..2 {
        let arrival = Arrival {
            subscriber: SubscriberIndex(index),
            at: Duration::from_millis(1_010 + u64::from(index)),
        };
        recorder.arrived("a", arrival);
    }
    let mut measurements = recorder.finish();
    measurements.recorded.own.push(OwnLoad {
        timers: 5,
        ..OwnLoad::default()
    });
    let ledger = Ledger::Record {
        location: "/notifications/a".to_owned(),
        record: RawValue::from_string(r#"{"targeted": 3}"#.to_owned()).unwrap(),
    };
    fixtures::report(measurements, Some(ledger))
}

fn written(log: &Log) -> String {
    let mut text = Vec::new();
    log.write(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn a_log_that_is_read_says_what_was_written() {
    let report = report();
    let log = Log::new(Header::from(&report), &report.measurements.recorded);
    let text = written(&log);
    let read = Log::read(&text).unwrap();
    assert_eq!(read.histograms, log.histograms);
    assert_eq!(written(&read), text);
    assert_eq!(read.recorded().counts, report.measurements.counts);
    assert_eq!(read.recorded().spread, report.measurements.recorded.spread);
    assert_eq!(
        read.recorded().timeline,
        report.measurements.recorded.timeline
    );
    assert_eq!(read.header.settings, report.settings);
    assert_eq!(read.header.origin, report.origin);
}

#[test]
fn the_rest_of_a_log_is_what_other_tools_read() {
    let report = report();
    let log = Log::new(Header::from(&report), &report.measurements.recorded);
    let text = written(&log);
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("#fanout-loadtest {"));
    assert_eq!(lines.next(), Some("#[Histogram log format version 1.3]"));
    let tags: Vec<_> = lines
        .map(|line| line.split_once(",HIST").unwrap().0)
        .collect();
    assert_eq!(
        tags,
        [
            "Tag=connect,1.001,0.010,2000.000",
            "Tag=latency,1.001,0.010,11007.000",
            "Tag=service_time,1.001,0.010,10007.000",
            "Tag=timeline,1.000,1.000,11007.000"
        ]
    );
}

#[test]
fn something_else_is_not_a_log() {
    assert!(matches!(Log::read(""), Err(LogError::NoHeader)));
    assert!(matches!(
        Log::read("#fanout-loadtest {}\n"),
        Err(LogError::Header(_))
    ));
    let report = report();
    let log = Log::new(Header::from(&report), &report.measurements.recorded);
    let damaged = written(&log).replace("HIST", "HISX");
    assert!(matches!(Log::read(&damaged), Err(LogError::Histogram)));
}
