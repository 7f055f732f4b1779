//! What the process writes of a run, and how it judges it.

use std::{fs, process::Command};

use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::server::{Plan, Server};

/// Runs to the end; the exit code and stdout.
async fn process(args: Vec<String>) -> (Option<i32>, String) {
    let output = spawn_blocking(move || {
        Command::new(env!("CARGO_BIN_EXE_fanout-loadtest"))
            .args(args)
            .output()
            .unwrap()
    });
    let output = output.await.unwrap();
    let (out, err) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    (output.status.code(), if out.is_empty() { err } else { out })
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// Three subscribers, two notifications.
async fn run(plan: Plan, more: &str) -> (Option<i32>, String) {
    let server = Server::start(plan).await;
    let (ws, http) = (&server.ws, &server.http);
    process(words(&format!(
        "run --ws {ws} --publish {http} -c 3 -n 2 -q 100 --drain-timeout 50ms {more}"
    )))
    .await
}

fn losing_one() -> Plan {
    Plan {
        lost: vec![(0, 0)],
        ..Plan::default()
    }
}

#[tokio::test]
async fn run_within_its_objectives_exits_0() {
    let (code, text) = run(Plan::default(), "--slo p99<1h,reach=100%,errors=0").await;
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("objective      reach=100%  holds   100.00%"),
        "{text}"
    );
}

#[tokio::test]
async fn run_beyond_an_objective_exits_4() {
    let (code, text) = run(losing_one(), "--slo reach=100%").await;
    assert_eq!(code, Some(4), "{text}");
    assert!(
        text.ends_with("objective      reach=100%  broken  83.33%\n"),
        "{text}"
    );
}

#[tokio::test]
async fn objective_may_allow_for_what_is_missing() {
    let (code, text) = run(losing_one(), "--slo reach>=80%").await;
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = run(losing_one(), "--slo p99<1h").await;
    assert_eq!(code, Some(1), "{text}");
}

#[tokio::test]
async fn report_of_a_run_is_as_its_schema_says() {
    let schema: Value =
        serde_json::from_str(include_str!("../../schema/report.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let check = |json: &str| {
        let report: Value = serde_json::from_str(json).unwrap();
        let problems: Vec<_> = schema.iter_errors(&report).collect();
        assert!(problems.is_empty(), "{problems:?}");
        report
    };
    // Logs are good to a microsecond, the rate of a run is better.
    let without_rate = |mut report: Value| {
        report["deliveries_per_second"].take();
        report
    };
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("a.hlog").display().to_string();
    let options = format!("--output-format json --slo p99<1h,reach>=50% --output {log}");
    let (code, json) = run(losing_one(), &options).await;
    assert_eq!(code, Some(0), "{json}");
    let report = check(&json);
    assert_eq!(report["counts"]["received"], 5);
    assert_eq!(report["own_load"][0]["subscribers"], 3);

    let merge = format!("merge {log} --output-format json --slo p99<1h,reach>=50%");
    let (code, json) = process(words(&merge)).await;
    assert_eq!(code, Some(0), "{json}");
    assert_eq!(without_rate(check(&json)), without_rate(report));
}

#[tokio::test]
async fn merged_logs_are_held_to_objectives_and_shown_as_a_page() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (log, page, merged) = (path("a.hlog"), path("report.html"), path("b.hlog"));
    run(losing_one(), &format!("--output {log}")).await;
    let merge = format!("merge {log} --html {page} --slo reach=100% --output {merged}");
    let (code, text) = process(words(&merge)).await;
    assert_eq!(code, Some(4), "{text}");
    let page = fs::read_to_string(page).unwrap();
    assert_eq!(page.matches("role=\"img\"").count(), 4);
    let again = process(words(&format!("merge {merged} --slo reach=100%"))).await;
    assert_eq!(again, (code, text));
}

#[tokio::test]
async fn credentials_in_urls_are_not_printed() {
    let server = Server::start(Plan::default()).await;
    let (ws, http) = (&server.ws, &server.http);
    let line = format!("run --ws {ws}?token=hush --publish {http}?key=hush -c 1 -n 1");
    let (code, text) = process(words(&line)).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("?token=…") && !text.contains("hush"),
        "{text}"
    );
    let nowhere = format!("run --ws ws://user:hush@127.0.0.1:1/p --publish {http}");
    let (code, text) = process(words(&nowhere)).await;
    assert_eq!(code, Some(3), "{text}");
    assert!(
        text.contains("ws://127.0.0.1:1/p") && !text.contains("hush"),
        "{text}"
    );
}

#[tokio::test]
async fn csv_is_a_header_and_a_row() {
    let (code, csv) = run(Plan::default(), "--output-format csv").await;
    assert_eq!(code, Some(0), "{csv}");
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines.len(), 2, "{csv}");
    let column = lines[0]
        .split(',')
        .position(|name| name == "counts.received");
    assert_eq!(lines[1].split(',').nth(column.unwrap()), Some("6"));
}

#[tokio::test]
async fn page_is_written_beside_the_report() {
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("report.html");
    let (code, text) = run(Plan::default(), &format!("--html {}", page.display())).await;
    assert_eq!(code, Some(0), "{text}");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    assert_eq!(page.matches("role=\"img\"").count(), 4);
}

#[tokio::test]
async fn page_that_cannot_be_written_exits_2_before_the_run() {
    let (code, text) = run(Plan::default(), "--html /nowhere/report.html").await;
    assert_eq!(code, Some(2));
    assert_eq!(
        text,
        "error: cannot write /nowhere/report.html: No such file or directory (os error 2)\n"
    );
}

#[tokio::test]
async fn reports_of_two_runs_are_compared() {
    let directory = tempfile::tempdir().unwrap();
    let report = async |name: &str, plan| {
        let path = directory.path().join(name);
        fs::write(&path, run(plan, "--output-format json").await.1).unwrap();
        path.display().to_string()
    };
    let a = report("a.json", losing_one()).await;
    let b = report("b.json", Plan::default()).await;
    let (code, text) = process(vec!["compare".to_owned(), a, b]).await;
    assert_eq!(code, Some(0), "{text}");
    let missing = text.lines().find(|line| line.starts_with("missing"));
    assert_eq!(words(missing.unwrap()), ["missing", "1", "0", "0.000"]);
}

#[tokio::test]
async fn file_that_is_no_report_exits_2() {
    let missing = "/nowhere/a.json";
    let (code, text) = process(words(&format!("compare {missing} {missing}"))).await;
    assert_eq!(code, Some(2));
    assert_eq!(
        text,
        "error: cannot read /nowhere/a.json: No such file or directory (os error 2)\n"
    );
}

#[tokio::test]
async fn plan_needs_no_server() {
    let line = "plan --connections 300000 --rate 10000 --burst 5000 --output-format json";
    let (code, json) = process(words(line)).await;
    assert_eq!(code, Some(0), "{json}");
    let plan: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(plan["broadcast"]["to_100_percent_seconds"], 29.5);
    assert_eq!(plan["connecting"]["seconds"], 600.0);
}
