use super::*;
use crate::peers::measurement::Ending;
use crate::process::Usage;

const CALM: Scenario = Scenario {
    connections: 10_000,
    push_takes: Duration::from_millis(10),
    is_faulty: false,
};

fn run(seconds: f64, cpu_seconds: f64, reached: u64) -> Measurement {
    Measurement {
        living: 10_000,
        reached,
        duplicates: 0,
        last_delivery: Some(Duration::from_secs_f64(seconds)),
        usage: Usage {
            cpu: Duration::from_secs_f64(cpu_seconds),
            peak_bytes: 90_000_000,
        },
        processes: 1,
        rows_deleted: 0,
        ending: Ending::Answered {
            status: 200,
            body: String::new(),
        },
    }
}

fn report(scenario: Scenario, runs: Runs) -> Report {
    let mut machine = Machine::default();
    machine.host.cpu_model = Some("a processor".to_owned());
    machine.host.cores = Some(2);
    machine.load_average = Some(0.25);
    let runtimes = BTreeMap::from([(Contestant::NodeSequential, "Node.js 20.0.0".to_owned())]);
    let left_out = vec!["Python: python3 is not installed".to_owned()];
    Report::new(machine, &runtimes, left_out, vec![(scenario, runs)])
}

fn calm() -> Runs {
    vec![
        (
            Contestant::NodeSequential,
            vec![
                run(130.0, 9.0, 10_000),
                run(120.0, 8.0, 10_000),
                run(125.0, 8.5, 10_000),
            ],
        ),
        (
            Contestant::NodePromiseAll,
            vec![run(8.0, 7.0, 10_000), run(9.0, 7.5, 10_000)],
        ),
        (Contestant::PythonThreads, Vec::new()),
        (Contestant::Pipeline, vec![run(2.0, 1.0, 10_000)]),
    ]
}

#[test]
fn ratios_are_of_medians_by_the_pipelines() {
    let report = report(CALM, calm());
    let rows = &report.tables[0].rows;
    assert_eq!(rows.len(), 3, "who has no run has no row");
    assert_eq!(rows[0].times_as_long, Some(62.5));
    assert_eq!(rows[0].times_the_cpu, Some(8.5));
    assert_eq!(rows[1].times_as_long, Some(4.25));
    assert_eq!(rows[2].times_as_long, Some(1.0));
}

#[test]
fn goals_are_of_the_sequential_one_and_of_the_best_on_node() {
    let goals = report(CALM, calm()).goals;
    let measured: Vec<_> = goals.iter().map(|goal| goal.measured).collect();
    assert_eq!(measured, [62.5, 7.25]);
    assert!(goals.iter().all(|goal| goal.is_met));
    let smaller = Scenario {
        connections: 1_000,
        ..CALM
    };
    assert_eq!(report(smaller, calm()).goals, []);
}

#[test]
fn who_did_not_reach_everybody_has_no_time_to_compare() {
    let mut runs = calm();
    runs[0].1[1].reached = 87;
    let report = report(CALM, runs);
    assert_eq!(report.tables[0].rows[0].times_as_long, None);
    assert_eq!(report.goals.len(), 1);
    assert!(report.is_pipeline_complete());
}

#[test]
fn calm_table_with_goals_as_markdown() {
    insta::assert_snapshot!(report(CALM, calm()));
}

#[test]
fn faulty_table_as_markdown() {
    let faulty = Scenario {
        is_faulty: true,
        ..CALM
    };
    let ended = |ending: Ending, reached: u64, rows_deleted: u64| Measurement {
        living: 9_900,
        rows_deleted,
        ending,
        ..run(1.0, 1.0, reached)
    };
    let dead = |reached| {
        ended(
            Ending::Threw("GoneException: Unknown".to_owned()),
            reached,
            0,
        )
    };
    let settled = Ending::Settled {
        state: "done".to_owned(),
        accepted: 9_900,
        gone: 100,
        failed: 0,
    };
    let runs = vec![
        (Contestant::NodeSequential, vec![dead(87), dead(12)]),
        (Contestant::Pipeline, vec![ended(settled, 9_900, 100)]),
    ];
    let text = report(faulty, runs).tables[0].to_string();
    insta::assert_snapshot!(text);
}

#[test]
fn json_of_a_run_names_its_units() {
    insta::assert_json_snapshot!(run(1.5, 0.25, 10_000));
}
