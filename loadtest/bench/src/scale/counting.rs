//! Broadcasts by workers whose instructions are counted.

use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::stack_options_for;
use crate::broadcast::{self, Broadcast};
use crate::figures::grouped;
use crate::functions::Functions;
use crate::harness::{Workers, on_a_stack};
use crate::process::functions_of;
use crate::spread::real;
use crate::stack::Stack;
use crate::valgrind::Attached;

const WORKER: &str = "worker";

/// How many broadcasts are cancelled before one is counted: a worker that started
/// too late to push in the first pushes in the second.
const WARM_UPS: usize = 2;
/// Valgrind takes some 50 times as long: the time that a broadcast gets, and each
/// of its deliveries.
const TIME_AT_LEAST: Duration = Duration::from_mins(5);
const TIME_FOR_EACH: Duration = Duration::from_millis(10);
/// Where all takes so long, checkpoints in between are not to be a part of the work;
/// but with each, a worker finds out that it is to warm up no longer.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);

/// Instructions of all workers, for each delivery of a broadcast. As text they are
/// those beside hashing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Instructions {
    /// Without those that compute SHA-256, for which valgrind does not know the
    /// processor's own.
    pub(crate) beside_hashing: f64,
    pub(crate) hashing: f64,
}

impl Display for Instructions {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} instructions a delivery",
            grouped(self.beside_hashing)
        )
    }
}

/// Counts those of one broadcast by warm workers, on a stack without a quota;
/// `None` if it was interrupted.
///
/// # Errors
/// Valgrind is not installed; the stack does not start, or does not answer; or
/// somebody was not reached.
pub(crate) async fn count(
    executable: &Path,
    connections: u32,
    workers: &Workers,
    interrupt: &CancellationToken,
) -> anyhow::Result<Option<Instructions>> {
    let attached = Attached::new()?;
    let executable = executable.canonicalize()?;
    let program = executable.to_str().context("the path is not UTF-8")?;
    let counted = attached.command(&[program, "function", WORKER])?;
    let functions = Functions::running(|name| match name {
        WORKER => counted.clone(),
        name => [program, "function", name].map(str::to_owned).to_vec(),
    })?;
    let mut options = stack_options_for(connections, &workers.unhurried(CHECKPOINT_EVERY));
    options.extend(functions.stack_options()?);
    on_a_stack(&executable, &options, interrupt, async |stack| {
        for _ in 0..WARM_UPS {
            broadcast::warm_up(stack, Duration::ZERO).await?;
        }
        count_one(stack, &attached, connections).await
    })
    .await
}

async fn count_one(
    stack: &Stack,
    attached: &Attached,
    connections: u32,
) -> anyhow::Result<Instructions> {
    let workers = || functions_of(stack.pid(), &[WORKER]);
    attached.take(workers()).await?;
    let within = TIME_AT_LEAST + TIME_FOR_EACH * connections;
    let sent = Broadcast::send(stack, connections.into(), within).await?;
    broadcast::ended(stack, &sent.id).await?;
    let profile = attached.take(workers()).await?;
    let reached = sent.taken.reached;
    ensure!(
        reached == u64::from(connections),
        "only {reached} were reached in {within:?}"
    );
    let of_each = |instructions: u64| real(instructions) / real(reached);
    Ok(Instructions {
        beside_hashing: of_each(profile.total - profile.hashing),
        hashing: of_each(profile.hashing),
    })
}
