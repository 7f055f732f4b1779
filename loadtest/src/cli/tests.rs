use clap::CommandFactory;

use super::*;
use crate::{body::Body, identity::Identity, tls::Trust};

const URLS: [&str; 4] = ["--ws", "ws://h:1/p", "--publish", "http://h:2/o"];

fn parse(args: &[&str]) -> Result<Settings, String> {
    let line = ["fanout-loadtest", "run"].iter().chain(&URLS).chain(args);
    let cli = Cli::try_parse_from(line).map_err(|error| one_line(&error))?;
    let Command::Run(run) = cli.command else {
        panic!("not a run");
    };
    Settings::try_from(*run).map_err(|error| error.to_string())
}

#[track_caller]
fn check_error(args: &[&str], expected: &str) {
    assert_eq!(parse(args).unwrap_err(), expected);
}

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn defaults_are_ten_seconds_at_one_a_second() {
    let settings = parse(&[]).unwrap();
    assert_eq!(settings.subscribers, 10);
    assert_eq!(settings.schedule.sends(), 10);
    assert_eq!(settings.body, Body::book_order());
    assert_eq!(settings.drain_timeout, Duration::from_secs(10));
}

#[test]
fn length_is_a_time_or_a_number() {
    assert_eq!(
        parse(&["-q", "2", "-z", "30s"]).unwrap().schedule.sends(),
        60
    );
    assert_eq!(parse(&["-q", "2", "-n", "7"]).unwrap().schedule.sends(), 7);
    check_error(
        &["-z", "10s", "-n", "7"],
        "error: the argument '--duration <TIME>' cannot be used with '--notifications <N>'",
    );
}

#[test]
fn headers_are_kept_in_order() {
    let settings = parse(&["-H", "a: 1", "--header", "A:2"]).unwrap();
    let values: Vec<_> = settings.headers.get_all("a").iter().collect();
    assert_eq!(values, ["1", "2"]);
}

#[test]
fn inline_body_is_sent_as_it_is() {
    let settings = parse(&["--body", r#"{"a": 1}"#]).unwrap();
    assert_eq!(settings.body, Body::template(r#"{"a": 1}"#));
}

#[test]
fn a_listener_publishes_nothing() {
    let line = "x run --ws ws://h:1/p --listen-only -z 5s --run-id 0000000a";
    let cli = Cli::try_parse_from(line.split(' ')).unwrap();
    let Command::Run(run) = cli.command else {
        panic!("not a run");
    };
    let settings = Settings::try_from(*run).unwrap();
    assert_eq!(settings.publish, None);
    assert_eq!(settings.schedule.span(), Duration::from_secs(5));
    assert!(settings.run.is_some());
    assert!(parse(&["--listen-only"]).is_err());
    assert!(Cli::try_parse_from(["x", "run", "--ws", "ws://h/p"]).is_err());
}

#[test]
fn how_frames_are_told_is_asked_for_in_one_way() {
    let identity = |args: &[&str]| parse(args).unwrap().identity;
    assert_eq!(identity(&[]), Identity::Event);
    assert_eq!(identity(&["--by-mark"]), Identity::Mark);
    assert_eq!(
        identity(&["--frame-id", "/a", "--answer-id", "/b/0"]),
        Identity::Id {
            frame: "/a".parse().unwrap(),
            answer: "/b/0".parse().unwrap(),
        }
    );
    assert!(parse(&["--by-mark", "--frame-intended", "/a"]).is_err());
    check_error(
        &["--by-mark", "--body", "{}"],
        "--by-mark needs a body that carries the {mark}",
    );
}

#[test]
fn a_body_has_room_for_what_is_asked_for() {
    check_error(
        &["--topics", "3"],
        "--topics needs a body that names its topic: publish to /notifications, or give a --body \
         with {topic}",
    );
    check_error(
        &["--payload-bytes", "3000"],
        "cannot pad to --payload-bytes: publish to /notifications, or give a --body with {padding}",
    );
    let merchant = r#"{"bookId":1,"title":"{mark} {padding}","quantity":1,"merchantId":"{topic}"}"#;
    let args = [
        "--topics",
        "3",
        "--payload-bytes",
        "300",
        "--body",
        merchant,
    ];
    assert!(parse(&args).is_ok());
}

#[test]
fn subscribers_are_described() {
    let args = "--source-ip 127.0.0.2 --source-ip ::1 --churn 50/s --slow-readers 3 --token a \
                --token b --token-in header --ws-header x:1 --on-open hi --ca-file ca.pem";
    let settings = parse(&args.split_whitespace().collect::<Vec<_>>()).unwrap();
    assert_eq!(settings.sources.len(), 2);
    assert_eq!(settings.churn, "50/s".parse().ok());
    assert_eq!(settings.slow_readers.unwrap().count, 3);
    assert_eq!(settings.handshake.tokens.len(), 2);
    assert_eq!(settings.handshake.greetings, ["hi"]);
    assert_eq!(settings.handshake.headers["x"], "1");
    assert_eq!(settings.trust, Trust::CaFile("ca.pem".into()));
}

#[test]
fn wrong_value_gets_one_line_that_names_what_would_be_right() {
    check_error(
        &["--ramp", "fast"],
        "error: invalid value 'fast' for '--ramp <RATE>': expected a rate above zero such as 500/s, 30/m or 0.5/s, got \"fast\"",
    );
    check_error(
        &["-z", "0s"],
        "error: invalid value '0s' for '--duration <TIME>': expected a time above zero, got \"0s\"",
    );
    check_error(
        &["-c", "0"],
        "error: invalid value '0' for '--connections <N>': 0 is not in 1..=4294967295",
    );
    check_error(
        &["--header", "novalue"],
        "error: invalid value 'novalue' for '--header <NAME: VALUE>': expected a header such as 'name: value'",
    );
    check_error(
        &["--body", "{"],
        "error: invalid value '{' for '--body <JSON|FILE>': expected JSON: EOF while parsing an object at line 1 column 1",
    );
    check_error(
        &["--output-format", "xml"],
        "error: invalid value 'xml' for '--output-format <FORMAT>' [possible values: text, json, csv]",
    );
}

#[test]
fn url_of_another_scheme_is_refused() {
    let error = Cli::try_parse_from(["x", "run", "--ws", "http://h/p", "--publish", "http://h/o"]);
    assert_eq!(
        one_line(&error.unwrap_err()),
        "error: invalid value 'http://h/p' for '--ws <ws://HOST:PORT/PATH>': expected a URL such as ws://127.0.0.1:3001/prod, got \"http://h/p\""
    );
    let error = Cli::try_parse_from(["x", "run", "--ws", "ws:///p", "--publish", "http://h/o"]);
    assert!(one_line(&error.unwrap_err()).contains("expected a URL such as ws://"));
}

#[test]
fn help_names_every_exit_code() {
    let help = Cli::command()
        .find_subcommand_mut("run")
        .unwrap()
        .render_long_help()
        .to_string();
    for code in ["0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "6 ", "130 "] {
        assert!(help.contains(&format!("\n  {code}")), "{code} is missing");
    }
}
