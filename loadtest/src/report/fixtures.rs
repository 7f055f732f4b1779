//! Reports that tests are made with.

use std::time::Duration;

use http::Uri;
use serde_json::value::RawValue;

use super::{Document, Ledger, Origin, Report, Tool};
use crate::{
    exit::Outcome,
    machine::host::Host,
    own_load::OwnLoad,
    parking::Arrival,
    recorder::{Bounds, Recorder, measurements::Measurements},
    schedule::Schedule,
    settings::Settings,
    slo::Slo,
    subscriber_set::SubscriberIndex,
    timeline::{Timeline, TimelineSummary},
    units::Rate,
};

pub(crate) fn settings() -> Settings {
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
pub(crate) fn measurements() -> Measurements {
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

pub(crate) fn report(measurements: Measurements, ledger: Option<Ledger>) -> Report {
    Report {
        settings: (&settings()).into(),
        origin: origin(),
        outcome: Outcome::of(&measurements.counts, false),
        run: "3fa9c2d1".parse().ok(),
        measurements,
        ledger,
    }
}

pub(crate) fn record() -> Ledger {
    let json = r#"{"targeted":1000,"accepted":999,"gone":1}"#;
    Ledger::Record {
        location: "/notifications/b".to_owned(),
        record: RawValue::from_string(json.to_owned()).unwrap(),
    }
}

/// Of a machine that is always the same.
pub(crate) fn origin() -> Origin {
    Origin {
        finished_at: "2026-11-21T08:19:30Z".parse().unwrap(),
        tool: Tool {
            name: "fanout-loadtest".to_owned(),
            version: "0.1.0".to_owned(),
            rustc: Some("rustc 1.95.0 (2026-04-14)".to_owned()),
        },
        machine: Host {
            cpu_model: Some("AMD EPYC 7R13".to_owned()),
            cores: Some(2),
            memory_bytes: Some(8_227_377_152),
            kernel: Some("Linux 6.8.0".to_owned()),
            architecture: "x86_64".to_owned(),
        },
    }
}

/// The same report as a document, with an objective that holds and one that
/// does not, and a longer timeline with a gap in it.
pub(crate) fn document() -> Document {
    let report = report(measurements(), Some(record()));
    let slo: Slo = "p99<500ms,reach=100%".parse().unwrap();
    let verdicts = slo.judge(&report.measurements).verdicts;
    let mut document = Document::new(&report, verdicts);
    document.timeline = timeline();
    document
}

fn timeline() -> TimelineSummary {
    let mut timeline = Timeline::new();
    for ms in (1_000..9_000_u32).filter(|ms| !(4_000..6_000).contains(ms)) {
        let latency = Duration::from_micros(u64::from(10_000 + ms * 7 % 40_000));
        timeline.record(Duration::from_millis(ms.into()), latency);
    }
    timeline.summary(Duration::ZERO)
}
