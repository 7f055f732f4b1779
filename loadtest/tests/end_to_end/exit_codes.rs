//! The process: its exit code, its stdout, and its one line on stderr.

use std::process::{Child, Command, Output, Stdio};

use tokio::{net::TcpListener, task::spawn_blocking};

use crate::server::{Plan, Server};

fn start(ws: &str, publish: &str, more: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_fanout-loadtest"))
        .args(["run", "--ws", ws, "--publish", publish])
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

async fn end(child: Child) -> Output {
    spawn_blocking(|| child.wait_with_output().unwrap())
        .await
        .unwrap()
}

async fn run(server: &Server, more: &[&str]) -> Output {
    end(start(&server.ws, &server.http, more)).await
}

#[track_caller]
fn check_one_line(output: &Output, exit_code: i32, expected: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit_code), "{stderr}");
    assert_eq!(stderr.trim_end(), expected);
    assert!(output.stdout.is_empty());
}

/// An address where nobody listens.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

#[tokio::test]
async fn complete_run_exits_0_with_a_report_and_silence_on_stderr() {
    let server = Server::start(Plan::default()).await;
    let output = run(&server, &["-c", "3", "-n", "2", "-q", "100"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        stdout.contains("received       6 of 6 expected (100.00 %)"),
        "{stdout}"
    );
    assert!(output.stderr.is_empty());
}

#[tokio::test]
async fn missing_delivery_exits_1_with_the_report() {
    let plan = Plan {
        lost: vec![(0, 0)],
        ..Plan::default()
    };
    let server = Server::start(plan).await;
    let args = [
        "-c",
        "1",
        "-n",
        "1",
        "--drain-timeout",
        "10ms",
        "--output-format",
        "json",
    ];
    let output = run(&server, &args).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["missing"], 1);
    assert_eq!(report["outcome"], "missing");
}

#[tokio::test]
async fn wrong_command_line_exits_2_with_one_line() {
    let server = Server::start(Plan::default()).await;
    check_one_line(
        &run(&server, &["-z", "10"]).await,
        2,
        "error: invalid value '10' for '--duration <TIME>': \
         expected a time with its unit such as 500ms, 60s or 5m, got \"10\"",
    );
}

#[tokio::test]
async fn more_subscribers_than_the_machine_holds_exits_2_and_names_the_limit() {
    let server = Server::start(Plan::default()).await;
    let output = run(&server, &["-c", "4000000000"]).await;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.starts_with("error: 4000000000 subscribers need "),
        "{stderr}"
    );
    assert_eq!(stderr.lines().count(), 1);
}

#[tokio::test]
async fn nobody_listening_for_subscribers_exits_3() {
    let server = Server::start(Plan::default()).await;
    let ws = format!("ws://{}/prod", nobody().await);
    check_one_line(
        &end(start(&ws, &server.http, &[])).await,
        3,
        &format!("error: cannot connect to {ws}: Connection refused (os error 111)"),
    );
}

#[tokio::test]
async fn nobody_listening_for_publishes_exits_3() {
    let server = Server::start(Plan::default()).await;
    let publish = format!("http://{}/orders", nobody().await);
    check_one_line(
        &end(start(&server.ws, &publish, &[])).await,
        3,
        &format!("error: cannot connect to {publish}: Connection refused (os error 111)"),
    );
}

#[tokio::test]
async fn subscribers_url_without_a_websocket_exits_5() {
    let server = Server::start(Plan::default()).await;
    let ws = server.http.replace("http://", "ws://");
    check_one_line(
        &end(start(&ws, &server.http, &[])).await,
        5,
        &format!("error: cannot connect to {ws}: the server answered 404 Not Found"),
    );
}

#[tokio::test]
async fn wrong_publish_url_exits_5() {
    let server = Server::start(Plan::default()).await;
    let publish = server.http.replace("/orders", "/nowhere");
    check_one_line(
        &end(start(&server.ws, &publish, &[])).await,
        5,
        &format!("error: cannot publish to {publish}: the server answered 404 Not Found"),
    );
}

#[tokio::test]
async fn missing_ledger_exits_6_with_the_report() {
    let plan = Plan {
        has_no_ledger: true,
        ..Plan::default()
    };
    let server = Server::start(plan).await;
    let output = run(&server, &["-n", "1", "-c", "1"]).await;
    assert_eq!(output.status.code(), Some(6), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        stdout.ends_with("not available: the server answered 404 Not Found\n"),
        "{stdout}"
    );
}

#[tokio::test]
async fn logs_are_merged_by_the_command() {
    let server = Server::start(Plan::default()).await;
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    for (name, run_id) in [("a.hlog", "0000000a"), ("b.hlog", "0000000b")] {
        let output = path(name);
        let args = [
            "-n", "1", "-c", "2", "--run-id", run_id, "--output", &output,
        ];
        assert_eq!(run(&server, &args).await.status.code(), Some(0));
    }
    let merge = |args: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_fanout-loadtest"))
            .arg("merge")
            .args([path("a.hlog"), path("b.hlog")])
            .args(args)
            .output()
            .unwrap()
    };
    check_one_line(
        &merge(&[]),
        2,
        "error: the logs are of different runs, 0000000a and 0000000b; --force merges them all \
         the same",
    );
    let forced = merge(&["--force"]);
    assert_eq!(forced.status.code(), Some(0), "{forced:?}");
    let stdout = String::from_utf8(forced.stdout).unwrap();
    assert!(
        stdout.contains("received       4 of 4 expected"),
        "{stdout}"
    );
    let missing = path("c.hlog");
    check_one_line(
        &merge(&[&missing]),
        2,
        &format!("error: cannot read {missing}: No such file or directory (os error 2)"),
    );
}

#[tokio::test]
async fn run_in_which_every_publish_fails_exits_3_with_the_report() {
    let plan = Plan {
        failed_publishes: vec![0, 1],
        ..Plan::default()
    };
    let server = Server::start(plan).await;
    let output = run(&server, &["-n", "2", "-q", "100"]).await;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        stdout.contains("publishes failed     2 (the server answered 503 Service Unavailable)"),
        "{stdout}"
    );
}

#[tokio::test]
async fn interrupted_run_exits_130_after_the_report() {
    let server = Server::start(Plan::default()).await;
    let child = start(&server.ws, &server.http, &["-c", "2", "-z", "10m"]);
    server.published().await;
    let interrupt = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(interrupt.unwrap().success());
    let output = end(child).await;
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        stdout.contains("interrupted    the figures cover"),
        "{stdout}"
    );
}
