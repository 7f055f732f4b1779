//! One broadcast at a quota.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::Serialize;
use serde_json::Value;
use tokio::process::Command;

use super::Quota;
use super::audience::Audience;
use super::memory::Memory;
use crate::broadcast::{self, Broadcast};
use crate::complaints::Complaints;
use crate::micros::{as_micros, as_optional_micros};
use crate::process::{Reading, functions_of};
use crate::stack::Stack;
use crate::tasks::Effort;

/// The time that a broadcast gets: many times its floor.
const TIMES_THE_FLOOR: u32 = 20;
const TIME_AT_LEAST: Duration = Duration::from_mins(1);
/// The address that sockets come from: another one than the workers'. The gateway
/// listens on one port for both, and where 18,000 of the system's ports are taken,
/// each connection that a worker opens takes a long search for a free one.
const SOCKETS_FROM: &str = "127.0.0.2";
/// How much longer than it takes to fill the buckets is waited for that.
const REFILL_MARGIN: Duration = Duration::from_secs(1);

/// What one broadcast showed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Measurement {
    /// Subscribers that it was delivered to.
    pub(crate) reached: u64,
    /// Those that had it more than once.
    pub(crate) duplicates: u64,
    /// From the POST to the last delivery; `None` if there was none.
    #[serde(rename = "last_delivery_us", serialize_with = "as_optional_micros")]
    pub(crate) last_delivery: Option<Duration>,
    pub(crate) effort: Effort,
    /// The most memory that any worker ever had resident, in bytes.
    pub(crate) peak_bytes: u64,
    /// That of the last quarter of the time by that of the second.
    pub(crate) growth: Option<f64>,
    /// The processor time of the workers.
    #[serde(rename = "workers_cpu_us", serialize_with = "as_micros")]
    pub(crate) workers_cpu: Duration,
    /// That of the stack: gateway, tables and queues.
    #[serde(rename = "stack_cpu_us", serialize_with = "as_micros")]
    pub(crate) stack_cpu: Duration,
}

/// Broadcasts once, with warm workers and full buckets.
///
/// # Errors
/// The stack or the load test does not answer.
pub(super) async fn measure(
    stack: &Stack,
    audience: Audience,
    quota: Quota,
    loadtest: &Path,
) -> anyhow::Result<Measurement> {
    let filling = Duration::from_secs(1) * quota.burst.get() / quota.rate.get();
    broadcast::warm_up(stack, filling + REFILL_MARGIN).await?;
    let workers = || functions_of(stack.pid(), &["worker"]);
    let before = (Reading::of(workers()), Reading::of([stack.pid()]));
    let mut memory = Memory::default();
    let seen = tokio::select! {
        seen = seen(stack, audience, quota, loadtest) => seen?,
        never = memory.watch(stack.pid()) => match never {},
    };
    let after = (Reading::of(workers()), Reading::of([stack.pid()]));
    broadcast::ended(stack, &seen.id).await?;
    Ok(Measurement {
        reached: seen.reached,
        duplicates: seen.duplicates,
        last_delivery: seen.last_delivery,
        effort: Effort::in_log(&stack.log(), &seen.id),
        peak_bytes: after.0.largest_peak_bytes(),
        growth: seen.until.and_then(|until| {
            let from = until.checked_sub(seen.last_delivery?)?;
            memory.growth(from, until)
        }),
        workers_cpu: after.0.since(&before.0).cpu,
        stack_cpu: after.1.since(&before.1).cpu,
    })
}

/// What the subscribers saw of a broadcast.
struct Seen {
    id: String,
    reached: u64,
    duplicates: u64,
    last_delivery: Option<Duration>,
    /// When that was, on the machine's monotonic clock.
    until: Option<Duration>,
}

async fn seen(
    stack: &Stack,
    audience: Audience,
    quota: Quota,
    loadtest: &Path,
) -> anyhow::Result<Seen> {
    let within = (audience.floor(quota) * TIMES_THE_FLOOR).max(TIME_AT_LEAST);
    if audience.sockets > 0 {
        return seen_by_sockets(stack, audience, within, loadtest).await;
    }
    let sent = Broadcast::send(stack, audience.subscribers(), within).await?;
    Ok(Seen {
        reached: sent.taken.reached,
        duplicates: sent.taken.duplicates,
        last_delivery: sent.took(),
        until: sent.taken.last_at,
        id: sent.id,
    })
}

/// Lets the load test open the sockets, post, and measure, the simulated
/// subscribers included.
async fn seen_by_sockets(
    stack: &Stack,
    audience: Audience,
    within: Duration,
    loadtest: &Path,
) -> anyhow::Result<Seen> {
    let addresses = stack.addresses();
    let complaints = Complaints::new()?;
    let output = Command::new(loadtest)
        .args(["run", "--ws", &addresses.ws])
        .args(["--publish", &format!("{}/orders", addresses.http)])
        .args([
            "--simulated",
            &format!("{}/_local/simulated", addresses.http),
        ])
        .args(["-c", &audience.sockets.to_string(), "-n", "1"])
        .args(["--settle", "3s", "--source-ip", SOCKETS_FROM])
        .args(["--drain-timeout", &format!("{}s", within.as_secs())])
        .args(["--output-format", "json"])
        .stdin(Stdio::null())
        .stderr(complaints.stderr()?)
        // Ctrl-C is for this process, which ends it by dropping it.
        .process_group(0)
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("cannot start {}", loadtest.display()))?;
    let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let (reached, duplicates, last_delivery) = counted_in(&report).with_context(|| {
        let (status, said) = (output.status, complaints.last());
        format!("the load test reported nothing: {status}: {said}")
    })?;
    let id = stack.latest().await?;
    let id = id.context("the gateway took no push of a simulated subscriber")?;
    let taken = stack.taken(&id).await?;
    ensure!(
        taken.reached > 0,
        "the gateway does not know its latest notification"
    );
    Ok(Seen {
        id,
        reached,
        duplicates,
        last_delivery,
        until: taken.last_at,
    })
}

/// How many were reached, how many twice, and how long the last one took from
/// the moment the POST was sent, in a report of the load test.
fn counted_in(report: &Value) -> Option<(u64, u64, Option<Duration>)> {
    let count = |pointer: &str| report.pointer(pointer)?.as_u64();
    let slowest = count("/service_time_us/max");
    Some((
        count("/counts/received")?,
        count("/counts/duplicates")?,
        slowest.map(Duration::from_micros),
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_load_test_counts_and_times_the_sockets() {
        let report = json!({
            "counts": {"received": 20_000, "duplicates": 1},
            "service_time_us": {"max": 1_560_000},
        });
        let last_delivery = Some(Duration::from_millis(1_560));
        assert_eq!(counted_in(&report), Some((20_000, 1, last_delivery)));
        assert_eq!(counted_in(&Value::Null), None);
    }
}
