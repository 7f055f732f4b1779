use http::HeaderMap;
use serde_json::Value;

use super::*;
use crate::{
    recorder::{Bounds, Recorder},
    report::{
        AskedFor,
        fixtures::{document, measurements, origin, record, report, settings},
    },
    settings::Settings,
};

const SCHEMA: &str = include_str!("../../../schema/report.schema.json");

fn validator() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

#[track_caller]
fn check(document: &Document) {
    let json: Value = serde_json::from_str(&document.to_json()).unwrap();
    let problems: Vec<_> = validator()
        .iter_errors(&json)
        .map(|problem| format!("{}: {problem}", problem.instance_path()))
        .collect();
    assert_eq!(problems, Vec::<String>::new());
}

fn of_nothing() -> Document {
    let nothing = Recorder::new(1_000, Bounds::default()).finish();
    let mut origin = origin();
    origin.tool.rustc = None;
    origin.machine = Host::default();
    let report = Report {
        origin,
        run: None,
        settings: AskedFor::from(&Settings {
            publish: None,
            ..settings()
        }),
        ..report(nothing, None)
    };
    Document::new(&report, Vec::new())
}

#[test]
fn json_holds_every_figure() {
    let mut document = document();
    document.latency_distribution.truncate(3);
    document.service_time_distribution.truncate(3);
    insta::assert_snapshot!(document.to_json());
}

#[test]
fn csv_is_one_row_a_run() {
    let csv = document().to_csv();
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines.len(), 2);
    let nothing = of_nothing().to_csv();
    assert_eq!(nothing.lines().next(), lines.first().copied());
    insta::assert_snapshot!(csv);
}

#[test]
fn page_holds_the_figures_as_text_and_as_charts() {
    let style = include_str!("../html/page.css");
    let page = document().to_html();
    assert!(page.contains(style));
    insta::assert_snapshot!(page.replace(style, ""));
}

#[test]
fn page_of_a_run_without_figures_says_so() {
    let page = of_nothing().to_html();
    assert_eq!(page.matches("<p>Nothing arrived.</p>").count(), 4);
}

#[test]
fn page_fetches_and_runs_nothing() {
    let page = document().to_html();
    for foreign in ["<script", "<link", "src=", "url(", "@import", "href="] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}

#[test]
fn text_of_others_is_no_markup() {
    let mut document = document();
    let hostile = || "<img src=x onerror=alert(1)>\"'&".to_owned();
    document.settings.ws = hostile();
    document.settings.header_names = vec![hostile()];
    document.machine.cpu_model = Some(hostile());
    document.machine.kernel = Some(hostile());
    document.first_publish_error = Some(hostile());
    document.first_connect_error = Some(hostile());
    document.objectives[0].objective = hostile();
    document.bottlenecks = vec![hostile()];
    document.settings.publish = Some(hostile());
    document.settings.simulated = Some(hostile());
    document.ledger = Some(Ledger::Unavailable {
        location: hostile(),
        reason: hostile(),
    });
    let page = document.to_html();
    assert!(!page.contains("<img"));
    assert_eq!(page.matches("&lt;img").count(), 12);
}

#[test]
fn real_reports_are_as_the_schema_says() {
    check(&document());
    check(&of_nothing());
}

#[test]
fn schema_refuses_what_is_no_report() {
    let json: Value = serde_json::from_str(&document().to_json()).unwrap();
    let refuses = |change: &dyn Fn(&mut Value)| {
        let mut changed = json.clone();
        change(&mut changed);
        !validator().is_valid(&changed)
    };
    assert!(refuses(&|json| json["schema_version"] = 2.into()));
    assert!(refuses(&|json| json["latency_us"]["p50"] = (-1).into()));
    assert!(refuses(&|json| json["outcome"] = "fine".into()));
    assert!(refuses(&|json| json["finished_at"] = Value::Null));
    for name in json.as_object().unwrap().keys() {
        let remove = |json: &mut Value| {
            json.as_object_mut().unwrap().remove(name);
        };
        assert!(refuses(&remove), "{name} may be absent");
    }
    // A later release may add to it.
    assert!(!refuses(&|json| json["counts"]["later"] = 5.into()));
}

#[test]
fn a_report_written_is_read_back() {
    for document in [document(), of_nothing()] {
        let json = document.to_json();
        assert_eq!(Document::from_json(&json).unwrap().to_json(), json);
    }
}

#[test]
fn secrets_are_not_told() {
    let settings = Settings {
        ws: "ws://user:hush@h/p?token=hush".parse().unwrap(),
        publish: "http://h/orders?key=hush".parse().ok(),
        simulated: "http://user:hush@h/simulated".parse().ok(),
        headers: HeaderMap::from_iter([(
            http::header::AUTHORIZATION,
            "Bearer hush".parse().unwrap(),
        )]),
        ..settings()
    };
    let report = Report {
        settings: AskedFor::from(&settings),
        ..report(measurements(), Some(record()))
    };
    let document = Document::new(&report, Vec::new());
    assert_eq!(document.settings.header_names, ["authorization"]);
    for text in [
        report.to_text(),
        document.to_json(),
        document.to_csv(),
        document.to_html(),
    ] {
        assert!(!text.contains("hush"), "{text}");
    }
}
