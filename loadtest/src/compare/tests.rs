use super::*;
use crate::report::fixtures;

#[test]
fn a_report_compared_with_itself_is_the_same() {
    let document = fixtures::document();
    let comparison = Comparison::of(&document, &document);
    assert_eq!(comparison.warnings, Vec::<String>::new());
    let is_same = |row: &Row| row.ratio.is_none_or(|ratio| (ratio - 1.0).abs() < 1e-9);
    assert!(comparison.rows.iter().all(is_same));
}

#[test]
fn the_table_shows_both_and_their_ratio() {
    let a = fixtures::document();
    let mut b = fixtures::document();
    b.latency_us = b.latency_us.map(|of| LatencySummary {
        p50: of.p50 * 2,
        p99: of.p99 / 2,
        ..of
    });
    b.deliveries_per_second = b.deliveries_per_second.map(|rate| rate * 1.5);
    b.settings.subscribers = 2_000;
    b.machine.cores = Some(8);
    b.outcome = crate::exit::Outcome::Interrupted;
    insta::assert_snapshot!(Comparison::of(&a, &b).to_string());
}

#[test]
fn what_was_not_measured_has_no_ratio() {
    let a = fixtures::document();
    let mut b = fixtures::document();
    b.latency_us = None;
    let comparison = Comparison::of(&a, &b);
    let latency = comparison.rows.iter().find(|row| row.name == "latency p99");
    assert_eq!(
        latency.map(|row| (row.b.as_str(), row.ratio)),
        Some(("-", None))
    );
}

#[test]
fn a_file_that_is_no_report_of_this_schema_is_refused_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let check = |name: &str, text: &str, expected: &str| {
        let path = file(name, text);
        let args = CompareArgs {
            a: path.clone(),
            b: path.clone(),
        };
        let error = args.compare().unwrap_err();
        let expected = format!("cannot compare {}: {expected}", path.display());
        assert_eq!(crate::causes::with_causes(&error), expected);
    };
    check(
        "later.json",
        r#"{"schema_version":2,"latency":"fast"}"#,
        "unknown schema version 2: this release reads version 1",
    );
    check(
        "earlier.json",
        r#"{"outcome":"complete"}"#,
        "not a report with a schema_version; write one with --output-format json",
    );
    check(
        "other.json",
        r#"{"schema_version":1}"#,
        "not a report: missing field `finished_at` at line 1 column 20",
    );
    check(
        "text.json",
        "subscribers 5",
        "not a report: expected value at line 1 column 1",
    );
}
