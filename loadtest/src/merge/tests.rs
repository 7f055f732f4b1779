use std::time::Duration;

use http::Uri;
use proptest::prelude::*;

use super::*;
use crate::{
    hlog::Header,
    latency::LatencyHistogram,
    mark::RunId,
    parking::Arrival,
    recorder::{Bounds, Recorder, measurements::Measurements},
    report::{AskedFor, fixtures},
    settings::Settings,
    subscriber_set::SubscriberIndex,
};

/// How long each notification takes to each subscriber of a process; `None` is
/// lost.
type Latencies = Vec<Vec<Option<u64>>>;

const SUBSCRIBERS: u32 = 8;

/// One process: the one that publishes, or one that listens.
fn log(run: &str, latencies: &Latencies, is_publisher: bool) -> Log {
    let mut recorder = Recorder::new(SUBSCRIBERS, Bounds::default());
    for index in 0..SUBSCRIBERS {
        recorder.opened(SubscriberIndex(index), Duration::from_millis(3));
    }
    for (sequence, latencies) in (0_u64..).zip(latencies) {
        let intended = Duration::from_secs(sequence + 1);
        let id = sequence.to_string();
        if is_publisher {
            recorder.sent(sequence, intended, intended);
            recorder.accepted(sequence, &id);
        } else if latencies.iter().any(Option::is_some) {
            recorder.sent_elsewhere(sequence, intended, &id);
        }
        let mut arrivals: Vec<_> = (0..).zip(latencies).collect();
        arrivals.sort_by_key(|(_, latency)| **latency);
        for (index, latency) in arrivals {
            if let Some(us) = latency {
                let arrival = Arrival {
                    subscriber: SubscriberIndex(index),
                    at: intended + Duration::from_micros(*us),
                };
                recorder.arrived(&id, arrival);
            }
        }
    }
    let publish = is_publisher.then(|| Uri::from_static("http://h/orders"));
    let settings = Settings {
        subscribers: SUBSCRIBERS,
        ..Settings::new(Uri::from_static("ws://h/p"), publish)
    };
    let measurements: Measurements = recorder.finish();
    let report = Report {
        settings: AskedFor::from(&settings),
        run: run.parse::<RunId>().ok(),
        ..fixtures::report(measurements, None)
    };
    let log = Log::new(Header::from(&report), &report.measurements.recorded);
    let mut text = Vec::new();
    log.write(&mut text).unwrap();
    Log::read(std::str::from_utf8(&text).unwrap()).unwrap()
}

#[test]
fn logs_of_different_runs_are_refused_unless_forced() {
    let one = log("00000001", &vec![vec![Some(5)]], true);
    let other = log("00000002", &vec![vec![Some(5)]], false);
    let unknown = log("", &vec![], false);
    let refusal = |other: &Log| merge(&[one.clone(), other.clone()], false).unwrap_err();
    assert_eq!(
        refusal(&other).to_string(),
        "the logs are of different runs, 00000001 and 00000002; --force merges them all the same"
    );
    assert!(refusal(&unknown).to_string().contains("and unknown;"));
    assert!(merge(&[one, other], true).is_ok());
    assert!(matches!(merge(&[], true), Err(MergeError::NoLogs)));
}

#[test]
fn what_a_listener_never_heard_of_it_misses() {
    let all = vec![vec![Some(5); 8], vec![Some(5); 8]];
    let half = vec![vec![Some(5); 8], vec![None; 8]];
    let report = merge(
        &[log("00000001", &half, false), log("00000001", &all, true)],
        false,
    )
    .unwrap();
    let counts = report.measurements.counts;
    assert_eq!((counts.expected, counts.received, counts.sent), (32, 24, 2));
    assert_eq!(report.outcome, Outcome::Missing);
    assert_eq!(report.settings.subscribers, 16);
    assert_eq!(report.measurements.fan_out_us.all.unwrap().notifications, 1);
    assert!(report.settings.publish.is_some());
}

fn latencies() -> impl Strategy<Value = Latencies> {
    let latency = prop::option::weighted(0.9, 1_u64..5_000_000);
    let subscribers = usize::try_from(SUBSCRIBERS).unwrap();
    prop::collection::vec(prop::collection::vec(latency, subscribers), 3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn merged_histograms_equal_one_histogram_of_all(
        processes in prop::collection::vec(latencies(), 1..4),
    ) {
        let logs: Vec<_> = processes
            .iter()
            .enumerate()
            .map(|(nth, latencies)| log("00000001", latencies, nth == 0))
            .collect();
        let merged = merge(&logs, false).unwrap().measurements;

        let mut all = LatencyHistogram::new();
        let mut received = 0;
        for latency in processes.iter().flatten().flatten().flatten() {
            all.record(Duration::from_micros(*latency));
            received += 1;
        }
        prop_assert_eq!(&merged.recorded.latency, &all);
        let in_intervals = merged.timeline.intervals.iter().map(|of| of.deliveries);
        prop_assert_eq!(in_intervals.sum::<u64>(), received);
        let expected = u64::try_from(processes.len() * 3 * 8).unwrap();
        prop_assert_eq!((merged.counts.expected, merged.counts.received), (expected, received));

        // When a notification had reached everybody, everywhere.
        let slowest = (0..3).filter_map(|sequence| {
            let of_all = processes.iter().flat_map(|latencies| &latencies[sequence]);
            of_all.copied().try_fold(0, |slowest, us| Some(slowest.max(us?)))
        });
        let mut exact = LatencyHistogram::new();
        slowest.for_each(|us| exact.record(Duration::from_micros(us)));
        let shown = merged.fan_out_us.all.map(|mark| (mark.notifications, mark.max));
        prop_assert_eq!(shown, exact.summary().map(|summary| (summary.count, summary.max)));
    }
}
