//! Broadcasts beside the floor: what the account's quota allows, and nothing
//! else would make faster.
//!
//! The account's bucket is enforced by the local stack's gateway. The smallest
//! broadcast is to real sockets; larger ones are to simulated subscribers, whose
//! pushes are the same requests.

mod audience;
mod measurement;
mod memory;
mod report;

use std::num::NonZeroU32;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::Args;
use tokio_util::sync::CancellationToken;

use self::audience::Audience;
use self::measurement::Measurement;
use self::report::Report;
use crate::harness::{Harness, Workers, on_a_stack, stack_options};
use crate::machine::Machine;
use crate::stack::{self, Profile};
use crate::tasks;

/// Which broadcasts are measured, and at which quota.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// How many real sockets the first broadcast is to; 0 for no such one. The
    /// stack keeps 2,000 of its open files for other things, so that a limit of
    /// 20,000 allows 18,000
    #[arg(long, value_name = "N", default_value_t = 18_000,
        value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    sockets: u32,
    /// How many simulated subscribers are beside the sockets
    #[arg(long, value_name = "N", default_value_t = 2_000,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    beside_sockets: u32,
    /// How many simulated subscribers each of the other broadcasts is to
    #[arg(short = 'c', long, value_name = "N", value_delimiter = ',', default_value = "100000,1000000",
        value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    connections: Vec<u32>,
    #[command(flatten)]
    quota: Quota,
    /// The part of the quota that is for small notifications; broadcasts get the
    /// rest
    #[arg(long, value_name = "PERCENT", default_value_t = 1,
        value_parser = clap::value_parser!(u8).range(1..=99))]
    notifications_share: u8,
    #[command(flatten)]
    workers: Workers,
    #[command(flatten)]
    harness: Harness,
    /// The executable of the load test, which opens the sockets [default: built
    /// with --release]
    #[arg(long, value_name = "FILE")]
    loadtest: Option<PathBuf>,
}

/// The account's bucket.
#[derive(Clone, Copy, Debug, Args, serde::Serialize)]
pub(crate) struct Quota {
    /// Requests a second that the account allows
    #[arg(long = "account-rate", value_name = "RATE", default_value = "10000")]
    pub(crate) rate: NonZeroU32,
    /// Requests that the account allows at once
    #[arg(
        long = "account-burst",
        value_name = "REQUESTS",
        default_value = "5000"
    )]
    pub(crate) burst: NonZeroU32,
}

impl Options {
    fn audiences(&self) -> Vec<Audience> {
        let sockets = (self.sockets > 0).then_some(Audience {
            sockets: self.sockets,
            simulated: self.beside_sockets,
        });
        let simulated = self.connections.iter().map(|simulated| Audience {
            sockets: 0,
            simulated: *simulated,
        });
        sockets.into_iter().chain(simulated).collect()
    }

    fn stack_options(&self, audience: Audience) -> Vec<String> {
        let mut options = stack_options(&[
            ["--simulated", &audience.simulated.to_string()],
            ["--account-rate", &self.quota.rate.to_string()],
            ["--account-burst", &self.quota.burst.to_string()],
            [
                "--notifications-share",
                &self.notifications_share.to_string(),
            ],
            ["--log", tasks::LOG],
        ]);
        options.extend(self.workers.stack_options());
        options
    }
}

/// Runs every broadcast and prints how far above the floor it is; interrupted,
/// what there is of it.
///
/// # Errors
/// The stack cannot be built or started, or does not answer; somebody was not
/// reached; or it was interrupted.
pub(crate) async fn compare(options: &Options) -> anyhow::Result<()> {
    let measuring = options.harness.report(async |interrupt| {
        let machine = Machine::this();
        let measured = measure_all(options, interrupt).await?;
        Ok(Report::new(machine, options.quota, measured))
    });
    let report = measuring.await?;
    ensure!(report.is_complete(), "somebody was not reached");
    Ok(())
}

async fn measure_all(
    options: &Options,
    interrupt: &CancellationToken,
) -> anyhow::Result<Vec<(Audience, Vec<Measurement>)>> {
    let stack = options.harness.stack.executable().await?;
    let loadtest = match &options.loadtest {
        Some(executable) => executable.clone(),
        None if options.sockets == 0 => PathBuf::new(),
        None => stack::build("fanout-loadtest", Profile::Release).await?,
    };
    let audiences = options.audiences().into_iter();
    let mut measured: Vec<_> = audiences.map(|audience| (audience, Vec::new())).collect();
    for round in 1..=options.harness.rounds {
        for (audience, runs) in &mut measured {
            let stack_options = options.stack_options(*audience);
            let running = on_a_stack(&stack, &stack_options, interrupt, async |stack| {
                measurement::measure(stack, *audience, options.quota, &loadtest).await
            });
            let run = running.await.with_context(|| audience.to_string())?;
            let Some(run) = run else {
                return Ok(measured);
            };
            eprintln!(
                "round {round} of {}, {audience}: {} reached in {:.2} s, the floor is {:.2} s",
                options.harness.rounds,
                run.reached,
                run.last_delivery.unwrap_or_default().as_secs_f64(),
                audience.floor(options.quota).as_secs_f64(),
            );
            runs.push(run);
        }
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

    fn parse(arguments: &[&str]) -> Options {
        let arguments = std::iter::once(&"floor").chain(arguments);
        Cli::try_parse_from(arguments).unwrap().options
    }

    #[test]
    fn the_first_broadcast_is_to_sockets_and_the_others_are_larger() {
        let audiences = parse(&[]).audiences();
        let subscribers: Vec<_> = audiences
            .iter()
            .map(|audience| audience.subscribers())
            .collect();
        assert_eq!(subscribers, [20_000, 100_000, 1_000_000]);
        let sockets: Vec<_> = audiences.iter().map(|audience| audience.sockets).collect();
        assert_eq!(sockets, [18_000, 0, 0]);
        assert_eq!(parse(&["--sockets", "0", "-c", "7"]).audiences().len(), 1);
    }

    #[test]
    fn the_stack_enforces_the_quota_and_broadcasts_get_nearly_all_of_it() {
        let options = parse(&["--account-rate", "2500"]);
        let stack_options = options.stack_options(options.audiences()[0]).join(" ");
        for expected in [
            "--simulated 2000",
            "--account-rate 2500 --account-burst 5000 --notifications-share 1",
            "--slice-worker-concurrency 2",
        ] {
            assert!(stack_options.contains(expected), "{stack_options}");
        }
    }
}
