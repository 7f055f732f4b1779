//! Small notifications beside their floor: the same hops with handlers that do
//! nothing, on the same machine at the same moments.

mod measurement;
mod report;
mod subscribers;

use std::num::NonZeroU32;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio_util::sync::CancellationToken;

use self::measurement::Measurement;
use self::report::Report;
use crate::harness::{Harness, on_a_stack};
use crate::hollow;
use crate::machine::Machine;

/// What is ordered, and how fast.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// How many sockets each order is pushed to
    #[arg(long, value_name = "N", default_value_t = 5,
        value_parser = clap::value_parser!(u16).range(1..=100))]
    subscribers: u16,
    /// How many orders each of the two stacks gets in a round
    #[arg(long, value_name = "N", default_value_t = 500,
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    orders: u32,
    /// How many more it gets before, which are not measured
    #[arg(long, value_name = "N", default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(..=10_000))]
    warm_up: u32,
    /// Orders a second, for each of the two
    #[arg(long, value_name = "RATE", default_value = "20")]
    rate: NonZeroU32,
    #[command(flatten)]
    harness: Harness,
}

impl Options {
    /// From one order to the next, of each stack.
    fn period(&self) -> Duration {
        Duration::from_secs(1) / self.rate.get()
    }
}

/// Orders in turn from the real functions and from the empty ones, and prints
/// how long each took; interrupted, what there is of it.
///
/// # Errors
/// A stack cannot be built or started, or does not answer; somebody was not
/// reached; or it was interrupted.
pub(crate) async fn compare(options: &Options) -> anyhow::Result<()> {
    let measuring = options.harness.report(async |interrupt| {
        let machine = Machine::this();
        let measured = measure_all(options, interrupt).await?;
        Ok(Report::new(machine, options, measured))
    });
    measuring.await.map(drop)
}

async fn measure_all(
    options: &Options,
    interrupt: &CancellationToken,
) -> anyhow::Result<Vec<Measurement>> {
    let stack = options.harness.stack.executable().await?;
    let directory = tempfile::tempdir().context("cannot make a directory for the functions")?;
    hollow::write_to(directory.path())?;
    let path = directory.path().to_str().context("the path is not UTF-8")?;
    let real_options = ["--log", "error"].map(str::to_owned);
    let hollow_options = ["--log", "error", "--functions", path].map(str::to_owned);
    let mut measured = Vec::new();
    for round in 1..=options.harness.rounds {
        // Only the inner one is interrupted: it stops its stack in its time, and
        // then the outer one does.
        let never = CancellationToken::new();
        let running = on_a_stack(&stack, &real_options, &never, async |real| {
            on_a_stack(&stack, &hollow_options, interrupt, async |hollow| {
                measurement::measure(options, real, hollow).await
            })
            .await
        });
        let Some(run) = running.await?.flatten() else {
            break;
        };
        eprintln!("round {round} of {}: {run}", options.harness.rounds);
        measured.push(run);
    }
    Ok(measured)
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
    fn five_subscribers_get_twenty_orders_a_second() {
        let options = Cli::try_parse_from(["small"]).unwrap().options;
        assert_eq!((options.subscribers, options.orders), (5, 500));
        assert_eq!(options.period(), Duration::from_millis(50));
    }
}
