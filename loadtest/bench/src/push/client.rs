//! One run of one client.

use std::time::{Duration, Instant};

use anyhow::ensure;
use bytes::Bytes;
use clap::Args;
use fanout_core::aws::management_api::ManagementApi;
use fanout_core::aws::push_client::{self, PushClient};
use fanout_core::aws::{self};
use fanout_core::clock::Clock;
use fanout_core::connection::ConnectionId;
use fanout_core::push::{PushOutcome, Pusher};
use fanout_loadtest::machine::cpu_time;
use futures::stream::{FuturesUnordered, StreamExt as _};
use serde::{Deserialize, Serialize};

use super::Client;
use super::unsigned::Unsigned;

/// No push is given up: a run under valgrind takes its time.
const TIMEOUT: Duration = Duration::from_mins(5);
/// How many different connections are pushed to.
const CONNECTIONS: usize = 1_000;
/// Pushes before those that are measured, for each in flight: connections are
/// open by then, and memory is what it will be.
const WARM_UP: usize = 4;

/// What to run.
#[derive(Args)]
pub(crate) struct Options {
    client: Client,
    #[command(flatten)]
    run: Run,
    /// Reads no clock of CPU time, which valgrind does not have.
    #[arg(long)]
    untimed: bool,
}

/// How to push.
#[derive(Args, Clone)]
pub(crate) struct Run {
    /// The stage.
    #[arg(long)]
    pub(crate) endpoint: String,
    #[arg(long)]
    pub(crate) in_flight: usize,
    #[arg(long)]
    pub(crate) pushes: usize,
    #[arg(long)]
    pub(crate) payload: usize,
}

/// What the measured pushes took.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// CPU time of this process, in microseconds a push.
    pub(crate) cpu_micros: f64,
    pub(crate) pushes_per_second: f64,
}

/// Runs, and prints the cost as a line of JSON.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let Options {
        client,
        run,
        untimed,
    } = options;
    let cpu_clock = || if *untimed { Duration::ZERO } else { cpu_time() };
    let cost = match client {
        Client::Sdk => {
            let config = aws::load_config().await;
            let api = ManagementApi::new(&config, &run.endpoint, TIMEOUT);
            push_all(&api, run, cpu_clock).await?
        }
        Client::Own => {
            let config = aws::load_config().await;
            let settings = push_client::Settings {
                endpoint: run.endpoint.clone(),
                attempt_timeout: TIMEOUT,
                max_in_flight: run.in_flight,
            };
            let client = PushClient::new(&config, &settings, Clock::System)?;
            push_all(&client, run, cpu_clock).await?
        }
        Client::Unsigned => {
            let client = Unsigned::new(&run.endpoint)?;
            push_all(&client, run, cpu_clock).await?
        }
    };
    println!("{}", serde_json::to_string(&cost)?);
    Ok(())
}

async fn push_all(
    pusher: &impl Pusher,
    run: &Run,
    cpu_clock: impl Fn() -> Duration,
) -> anyhow::Result<Cost> {
    let payload = Bytes::from(vec![b'x'; run.payload]);
    let ids: Vec<_> = (0..CONNECTIONS).map(id).collect();
    let in_flight = run.in_flight;
    // Under valgrind the SDK gives up on some of many handshakes.
    push(pusher, &ids, &payload, in_flight, in_flight * WARM_UP).await;
    let (cpu, started) = (cpu_clock(), Instant::now());
    let failed = push(pusher, &ids, &payload, in_flight, run.pushes).await;
    let (cpu, elapsed) = (cpu_clock().saturating_sub(cpu), started.elapsed());
    ensure!(failed == 0, "{failed} pushes failed");
    let count = f64::from(u32::try_from(run.pushes)?);
    Ok(Cost {
        cpu_micros: cpu.as_secs_f64() * 1e6 / count,
        pushes_per_second: count / elapsed.as_secs_f64(),
    })
}

/// Pushes as the engine does: so many futures in one task. Returns how many
/// were not accepted.
async fn push(
    pusher: &impl Pusher,
    ids: &[ConnectionId],
    payload: &Bytes,
    in_flight: usize,
    count: usize,
) -> usize {
    let mut next = ids.iter().cycle().take(count);
    let mut flying: FuturesUnordered<_> = next
        .by_ref()
        .take(in_flight)
        .map(|id| pusher.push(id, payload))
        .collect();
    let mut failed = 0;
    while let Some(outcome) = flying.next().await {
        failed += usize::from(outcome != PushOutcome::Accepted);
        flying.extend(next.next().map(|id| pusher.push(id, payload)));
    }
    failed
}

/// An id as the gateway makes them.
fn id(n: usize) -> ConnectionId {
    ConnectionId::from(format!("TXzPWdnOj{n:06}="))
}
