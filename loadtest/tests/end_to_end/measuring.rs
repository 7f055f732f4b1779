//! What is measured in other ways than one publisher's to plain subscribers.

use std::time::Duration;

use fanout_loadtest::{
    body::Body, exit::Outcome, hlog::Log, identity::Identity, merge::merge,
    recorder::measurements::Counts, report::Report, schedule::Schedule, settings::Settings,
    slow_readers::SlowReaders,
};
use tokio_util::sync::CancellationToken;

use crate::{
    counts::{COMPLETE, SUBSCRIBERS, check, report_of, settings},
    server::{Plan, Server},
};

/// What a busy machine may add to a delay: its own timers are that late.
fn scheduling_error(report: &Report) -> u64 {
    let own = report.measurements.recorded.own.first().unwrap();
    own.latest_timer_us + 20_000
}

fn deliveries_over_time(report: &Report) -> u64 {
    let intervals = report.measurements.timeline.intervals.iter();
    intervals.map(|of| of.deliveries).sum()
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
    assert_eq!(deliveries_over_time(&merged), 40);
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
async fn simulated_subscribers_count_like_any_other() {
    // Of four, one is never reached by the second of the publishes, and one
    // twice by the third.
    let plan = Plan {
        simulated: vec![(4, 0), (3, 0), (4, 1), (4, 0)],
        ..Plan::default()
    };
    let server = Server::start(plan).await;
    let settings = Settings {
        simulated: Some(server.simulated.parse().unwrap()),
        ..settings(&server)
    };
    let report = report_of(&settings).await;
    assert_eq!(report.outcome, Outcome::Missing);
    let counts = Counts {
        late_sends: 0,
        ..report.measurements.counts
    };
    let expected = Counts {
        connected: 9,
        expected: 36,
        received: 35,
        duplicates: 1,
        ..COMPLETE
    };
    assert_eq!(counts, expected);
    assert_eq!(report.measurements.latency_us.unwrap().count, 35);
    assert_eq!(deliveries_over_time(&report), 35);
    assert_eq!(report.measurements.fan_out_us.all.unwrap().notifications, 3);
}

#[tokio::test]
async fn a_stack_that_simulates_nobody_is_told_at_once() {
    let server = Server::start(Plan::default()).await;
    let settings = Settings {
        simulated: Some(server.simulated.parse().unwrap()),
        ..settings(&server)
    };
    let refused = fanout_loadtest::run::run(&settings, &CancellationToken::new(), false).await;
    assert_eq!(
        refused.unwrap_err().to_string(),
        format!("cannot ask {} for simulated subscribers", server.simulated)
    );
}
