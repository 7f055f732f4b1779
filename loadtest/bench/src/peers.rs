//! The pipeline beside the handlers that one would write instead: those of the
//! tutorials in Node, and the same in Python.
//!
//! Everybody gets a local stack of its own for each run: the same table of
//! simulated subscribers, and the same gateway, which takes as long for a push
//! as it is told to, and counts and times what it takes.

mod client;
mod complaints;
mod contestant;
mod install;
mod measurement;
mod peer;
mod pipeline;
mod process;
mod report;
mod scenario;
mod stack;
mod statistics;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use fanout_loadtest::machine::host::Host;
use fanout_loadtest::units::parse_duration;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::contestant::{Contestant, Runtime};
use self::install::Installed;
use self::measurement::Measurement;
use self::peer::Peer;
use self::report::{Report, Runs};
use self::scenario::Scenario;
use self::stack::Stack;

const AFTER_HELP: &str = "\
The handlers' SDKs are installed from their lock files on first use, which needs \
Node 20 or newer with npm, Python 3 with venv and pip, and the network; who lacks \
one of them sees the rest. As it stands it takes about a quarter of an hour, most \
of it for one push after the other at 10,000 connections.";

/// What is compared.
#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Options {
    /// How many connections the table has, one comparison for each
    #[arg(short = 'c', long, value_name = "N", value_delimiter = ',', default_value = "100,1000,10000",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    connections: Vec<u32>,
    /// How many it has where 1 % of them are gone and 5 % of the calls are
    /// throttled; 0 for no such comparison
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1000,10000",
        value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    faulty_connections: Vec<u32>,
    /// How often each run is repeated, in turn with the others
    #[arg(long, value_name = "N", default_value_t = 3,
        value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// How long the gateway takes for a push
    #[arg(long, value_name = "TIME", default_value = "10ms", value_parser = parse_duration)]
    push_takes: Duration,
    /// Who takes part [default: everybody]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<Contestant>,
    /// One round of at most 1,000 connections, which takes a minute
    #[arg(long, conflicts_with_all = ["connections", "faulty_connections", "rounds"])]
    quick: bool,
    /// The executable of the local stack [default: built with --release]
    #[arg(long, value_name = "FILE")]
    stack: Option<PathBuf>,
    /// How the comparison is written to stdout
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    output_format: OutputFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OutputFormat {
    /// Markdown tables
    Text,
    /// One JSON object with every run
    Json,
}

impl Options {
    fn scenarios(&self) -> Vec<Scenario> {
        let of = |connections, is_faulty| Scenario {
            connections,
            push_takes: self.push_takes,
            is_faulty,
        };
        let allowed = if self.quick { 1..=1_000 } else { 1..=u32::MAX };
        let calm = self.connections.iter().map(|size| of(*size, false));
        let faulty = self.faulty_connections.iter().map(|size| of(*size, true));
        calm.chain(faulty)
            .filter(|scenario| allowed.contains(&scenario.connections))
            .collect()
    }

    fn rounds(&self) -> u16 {
        if self.quick { 1 } else { self.rounds }
    }

    fn contestants(&self) -> Vec<Contestant> {
        let takes_part =
            |contestant: &Contestant| self.only.is_empty() || self.only.contains(contestant);
        let all = Contestant::value_variants().iter().copied();
        all.filter(takes_part).collect()
    }
}

/// Runs every comparison and prints it; interrupted, what there is of it.
///
/// # Errors
/// The local stack cannot be built or started, or does not answer; or the
/// pipeline did not reach everybody.
pub(crate) async fn run(options: &Options, interrupt: &CancellationToken) -> anyhow::Result<()> {
    let load_average = process::load_average();
    let preparing = Competition::prepare(options);
    let mut competition = tokio::select! {
        prepared = preparing => prepared?,
        () = interrupt.cancelled() => return Ok(()),
    };
    competition.run(interrupt).await?;
    let report = competition.report(load_average);
    match options.output_format {
        OutputFormat::Text => print!("{report}"),
        OutputFormat::Json => println!("{}", serde_json::to_string_pretty(&report)?),
    }
    anyhow::ensure!(
        report.is_pipeline_complete(),
        "the pipeline did not reach everybody"
    );
    Ok(())
}

/// Everything that the runs need, and what they have shown.
struct Competition {
    stack: PathBuf,
    rounds: u16,
    runtimes: Vec<(Runtime, Installed)>,
    versions: BTreeMap<Contestant, String>,
    left_out: Vec<String>,
    measured: Vec<(Scenario, Runs)>,
}

impl Competition {
    async fn prepare(options: &Options) -> anyhow::Result<Self> {
        let mut contestants = options.contestants();
        let (mut runtimes, mut left_out) = (Vec::new(), Vec::new());
        for runtime in [Runtime::Node, Runtime::Python] {
            let runs_on = |one: &Contestant| {
                one.handler()
                    .is_some_and(|handler| handler.runtime == runtime)
            };
            if !contestants.iter().any(runs_on) {
                continue;
            }
            match Installed::of(runtime).await {
                Ok(installed) => runtimes.push((runtime, installed)),
                Err(error) => {
                    eprintln!("left out: {runtime:?}: {error:#}");
                    left_out.push(format!("{runtime:?}: {error:#}"));
                    contestants.retain(|one| !runs_on(one));
                }
            }
        }
        let runs = || contestants.iter().map(|one| (*one, Vec::new())).collect();
        let scenarios = options.scenarios().into_iter();
        Ok(Self {
            stack: match &options.stack {
                Some(stack) => stack.clone(),
                None => Stack::build().await?,
            },
            rounds: options.rounds(),
            runtimes,
            versions: BTreeMap::new(),
            left_out,
            measured: scenarios.map(|scenario| (scenario, runs())).collect(),
        })
    }

    /// Runs everybody in turn, in another order in each round, so that nobody
    /// always follows the same one.
    async fn run(&mut self, interrupt: &CancellationToken) -> anyhow::Result<()> {
        for round in 0..self.rounds {
            for at in 0..self.measured.len() {
                let Some((scenario, runs)) = self.measured.get(at) else {
                    continue;
                };
                let scenario = *scenario;
                let mut order: Vec<Contestant> = runs.iter().map(|(one, _)| *one).collect();
                let first = usize::from(round) % order.len().max(1);
                order.rotate_left(first);
                for contestant in order {
                    let measured = self.measure(contestant, scenario, round, interrupt).await;
                    let running = || format!("{contestant}: {scenario}");
                    let Some(measurement) = measured.with_context(running)? else {
                        return Ok(());
                    };
                    self.note(at, contestant, round, measurement);
                }
            }
        }
        Ok(())
    }

    /// Runs one contestant once; `None` if that was interrupted.
    async fn measure(
        &mut self,
        contestant: Contestant,
        scenario: Scenario,
        round: u16,
        interrupt: &CancellationToken,
    ) -> anyhow::Result<Option<Measurement>> {
        let stack = Stack::start(&self.stack, &scenario, round.into()).await?;
        let measured = tokio::select! {
            measured = self.measure_on(&stack, contestant, &scenario) => measured.map(Some),
            () = interrupt.cancelled() => Ok(None),
        };
        stack.stop().await;
        measured
    }

    async fn measure_on(
        &mut self,
        stack: &Stack,
        contestant: Contestant,
        scenario: &Scenario,
    ) -> anyhow::Result<Measurement> {
        let Some(handler) = contestant.handler() else {
            return pipeline::measure(stack, scenario, &order()).await;
        };
        let mut runtimes = self.runtimes.iter();
        let installed = runtimes.find(|(runtime, _)| *runtime == handler.runtime);
        let (_, installed) = installed.context("its runtime is not installed")?;
        let peer = Peer::start(installed.command(handler, stack)).await?;
        self.versions.insert(contestant, peer.runtime().to_owned());
        peer.measure(stack, scenario, &order()).await
    }

    /// Keeps a measurement, and says on stderr how it went.
    fn note(&mut self, at: usize, contestant: Contestant, round: u16, measurement: Measurement) {
        let Some((scenario, runs)) = self.measured.get_mut(at) else {
            return;
        };
        let last = measurement.last_delivery.unwrap_or_default();
        eprintln!(
            "round {} of {}, {scenario}: {contestant}: {} of {} in {:.2} s, {:.2} s of CPU, {}",
            round + 1,
            self.rounds,
            measurement.reached,
            measurement.living,
            last.as_secs_f64(),
            measurement.usage.cpu.as_secs_f64(),
            measurement.ending,
        );
        let runs = runs.iter_mut().find(|(one, _)| *one == contestant);
        if let Some((_, runs)) = runs {
            runs.push(measurement);
        }
    }

    fn report(self, load_average: Option<f64>) -> Report {
        let host = Host::this();
        Report::new(
            host,
            load_average,
            &self.versions,
            self.left_out,
            self.measured,
        )
    }
}

/// What everybody is told of.
fn order() -> Value {
    json!({"bookId": 123, "title": "The Pragmatic Programmer", "quantity": 1})
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    fn parse(arguments: &[&str]) -> Options {
        let arguments = std::iter::once(&"peers").chain(arguments);
        Cli::try_parse_from(arguments).unwrap().options
    }

    fn sizes(options: &Options) -> Vec<(u32, bool)> {
        let scenarios = options.scenarios().into_iter();
        scenarios
            .map(|scenario| (scenario.connections, scenario.is_faulty))
            .collect()
    }

    #[test]
    fn everybody_takes_part_at_three_sizes_and_at_faulty_gateways() {
        let options = parse(&[]);
        let calm = [(100, false), (1_000, false), (10_000, false)];
        let faulty = [(1_000, true), (10_000, true)];
        assert_eq!(sizes(&options), [&calm[..], &faulty].concat());
        assert_eq!((options.contestants().len(), options.rounds()), (5, 3));
    }

    #[test]
    fn a_quick_comparison_is_one_round_of_the_smaller_ones() {
        let options = parse(&["--quick"]);
        let expected = [(100, false), (1_000, false), (1_000, true)];
        assert_eq!(sizes(&options), expected);
        assert_eq!(options.rounds(), 1);
    }

    #[test]
    fn some_can_be_chosen() {
        let options = parse(&["--only", "pipeline,node-limit-64", "--faulty-connections=0"]);
        let expected = [Contestant::NodeLimit64, Contestant::Pipeline];
        assert_eq!(options.contestants(), expected);
        assert!(sizes(&options).iter().all(|(_, is_faulty)| !is_faulty));
    }
}
