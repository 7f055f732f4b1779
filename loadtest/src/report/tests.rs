use super::{
    fixtures::{measurements, record, report},
    *,
};
use crate::recorder::{Bounds, Recorder};

#[test]
fn text_shows_what_was_asked_and_what_came_of_it() {
    insta::assert_snapshot!(report(measurements(), Some(record())).to_text());
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
