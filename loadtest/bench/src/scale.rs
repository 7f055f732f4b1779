//! What a delivery costs as the audience grows, where no quota holds it up.

mod measurement;
mod report;
mod tally;

use std::path::Path;

use anyhow::Context as _;
use clap::Args;
use tokio_util::sync::CancellationToken;

pub(crate) use self::measurement::Measurement;
use self::report::Report;
use self::tally::Tallies;
use crate::figures::thousands;
use crate::harness::{Harness, Workers, on_a_stack, stack_options};
use crate::machine::Machine;
use crate::stack::Stack;
use crate::tasks;

/// Which audiences are measured.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// How many simulated subscribers there are, one table row for each
    #[arg(short = 'c', long, value_name = "N", value_delimiter = ',',
        default_value = "1000,10000,100000,1000000",
        value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    connections: Vec<u32>,
    #[command(flatten)]
    workers: Workers,
    #[command(flatten)]
    harness: Harness,
}

/// Runs every broadcast and prints what a delivery costs; interrupted, what
/// there is of it.
///
/// # Errors
/// The stack cannot be built or started, or does not answer; somebody was not
/// reached; or it was interrupted.
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
) -> anyhow::Result<Vec<(u32, Vec<Measurement>)>> {
    let stack = options.harness.stack.executable().await?;
    let sizes = options.connections.iter();
    let mut measured: Vec<_> = sizes.map(|size| (*size, Vec::new())).collect();
    for round in 1..=options.harness.rounds {
        for (connections, runs) in &mut measured {
            let running = on_a_counted_stack(
                &stack,
                *connections,
                &options.workers,
                interrupt,
                async |stack, tallies| measurement::measure(stack, tallies, *connections).await,
            );
            let subscribers = || format!("{} subscribers", thousands((*connections).into()));
            let Some(run) = running.await.with_context(subscribers)? else {
                return Ok(measured);
            };
            eprintln!(
                "round {round} of {}, {}: {:.2} s",
                options.harness.rounds,
                subscribers(),
                run.wall.as_secs_f64(),
            );
            runs.push(run);
        }
    }
    Ok(measured)
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
    let options = options_of_stack(connections, &tallies, workers);
    on_a_stack(executable, &options, interrupt, async |stack| {
        tallies.lead_to(stack.addresses())?;
        measure(stack, &tallies).await
    })
    .await
}

fn options_of_stack(connections: u32, tallies: &Tallies, workers: &Workers) -> Vec<String> {
    let mut options = stack_options(&[
        ["--simulated", &connections.to_string()],
        ["--account-rate", "unlimited"],
        ["--log", tasks::LOG],
    ]);
    for variable in tallies.environment() {
        options.extend(stack_options(&[["--env", &variable]]));
    }
    options.extend(workers.stack_options());
    options
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

    #[tokio::test]
    async fn no_quota_holds_the_stack_up_and_what_it_asks_is_counted() {
        let options = Cli::try_parse_from(["scale"]).unwrap().options;
        assert_eq!(options.connections, [1_000, 10_000, 100_000, 1_000_000]);
        let tallies = Tallies::start().await.unwrap();
        let stack_options = options_of_stack(1_000, &tallies, &options.workers).join(" ");
        assert!(stack_options.starts_with("--simulated 1000 --account-rate unlimited"));
        for name in ["DYNAMODB", "SQS"] {
            let variable = format!("--env AWS_ENDPOINT_URL_{name}=http://127.0.0.1:");
            assert!(stack_options.contains(&variable), "{stack_options}");
        }
    }
}
