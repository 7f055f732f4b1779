//! The broadcasts of one run, and what they cost.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::Serialize;

use super::tally::{Requests, Tallies};
use crate::broadcast::{self, Broadcast};
use crate::micros::as_micros;
use crate::process::{Reading, functions_of};
use crate::stack::Stack;
use crate::tasks::Effort;

/// A run has as many broadcasts as make this many deliveries: the processor time
/// of a single small one is too short to be told.
const DELIVERIES: u32 = 100_000;
/// And no more than these.
const MAX_BROADCASTS: u32 = 20;
/// The time that a broadcast gets, and each of its deliveries.
const TIME_AT_LEAST: Duration = Duration::from_mins(1);
const TIME_FOR_EACH: Duration = Duration::from_millis(5);

/// What one run cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Measurement {
    /// Runs of one turn are neighbours in time.
    pub(crate) turn: u16,
    pub(crate) broadcasts: u32,
    /// Deliveries of all broadcasts.
    pub(crate) deliveries: u64,
    /// From each POST to its last delivery, added up.
    #[serde(rename = "wall_us", serialize_with = "as_micros")]
    pub(crate) wall: Duration,
    #[serde(rename = "workers_cpu_us", serialize_with = "as_micros")]
    pub(crate) workers_cpu: Duration,
    #[serde(rename = "publish_cpu_us", serialize_with = "as_micros")]
    pub(crate) publish_cpu: Duration,
    /// That of the stack: gateway, tables and queues.
    #[serde(rename = "stack_cpu_us", serialize_with = "as_micros")]
    pub(crate) stack_cpu: Duration,
    pub(crate) effort: Effort,
    /// What the functions asked of the tables.
    pub(crate) dynamodb: Requests,
    /// What they asked of the queues. What Lambda asks for them, to receive and
    /// to delete, is not counted.
    pub(crate) sqs: Requests,
}

/// Broadcasts often enough, with warm workers.
///
/// # Errors
/// The stack does not answer, or somebody was not reached.
pub(super) async fn measure(
    stack: &Stack,
    tallies: &Tallies,
    connections: u32,
) -> anyhow::Result<Measurement> {
    broadcast::warm_up(stack, Duration::ZERO).await?;
    let broadcasts = DELIVERIES.div_ceil(connections).min(MAX_BROADCASTS);
    repeat(stack, tallies, connections, broadcasts).await
}

/// Broadcasts so often.
///
/// # Errors
/// The stack does not answer, or somebody was not reached.
pub(super) async fn repeat(
    stack: &Stack,
    tallies: &Tallies,
    connections: u32,
    broadcasts: u32,
) -> anyhow::Result<Measurement> {
    let mut sum = Measurement {
        broadcasts,
        ..Measurement::default()
    };
    for _ in 0..broadcasts {
        sum.add(stack, tallies, connections).await?;
    }
    Ok(sum)
}

impl Measurement {
    async fn add(
        &mut self,
        stack: &Stack,
        tallies: &Tallies,
        connections: u32,
    ) -> anyhow::Result<()> {
        let before = Costs::now(stack, tallies);
        let within = TIME_AT_LEAST + TIME_FOR_EACH * connections;
        let sent = Broadcast::send(stack, connections.into(), within).await?;
        let after = Costs::now(stack, tallies);
        broadcast::ended(stack, &sent.id).await?;
        let reached = sent.taken.reached;
        ensure!(
            reached == u64::from(connections),
            "only {reached} were reached in {within:?}"
        );
        self.deliveries += reached;
        self.wall += sent.took().context("nobody was reached")?;
        self.workers_cpu += after.workers.since(&before.workers).cpu;
        self.publish_cpu += after.publish.since(&before.publish).cpu;
        self.stack_cpu += after.stack.since(&before.stack).cpu;
        self.effort += Effort::in_log(&stack.log(), &sent.id);
        self.dynamodb += after.dynamodb.since(&before.dynamodb);
        self.sqs += after.sqs.since(&before.sqs);
        Ok(())
    }
}

/// What everything has cost until one moment.
struct Costs {
    workers: Reading,
    publish: Reading,
    stack: Reading,
    dynamodb: Requests,
    sqs: Requests,
}

impl Costs {
    fn now(stack: &Stack, tallies: &Tallies) -> Self {
        Self {
            workers: Reading::of(functions_of(stack.pid(), &["worker"])),
            publish: Reading::of(functions_of(stack.pid(), &["publish"])),
            stack: Reading::of([stack.pid()]),
            dynamodb: tallies.dynamodb.read(),
            sqs: tallies.sqs.read(),
        }
    }
}
