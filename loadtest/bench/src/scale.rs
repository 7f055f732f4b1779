//! What a delivery costs as the audience grows, where no quota holds it up.

mod counting;
mod measurement;
mod report;
mod tally;

use std::path::Path;

use anyhow::Context as _;
use clap::Args;
use tokio_util::sync::CancellationToken;

pub(crate) use self::counting::count as count_instructions;
pub(crate) use self::measurement::Measurement;
use self::report::{Report, Size};
use self::tally::Tallies;
use crate::harness::{Harness, Workers, on_a_stack, stack_options};
use crate::machine::Machine;
use crate::stack::Stack;
use crate::tasks;

/// A small audience has one worker too. Several beside the stack take each other's
/// places in the processor's caches, which is no cost of the work.
const SLICE_WORKERS: u16 = 1;

/// Instructions are counted of broadcasts to so many and fewer: those of a million
/// would take valgrind longer than everything else together.
const MOST_COUNTED: u32 = 100_000;

/// How many runs of one size a round has: those of large audiences, which are long,
/// have one.
const RUNS: u16 = 2;

/// Which audiences are measured.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// How many simulated subscribers there are, one table row for each
    #[arg(short = 'c', long, value_name = "N", value_delimiter = ',',
        default_value = "1000,10000,100000,1000000",
        value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    connections: Vec<u32>,
    /// Leaves out the instructions of the workers, which valgrind counts for up to
    /// 100,000
    #[arg(long)]
    no_counting: bool,
    #[command(flatten)]
    workers: Workers,
    #[command(flatten)]
    harness: Harness,
}

/// Runs every broadcast and prints what a delivery costs; interrupted, what
/// there is of it.
///
/// # Errors
/// Valgrind is not installed; the stack cannot be built or started, or does not
/// answer; somebody was not reached; or it was interrupted.
pub(crate) async fn compare(options: &Options) -> anyhow::Result<()> {
    let measuring = options.harness.report(async |interrupt| {
        let machine = Machine::this();
        let measured = measure_all(options, interrupt).await?;
        Ok(Report::new(machine, measured))
    });
    measuring.await.map(drop)
}

async fn measure_all(
    options: &Options,
    interrupt: &CancellationToken,
) -> anyhow::Result<Vec<Size>> {
    let harness = &options.harness;
    let workers = &options.workers.or_on_slices(SLICE_WORKERS);
    let stack = harness.stack.executable().await?;
    let mut sizes: Vec<_> = options.connections.iter().copied().map(Size::new).collect();
    // First, so that valgrind is missed at once.
    let counted = sizes
        .iter_mut()
        .filter(|size| !options.no_counting && size.connections <= MOST_COUNTED);
    for size in counted {
        let counting = count_instructions(&stack, size.connections, workers, interrupt);
        let Some(counted) = counting.await.with_context(|| size.to_string())? else {
            return Ok(sizes);
        };
        eprintln!("{size}: {counted}");
        size.instructions = Some(counted);
    }
    for round in 1..=harness.rounds {
        for turn in 0..RUNS {
            for size in sizes
                .iter_mut()
                .filter(|size| turn < runs_of(size.connections))
            {
                let connections = size.connections;
                let measuring = on_a_counted_stack(
                    &stack,
                    connections,
                    workers,
                    interrupt,
                    async |stack, tallies| measurement::measure(stack, tallies, connections).await,
                );
                let Some(mut run) = measuring.await.with_context(|| size.to_string())? else {
                    return Ok(sizes);
                };
                run.turn = round * RUNS + turn;
                let took = run.wall.as_secs_f64();
                eprintln!("round {round} of {}, {size}: {took:.2} s", harness.rounds);
                size.runs.push(run);
            }
        }
    }
    Ok(sizes)
}

/// How many runs of a size there are in a round.
fn runs_of(connections: u32) -> u16 {
    if connections > 1_000_000 / u32::from(RUNS) {
        1
    } else {
        RUNS
    }
}

/// Starts a stack without a quota, and broadcasts once, with nothing before that
/// might ask for more; `None` if it was interrupted.
///
/// # Errors
/// The stack does not start, or does not answer, or somebody was not reached.
pub(crate) async fn once(
    executable: &Path,
    connections: u32,
    workers: &Workers,
    interrupt: &CancellationToken,
) -> anyhow::Result<Option<Measurement>> {
    on_a_counted_stack(
        executable,
        connections,
        workers,
        interrupt,
        async |stack, tallies| measurement::repeat(stack, tallies, connections, 1).await,
    )
    .await
}

async fn on_a_counted_stack(
    executable: &Path,
    connections: u32,
    workers: &Workers,
    interrupt: &CancellationToken,
    measure: impl AsyncFnOnce(&Stack, &Tallies) -> anyhow::Result<Measurement>,
) -> anyhow::Result<Option<Measurement>> {
    let tallies = Tallies::start().await?;
    let mut options = stack_options_for(connections, workers);
    options.extend(asking_of(&tallies));
    on_a_stack(executable, &options, interrupt, async |stack| {
        tallies.lead_to(stack.addresses())?;
        measure(stack, &tallies).await
    })
    .await
}

/// The options of a stack without a quota.
fn stack_options_for(connections: u32, workers: &Workers) -> Vec<String> {
    let mut options = stack_options(&[
        ["--simulated", &connections.to_string()],
        ["--account-rate", "unlimited"],
        ["--log", tasks::LOG],
    ]);
    options.extend(workers.stack_options());
    options
}

/// The options of a stack whose functions ask where it is counted.
fn asking_of(tallies: &Tallies) -> Vec<String> {
    let variables = tallies.environment();
    variables
        .iter()
        .flat_map(|variable| stack_options(&[["--env", variable]]))
        .collect()
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

    #[test]
    fn no_quota_holds_the_stack_up() {
        let options = Cli::try_parse_from(["scale"]).unwrap().options;
        assert_eq!(options.connections, [1_000, 10_000, 100_000, 1_000_000]);
        let stack_options = stack_options_for(1_000, &options.workers).join(" ");
        assert!(stack_options.starts_with("--simulated 1000 --account-rate unlimited"));
    }

    #[tokio::test]
    async fn what_functions_ask_is_counted() {
        let tallies = Tallies::start().await.unwrap();
        let stack_options = asking_of(&tallies).join(" ");
        for name in ["DYNAMODB", "SQS"] {
            let variable = format!("--env AWS_ENDPOINT_URL_{name}=http://127.0.0.1:");
            assert!(stack_options.contains(&variable), "{stack_options}");
        }
    }

    #[test]
    fn a_million_runs_once_and_less_more_often() {
        let runs = [20, 100_000, 500_000, 1_000_000, 10_000_000].map(runs_of);
        assert_eq!(runs, [2, 2, 2, 1, 1]);
    }
}
