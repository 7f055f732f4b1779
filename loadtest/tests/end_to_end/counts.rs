//! What the server did is what the report says.

use std::time::Duration;

use fanout_loadtest::{
    body::Body,
    exit::Outcome,
    hlog::Log,
    identity::Identity,
    merge::merge,
    recorder::measurements::Counts,
    report::{Ledger, Report},
    run::run,
    schedule::Schedule,
    settings::Settings,
    slow_readers::SlowReaders,
};
use tokio_util::sync::CancellationToken;

use crate::server::{Plan, Server};

const SUBSCRIBERS: u32 = 5;
const PUBLISHES: u64 = 4;

/// Counts of a run in which nothing goes wrong.
const COMPLETE: Counts = Counts {
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

fn settings(server: &Server) -> Settings {
    let publish = server.http.parse().unwrap();
    Settings {
        subscribers: SUBSCRIBERS,
        ramp: "1000/s".parse().unwrap(),
        schedule: Schedule::counting("100/s".parse().unwrap(), PUBLISHES),
        drain_timeout: Duration::from_secs(1),
        ..Settings::new(server.ws.parse().unwrap(), Some(publish))
    }
}

async fn report_of(settings: &Settings) -> Report {
    run(settings, &CancellationToken::new(), false)
        .await
        .unwrap()
}

async fn report(plan: Plan) -> Report {
    let server = Server::start(plan).await;
    report_of(&settings(&server)).await
}

async fn check(plan: Plan, expected: Counts, outcome: Outcome) -> Report {
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

/// What a busy machine may add to a delay: its own timers are that late.
fn scheduling_error(report: &Report) -> u64 {
    let own = report.measurements.recorded.own.first().unwrap();
    own.latest_timer_us + 20_000
}

#[tokio::test]
async fn delays_of_the_server_are_in_the_latency() {
    // One subscriber in five waits 300 ms, the others 50.
    let plan = Plan {
        delay: Duration::from_millis(50),
        delayed: vec![(3, Duration::from_millis(250))],
        ..Plan::default()
    };
    let report = check(plan, COMPLETE, Outcome::Complete).await;
    let latency = report.measurements.latency_us.unwrap();
    let error = scheduling_error(&report);
    let near = |us: u64, expected: u64| (expected..=expected + error).contains(&us);
    assert!(near(latency.p50, 50_000), "{latency:?} within {error}");
    assert!(near(latency.p90, 300_000), "{latency:?} within {error}");
    assert!(near(latency.max, 300_000), "{latency:?} within {error}");
    let fan_out = report.measurements.fan_out_us;
    assert!(near(fan_out.first.unwrap().median, 50_000), "{fan_out:?}");
    assert!(near(fan_out.all.unwrap().median, 300_000), "{fan_out:?}");
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
async fn frames_are_told_by_their_mark_or_by_a_pointer() {
    let body = Body::template(r#"{"bookId":1,"title":"{mark}","at":{intended}}"#);
    let pointer = |text: &str| text.parse().unwrap();
    for identity in [
        Identity::Mark,
        Identity::Intended(pointer("/data/at")),
        Identity::Id {
            frame: pointer("/id"),
            answer: pointer("/id"),
        },
    ] {
        let server = Server::start(Plan::default()).await;
        let settings = Settings {
            body: body.clone(),
            identity: identity.clone(),
            ..settings(&server)
        };
        let counts = report_of(&settings).await.measurements.counts;
        let counts = Counts {
            late_sends: 0,
            ..counts
        };
        assert_eq!(counts, COMPLETE, "{identity:?}");
    }
}

#[tokio::test]
async fn listeners_measure_with_the_publishers_clock() {
    let plan = Plan {
        delay: Duration::from_millis(40),
        ..Plan::default()
    };
    let server = Server::start(plan).await;
    let run_id = "0000000a".parse().ok();
    let publisher = Settings {
        run: run_id,
        settle: Duration::from_millis(400),
        ..settings(&server)
    };
    let listener = Settings {
        publish: None,
        run: run_id,
        schedule: Schedule::lasting("1/s".parse().unwrap(), Duration::from_secs(2)),
        ..settings(&server)
    };
    let (sent, heard) = tokio::join!(report_of(&publisher), report_of(&listener));
    assert_eq!(heard.outcome, Outcome::Complete);
    let counts = heard.measurements.counts;
    assert_eq!((counts.expected, counts.received, counts.sent), (20, 20, 0));
    let latency = heard.measurements.latency_us.unwrap();
    let latest = 40_000 + scheduling_error(&heard);
    assert!((40_000..latest).contains(&latency.max), "{latency:?}");

    let logs = [&heard, &sent].map(|report| Log::new(report.into(), &report.measurements.recorded));
    let merged = merge(&logs, false).unwrap();
    let counts = merged.measurements.counts;
    assert_eq!((counts.expected, counts.received, counts.sent), (40, 40, 4));
    assert_eq!(merged.measurements.latency_us.unwrap().count, 40);
    assert_eq!(merged.outcome, Outcome::Complete);
}

#[tokio::test]
async fn churn_loses_nothing_that_was_not_excused() {
    let server = Server::start(Plan::default()).await;
    let settings = Settings {
        churn: "200/s".parse().ok(),
        schedule: Schedule::counting("100/s".parse().unwrap(), 50),
        ..settings(&server)
    };
    let report = report_of(&settings).await;
    let counts = report.measurements.counts;
    assert_eq!(report.outcome, Outcome::Complete, "{counts:?}");
    assert!(counts.reconnects > 10, "{counts:?}");
    assert_eq!((counts.connected, counts.duplicates), (5, 0), "{counts:?}");
    assert_eq!(counts.unexpected_closes, 0);
}

#[tokio::test]
async fn slow_readers_receive_everything_and_slow_nobody_else_down() {
    let server = Server::start(Plan::default()).await;
    let settings = Settings {
        slow_readers: Some(SlowReaders {
            count: 2,
            among: SUBSCRIBERS,
            pause: Duration::from_millis(150),
        }),
        ..settings(&server)
    };
    let report = report_of(&settings).await;
    assert_eq!(report.outcome, Outcome::Complete);
    let measured = &report.measurements;
    assert_eq!(measured.counts.received, 20);
    assert_eq!(measured.latency_us.unwrap().count, 12);
    let busy = measured.busy.unwrap();
    assert!(busy >= Duration::from_millis(450), "{busy:?}");
}

#[tokio::test]
async fn source_addresses_take_turns() {
    let server = Server::start(Plan::default()).await;
    let settings = Settings {
        sources: vec![[127, 0, 0, 2].into(), [127, 0, 0, 3].into()],
        ..settings(&server)
    };
    let report = report_of(&settings).await;
    assert_eq!(report.outcome, Outcome::Complete);
    let mut sources = server.sources();
    sources.sort_unstable();
    let of = |last: u8| std::net::IpAddr::from([127, 0, 0, last]);
    assert_eq!(sources, [of(2), of(2), of(2), of(3), of(3)]);
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
