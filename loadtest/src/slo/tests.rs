use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    parking::Arrival,
    recorder::{Bounds, Recorder},
    subscriber_set::SubscriberIndex,
};

/// One notification to 100 subscribers: they receive it after 1 ms, 2 ms and so
/// on, but for the last `lost` of them.
fn measured(lost: u32) -> Measurements {
    let mut recorder = Recorder::new(100, Bounds::default());
    for index in 0..100 {
        recorder.opened(SubscriberIndex(index), Duration::ZERO);
    }
    recorder.sent(0, Duration::ZERO, Duration::ZERO);
    recorder.accepted(0, "a");
    for index in 0..100 - lost {
        let arrival = Arrival {
            subscriber: SubscriberIndex(index),
            at: Duration::from_millis(u64::from(index) + 1),
        };
        recorder.arrived("a", arrival);
    }
    recorder.finish()
}

fn nothing() -> Measurements {
    Recorder::new(100, Bounds::default()).finish()
}

fn verdict(objective: &str, of: &Measurements) -> Verdict {
    let slo: Slo = objective.parse().unwrap();
    slo.judge(of).verdicts.remove(0)
}

#[track_caller]
fn check(objective: &str, measured_as: &str, holds: bool) {
    let verdict = verdict(objective, &measured(2));
    assert_eq!(
        verdict.measured.as_deref(),
        Some(measured_as),
        "{objective}"
    );
    assert_eq!(verdict.holds, holds, "{objective}");
}

#[track_caller]
fn check_error(objective: &str, expected: &str) {
    let error = objective.parse::<Slo>().unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[track_caller]
fn check_status(slo: &str, of: &Measurements, status: u8) {
    let outcome = Outcome::of(&of.counts, false);
    let judgement = slo.parse::<Slo>().unwrap().judge(of);
    assert_eq!(judgement.status(outcome), status, "{slo}: {judgement}");
    assert_eq!(judgement.status(Outcome::Interrupted), 130);
    assert_eq!(judgement.status(Outcome::Unreachable), 3);
}

#[test]
fn each_metric_is_held_to_what_was_measured() {
    check("p50<50ms", "49.023ms", true);
    check("p50<49023us", "49.023ms", false);
    check("p50<=49023us", "49.023ms", true);
    check("max<=98.1ms", "98.047ms", true);
    check("mean<1ms", "49.504ms", false);
    check("p99.99<1s", "98.047ms", true);
    check("reach>=98%", "98.00%", true);
    check("reach=98%", "98.00%", true);
    check("reach=100%", "98.00%", false);
    check("missing=2", "2", true);
    check("missing<2", "2", false);
    check("duplicates=0", "0", true);
    check("errors=0", "0", true);
    check("throughput>=1000/s", "1000.00/s", true);
    check("throughput>1000/s", "1000.00/s", false);
    check(" p90 < 1s ", "89.023ms", true);
}

#[test]
fn what_has_no_samples_does_not_hold() {
    for objective in [
        "p99<1h",
        "reach>=0%",
        "missing=0",
        "duplicates=0",
        "errors=0",
        "throughput>=1/s",
    ] {
        let verdict = verdict(objective, &nothing());
        assert_eq!(
            (verdict.measured, verdict.holds),
            (None, false),
            "{objective}"
        );
    }
}

#[test]
fn objectives_set_the_exit_status() {
    check_status("p99<500ms,reach=100%", &measured(0), 0);
    check_status("p99<5ms,reach=100%", &measured(0), 4);
    check_status("reach>=98%", &measured(2), 0);
    check_status("missing<=2", &measured(2), 0);
    check_status("reach=100%", &measured(2), 4);
}

#[test]
fn what_no_objective_is_about_is_still_missing() {
    check_status("p99<500ms", &measured(2), 1);
    let mut cut_off = measured(0);
    cut_off.counts.unexpected_closes = 1;
    check_status("reach=100%", &cut_off, 1);
    check_status("reach=100%,errors<=1", &cut_off, 0);
    let mut overheard = measured(0);
    overheard.counts.misdirected = 1;
    check_status("reach=100%", &overheard, 1);
    check_status("errors=0", &overheard, 4);
}

#[test]
fn no_objective_is_about_the_ledger() {
    let slo: Slo = "reach=100%".parse().unwrap();
    assert_eq!(slo.judge(&measured(0)).status(Outcome::NoLedger), 6);
    assert_eq!(slo.judge(&measured(2)).status(Outcome::NoLedger), 4);
}

#[test]
fn a_wrong_objective_is_told_what_would_be_right() {
    check_error(
        "",
        "expected an objective such as p99<500ms or reach=100%, got \"\"",
    );
    check_error(
        "p99<500ms,",
        "expected an objective such as p99<500ms or reach=100%, got \"\"",
    );
    check_error(
        "p95<1s",
        "unknown metric \"p95\": expected p50, p90, p99, p99.9, p99.99, mean, max, reach, \
         missing, duplicates, errors or throughput",
    );
    check_error(
        "p99>500ms",
        "expected < or <= and a time with its unit such as p99<500ms, got \"p99>500ms\"",
    );
    check_error(
        "p99<500",
        "expected < or <= and a time with its unit such as p99<500ms, got \"p99<500\"",
    );
    for reach in [
        "reach<50%",
        "reach=1",
        "reach=101%",
        "reach=99.995%",
        "reach=%",
    ] {
        check_error(
            reach,
            &format!("expected = or >= and a percentage such as reach>=99.95%, got \"{reach}\""),
        );
    }
    check_error(
        "missing>=0",
        "expected =, < or <= and a whole number such as duplicates<=10, got \"missing>=0\"",
    );
    check_error(
        "throughput<=5/s",
        "expected >= or > and a rate such as throughput>=5000/s, got \"throughput<=5/s\"",
    );
}

#[test]
fn each_objective_is_printed_with_what_was_measured() {
    let slo: Slo = "p99<500ms,reach=100%,throughput>=1/h".parse().unwrap();
    assert_eq!(
        slo.judge(&measured(2)).to_string(),
        "objective      p99<500ms        holds   98.047ms\n\
         objective      reach=100%       broken  98.00%\n\
         objective      throughput>=1/h  holds   1000.00/s"
    );
    assert_eq!(
        "max<1s"
            .parse::<Slo>()
            .unwrap()
            .judge(&nothing())
            .to_string(),
        "objective      max<1s  broken  nothing to measure"
    );
}

fn objective() -> impl Strategy<Value = String> {
    let statistic =
        prop::sample::select(vec!["p50", "p90", "p99", "p99.9", "p99.99", "mean", "max"]);
    let count = prop::sample::select(vec!["missing", "duplicates", "errors"]);
    prop_oneof![
        (
            statistic,
            prop::sample::select(vec!["<", "<="]),
            1_u32..1_000_000
        )
            .prop_map(|(name, by, us)| format!("{name}{by}{us}us")),
        (
            prop::sample::select(vec!["=", ">="]),
            0_u32..=99,
            0_u32..100
        )
            .prop_map(|(by, whole, part)| format!("reach{by}{whole}.{part:02}%")),
        (
            count,
            prop::sample::select(vec!["=", "<", "<="]),
            any::<u32>()
        )
            .prop_map(|(name, by, count)| format!("{name}{by}{count}")),
        (prop::sample::select(vec![">", ">="]), 1_u32..1_000_000)
            .prop_map(|(by, rate)| format!("throughput{by}{rate}/s")),
    ]
}

proptest! {
    #[test]
    fn objectives_written_are_read_back(
        objectives in prop::collection::vec(objective(), 1..6),
    ) {
        let text = objectives.join(",");
        let slo: Slo = text.parse().unwrap();
        prop_assert_eq!(slo.to_string(), text);
        prop_assert_eq!(slo.judge(&measured(2)).verdicts.len(), objectives.len());
    }

    #[test]
    fn no_text_is_a_panic_and_every_refusal_says_what_would_be_right(
        text in "[a-z0-9.]{0,8}[<>= ]{0,3}[0-9.%a-z/,µ]{0,12}",
    ) {
        if let Err(error) = text.parse::<Slo>() {
            prop_assert!(error.to_string().contains("expected "), "{}", error);
        }
    }

    #[test]
    fn a_looser_bound_holds_where_a_tighter_one_does(us in 1_u64..200_000, more in 0_u64..200_000) {
        let holds = |us: u64| verdict(&format!("p90<={us}us"), &measured(0)).holds;
        prop_assert!(!holds(us) || holds(us + more));
    }
}
