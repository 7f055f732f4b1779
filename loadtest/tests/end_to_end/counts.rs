//! What the server did is what the report says.

use std::time::Duration;

use fanout_loadtest::{
    exit::Outcome,
    recorder::measurements::Counts,
    report::{Ledger, Report},
    run::run,
    schedule::Schedule,
    settings::Settings,
};
use tokio_util::sync::CancellationToken;

use crate::server::{Plan, Server};

pub(crate) const SUBSCRIBERS: u32 = 5;
pub(crate) const PUBLISHES: u64 = 4;

/// Counts of a run in which nothing goes wrong.
pub(crate) const COMPLETE: Counts = Counts {
    connected: 5,
    connect_retries: 0,
    connect_failures: 0,
    unexpected_closes: 0,
    reconnects: 0,
    sent: 4,
    accepted: 4,
    publish_errors: 0,
    unanswered: 0,
    late_sends: 0,
    expected: 20,
    excused: 0,
    received: 20,
    duplicates: 0,
    out_of_order: 0,
    extra: 0,
    misdirected: 0,
    other_frames: 0,
    unattributed: 0,
    given_up: 0,
};

pub(crate) fn settings(server: &Server) -> Settings {
    let publish = server.http.parse().unwrap();
    Settings {
        subscribers: SUBSCRIBERS,
        ramp: "1000/s".parse().unwrap(),
        schedule: Schedule::counting("100/s".parse().unwrap(), PUBLISHES),
        drain_timeout: Duration::from_secs(1),
        ..Settings::new(server.ws.parse().unwrap(), Some(publish))
    }
}

pub(crate) async fn report_of(settings: &Settings) -> Report {
    run(settings, &CancellationToken::new(), false)
        .await
        .unwrap()
}

async fn report(plan: Plan) -> Report {
    let server = Server::start(plan).await;
    report_of(&settings(&server)).await
}

pub(crate) async fn check(plan: Plan, expected: Counts, outcome: Outcome) -> Report {
    let report = report(plan).await;
    // How busy this machine was is not the server's doing.
    let counts = Counts {
        late_sends: 0,
        ..report.measurements.counts
    };
    assert_eq!(counts, expected);
    assert_eq!(report.outcome, outcome);
    report
}

#[tokio::test]
async fn everything_arrives() {
    let report = check(Plan::default(), COMPLETE, Outcome::Complete).await;
    let measured = report.measurements;
    assert_eq!(measured.latency_us.unwrap().count, 20);
    assert_eq!(measured.service_time_us.unwrap().count, 20);
    assert_eq!(measured.connect_latency_us.unwrap().count, 5);
    assert_eq!(measured.fan_out_us.all.unwrap().notifications, 4);
}

#[tokio::test]
async fn losses_and_duplicates_are_counted_exactly() {
    let plan = Plan {
        lost: vec![(0, 0), (0, 4), (2, 1)],
        doubled: vec![(1, 1), (3, 4)],
        ..Plan::default()
    };
    let expected = Counts {
        received: 17,
        duplicates: 2,
        ..COMPLETE
    };
    let report = check(plan, expected, Outcome::Missing).await;
    assert_eq!(report.measurements.counts.missing(), 3);
    assert_eq!(report.measurements.fan_out_us.all.unwrap().notifications, 2);
}

#[tokio::test]
async fn frames_before_the_publish_answer_are_counted() {
    let plan = Plan {
        answers_after_frames: true,
        doubled: vec![(2, 2)],
        ..Plan::default()
    };
    let expected = Counts {
        duplicates: 1,
        ..COMPLETE
    };
    check(plan, expected, Outcome::Complete).await;
}

#[tokio::test]
async fn reordered_deliveries_are_counted_exactly() {
    // What socket 2 should receive first and third waits for the next publish.
    let plan = Plan {
        held_back: vec![(0, 2), (2, 2)],
        ..Plan::default()
    };
    let expected = Counts {
        out_of_order: 2,
        ..COMPLETE
    };
    check(plan, expected, Outcome::Complete).await;
}

#[tokio::test]
async fn replies_are_not_notifications() {
    let plan = Plan {
        chatters: true,
        ..Plan::default()
    };
    let expected = Counts {
        other_frames: 20,
        ..COMPLETE
    };
    check(plan, expected, Outcome::Complete).await;
}

#[tokio::test]
async fn refused_connects_are_tried_again_and_counted() {
    let plan = Plan {
        refused_connects: 3,
        ..Plan::default()
    };
    let expected = Counts {
        connect_retries: 3,
        ..COMPLETE
    };
    let report = check(plan, expected, Outcome::Complete).await;
    assert_eq!(
        report.measurements.first_connect_error.as_deref(),
        Some("the server answered 429 Too Many Requests")
    );
}

#[tokio::test]
async fn a_failed_publish_is_expected_nowhere() {
    let plan = Plan {
        failed_publishes: vec![0, 3],
        ..Plan::default()
    };
    let expected = Counts {
        accepted: 2,
        publish_errors: 2,
        expected: 10,
        received: 10,
        ..COMPLETE
    };
    check(plan, expected, Outcome::Missing).await;
}

#[tokio::test]
async fn a_socket_that_the_server_closes_misses_what_it_was_sent_last() {
    let plan = Plan {
        closed: vec![(PUBLISHES - 1, 2)],
        ..Plan::default()
    };
    let expected = Counts {
        unexpected_closes: 1,
        received: 19,
        ..COMPLETE
    };
    check(plan, expected, Outcome::Missing).await;
}

#[tokio::test]
async fn the_ledger_of_the_last_notification_is_shown_as_returned() {
    let report = report(Plan::default()).await;
    let Some(Ledger::Record { location, record }) = report.ledger else {
        panic!("no ledger: {:?}", report.ledger);
    };
    assert_eq!(location, "/notifications/n-3");
    assert_eq!(
        record.get(),
        r#"{"id":"n-3","targeted":3,"accepted":3,"gone":0}"#
    );
}

#[tokio::test]
async fn a_missing_ledger_is_an_outcome_of_its_own() {
    let plan = Plan {
        has_no_ledger: true,
        ..Plan::default()
    };
    let report = check(plan, COMPLETE, Outcome::NoLedger).await;
    let Some(Ledger::Unavailable { reason, .. }) = report.ledger else {
        panic!("a ledger: {:?}", report.ledger);
    };
    assert_eq!(reason, "the server answered 404 Not Found");
}
