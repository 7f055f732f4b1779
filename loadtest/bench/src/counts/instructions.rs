//! The instructions of the workers, for each delivery of a broadcast.

use std::path::Path;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use super::bounds::{self, THIS_BUILD};
use crate::goal::Goal;
use crate::harness::Workers;
use crate::scale;

/// Counts those of broadcasts of two sizes; `None` if it was interrupted.
///
/// # Errors
/// Valgrind is not installed; a stack does not start, or does not answer; or
/// somebody was not reached.
pub(super) async fn count(
    executable: &Path,
    interrupt: &CancellationToken,
) -> anyhow::Result<Option<Vec<Goal>>> {
    let workers = Workers::default();
    let mut counts = Vec::new();
    for broadcast in &bounds::BROADCASTS {
        let counting =
            scale::count_instructions(executable, broadcast.connections, &workers, interrupt);
        let Some(counted) = counting.await.with_context(|| broadcast.to_string())? else {
            return Ok(None);
        };
        eprintln!("{broadcast}: {counted}");
        counts.push(counted.beside_hashing);
    }
    Ok(Some(goals(&counts)))
}

fn goals(counts: &[f64]) -> Vec<Goal> {
    let of_broadcasts = bounds::BROADCASTS.iter().zip(counts);
    let goals = of_broadcasts.zip(THIS_BUILD.worker_instructions);
    let goals = goals.map(|((broadcast, measured), at_most)| Goal {
        what: format!("{broadcast}, instructions of the workers a delivery"),
        at_most,
        measured: measured.round(),
    });
    goals.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_of_each_broadcast_have_their_bound() {
        let [fewer, more] = THIS_BUILD.worker_instructions;
        let met = |counts: &[f64]| goals(counts).iter().map(Goal::is_met).collect::<Vec<_>>();
        assert_eq!(met(&[fewer, more]), [true, true]);
        assert_eq!(met(&[fewer + 1.0, more + 1.0]), [false, false]);
    }
}
