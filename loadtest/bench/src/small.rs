//! Small notifications beside their floors: the same hops with handlers that do
//! nothing, or nothing but ask the tables as often, on the same machine at the same
//! moments.

mod measurement;
mod report;
mod subscribers;

use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;

use self::measurement::{Measurement, Stacks};
use self::report::Report;
use crate::functions::Functions;
use crate::harness::{Harness, on_a_stack, stack_options};
use crate::hollow::{self, Asks};
use crate::machine::Machine;

/// What is ordered, and how fast.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// How many sockets each order is pushed to
    #[arg(long, value_name = "N", default_value_t = 5,
        value_parser = clap::value_parser!(u16).range(1..=100))]
    subscribers: u16,
    /// How many orders each of the stacks gets in a round
    #[arg(long, value_name = "N", default_value_t = 500,
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    orders: u32,
    /// How many more it gets before, which are not measured
    #[arg(long, value_name = "N", default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(..=10_000))]
    warm_up: u32,
    /// Orders a second, for each of them
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

/// Orders in turn from the real functions and from empty ones, and prints
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
    let asking_functions = hollow::functions(Asks::Tables)?;
    let hollow_functions = hollow::functions(Asks::Nothing)?;
    let real_options = stack_options(&[["--log", "error"]]);
    let with = |functions: &Functions| {
        let options = [real_options.clone(), functions.stack_options()?.to_vec()];
        anyhow::Ok(options.concat())
    };
    let [asking_options, hollow_options] = [with(&asking_functions)?, with(&hollow_functions)?];
    let mut measured = Vec::new();
    for round in 1..=options.harness.rounds {
        // Only the innermost is interrupted: it stops its stack in its time, and
        // then the outer ones do.
        let never = CancellationToken::new();
        let running = on_a_stack(&stack, &real_options, &never, async |real| {
            on_a_stack(&stack, &asking_options, &never, async |asking| {
                on_a_stack(&stack, &hollow_options, interrupt, async |hollow| {
                    let stacks = Stacks {
                        real,
                        asking,
                        hollow,
                    };
                    measurement::measure(options, stacks).await
                })
                .await
            })
            .await
        });
        let Some(run) = running.await?.flatten().flatten() else {
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
