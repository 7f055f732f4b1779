//! The pipeline beside the handlers that one would write instead: those of the
//! tutorials in Node, and the same in Python.
//!
//! Everybody gets a local stack of its own for each run: the same table of
//! simulated subscribers, and the same gateway, which takes as long for a push
//! as it is told to, and counts and times what it takes.

mod competition;
mod contestant;
mod install;
mod measurement;
mod peer;
mod pipeline;
mod report;
mod scenario;

use std::time::Duration;

use anyhow::{bail, ensure};
use clap::{Args, ValueEnum};
use fanout_loadtest::units::parse_duration;

use self::competition::Competition;
use self::contestant::Contestant;
use self::scenario::Scenario;
use crate::harness::Harness;
use crate::machine::Machine;

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
    /// How long the gateway takes for a push
    #[arg(long, value_name = "TIME", default_value = "10ms", value_parser = whole_millis)]
    push_takes: Duration,
    /// Who takes part [default: everybody]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<Contestant>,
    /// One round of at most 1,000 connections, which takes a minute
    #[arg(long, conflicts_with_all = ["connections", "faulty_connections", "rounds"])]
    quick: bool,
    #[command(flatten)]
    harness: Harness,
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
        if self.quick { 1 } else { self.harness.rounds }
    }

    fn contestants(&self) -> Vec<Contestant> {
        let takes_part =
            |contestant: &Contestant| self.only.is_empty() || self.only.contains(contestant);
        let all = Contestant::value_variants().iter().copied();
        all.filter(takes_part).collect()
    }
}

/// The stack's faults take no less.
fn whole_millis(text: &str) -> Result<Duration, String> {
    let span = parse_duration(text).map_err(|error| error.to_string())?;
    if span.subsec_nanos().is_multiple_of(1_000_000) {
        Ok(span)
    } else {
        Err("expected whole milliseconds".to_owned())
    }
}

/// Runs every comparison and prints it; interrupted, what there is of it.
///
/// # Errors
/// The local stack cannot be built or started, or does not answer; the pipeline
/// did not reach everybody; or it was interrupted.
pub(crate) async fn compare(options: &Options) -> anyhow::Result<()> {
    let measuring = options.harness.report(async |interrupt| {
        let machine = Machine::this();
        let preparing = Competition::prepare(options);
        let mut competition = tokio::select! {
            prepared = preparing => prepared?,
            () = interrupt.cancelled() => bail!("interrupted"),
        };
        competition.run(interrupt).await?;
        Ok(competition.report(machine))
    });
    let report = measuring.await?;
    ensure!(
        report.is_pipeline_complete(),
        "the pipeline did not reach everybody"
    );
    Ok(())
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
    fn a_push_takes_whole_milliseconds() {
        assert_eq!(whole_millis("1.5s"), Ok(Duration::from_millis(1_500)));
        assert!(whole_millis("1.5ms").is_err() && whole_millis("soon").is_err());
    }

    #[test]
    fn some_can_be_chosen() {
        let options = parse(&["--only", "pipeline,node-limit-64", "--faulty-connections=0"]);
        let expected = [Contestant::NodeLimit64, Contestant::Pipeline];
        assert_eq!(options.contestants(), expected);
        assert!(sizes(&options).iter().all(|(_, is_faulty)| !is_faulty));
    }
}
