use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    plan: PlanArgs,
}

fn args(line: &[&str]) -> PlanArgs {
    let line = ["plan"].iter().chain(line);
    Line::try_parse_from(line).unwrap().plan
}

const QUOTED: [&str; 8] = [
    "--connections",
    "300000",
    "--rate",
    "10000",
    "--burst",
    "5000",
    "--publishes-per-day",
    "40",
];

#[test]
fn text_says_how_long_it_takes_and_what_dominates_the_cost() {
    insta::assert_snapshot!(args(&QUOTED).write());
}

#[test]
fn json_holds_the_same_figures() {
    let json = [&QUOTED[..], &["--output-format", "json"]].concat();
    insta::assert_snapshot!(args(&json).write());
}

#[test]
fn the_sum_is_that_of_the_terms_and_the_dearest_comes_first() {
    let month = args(&QUOTED).plan().month;
    let sum: f64 = month.terms.iter().map(|term| term.usd).sum();
    assert!((sum - month.usd).abs() < 1e-9);
    assert!(month.terms.is_sorted_by(|a, b| a.usd >= b.usd));
    assert_eq!(month.dominant, month.terms[0].name);
}

#[test]
fn one_notification_costs_its_part_of_what_notifications_cost() {
    let per_notification = |publishes: &str| {
        let args = args(&["-c", "300000", "--publishes-per-day", publishes]);
        args.plan().month.usd_per_notification
    };
    let (ten, forty) = (
        per_notification("10").unwrap(),
        per_notification("40").unwrap(),
    );
    assert!((ten - forty).abs() < 1e-9, "{ten} and {forty}");
    assert_eq!(per_notification("0"), None);
}

#[test]
fn more_than_the_quotas_take_is_warned_of() {
    let text = args(&["-c", "4000000", "--publishes-per-day", "1000"]).write();
    assert!(text.contains("so many cannot be held"), "{text}");
    assert!(text.contains("more than the quota"), "{text}");
    assert!(!args(&QUOTED).write().contains("warning"));
}

#[test]
fn a_wrong_value_is_told_what_would_be_right() {
    assert_eq!(
        parse_hours("25").unwrap_err(),
        "expected a number of hours from 0 to 24, got \"25\""
    );
    assert!(parse_hours("NaN").is_err());
    let too_large = Line::try_parse_from(["plan", "-c", "5", "--payload", "131073"]);
    assert!(too_large.is_err());
}
