//! What must hold, whatever the script.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use fanout_core::connection::ConnectionId;
use fanout_core::ledger::{Standing, State};
use tokio::time::Instant;

use crate::script::Shape;
use crate::witness::{Published, Witness};
use crate::world::World;

/// The promises of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invariant {
    Reach,
    NoNeedlessRepeats,
    Late,
    Rate,
    Ledger,
    Gone,
    Queues,
    Memory,
}

/// A promise that was broken.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) invariant: Invariant,
    pub(crate) detail: String,
}

/// A span of time, in which pushes are counted.
const WINDOW: Duration = Duration::from_millis(100);

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reach => "REACH: who stays gets it, or the ledger says why not",
            Self::NoNeedlessRepeats => {
                "NO NEEDLESS REPEATS: what was settled and written down is not pushed again"
            }
            Self::Late => {
                "LATE: nothing is pushed after the deadline, the expiry, or the cancellation"
            }
            Self::Rate => "RATE: a process keeps to its share",
            Self::Ledger => "LEDGER: it adds up and tells the truth, at every write",
            Self::Gone => "GONE: dead connections are deleted, living ones are not",
            Self::Queues => "QUEUES: unfinished work is always on a queue, and ends",
            Self::Memory => "MEMORY: what a worker holds does not grow with the audience",
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -- {}", self.invariant, self.detail)
    }
}

/// Judges a world that has come to rest with all faults off.
pub(crate) fn judge(world: &World) -> Vec<Violation> {
    let mut state = world.state();
    let state = &mut *state;
    let mut violations = std::mem::take(&mut state.witness.violations);
    let mut check = |invariant, result: Result<(), String>| {
        violations.extend(result.err().map(|detail| Violation { invariant, detail }));
    };
    let witness = &state.witness;
    for published in &witness.published {
        let Some(standing) = state.tables.standing(published.id) else {
            continue;
        };
        check(Invariant::Ledger, settled(&standing));
        check(Invariant::Ledger, whole(witness, published, &standing));
        check(Invariant::Reach, reached(witness, published, &standing));
    }
    for starts in &witness.starts {
        check(Invariant::Rate, paced(starts, world.script.shape));
    }
    for (delivery, gone) in witness.owed() {
        let row = state.tables.connections.get(&gone.connection_id);
        let is_kept = row.is_some_and(|row| row.connected_at == gone.connected_at);
        let detail =
            format!("{delivery:?} was told that {gone:?} is gone, and its row is still there");
        check(Invariant::Gone, if is_kept { Err(detail) } else { Ok(()) });
    }
    let published = world.script.publishes.iter();
    let garbage = published.filter(|publish| publish.what.is_garbage());
    check(
        Invariant::Queues,
        state.queues.hold_only(world.now(), garbage.count()),
    );
    violations
}

fn settled(standing: &Standing) -> Result<(), String> {
    match standing.state {
        State::Done | State::Expired | State::Cancelled | State::Failed
            if standing.pending == 0 =>
        {
            Ok(())
        }
        _ => Err(format!("not settled at the end: {standing:?}")),
    }
}

/// Everybody who was there is in the ledger once, and nobody else.
fn whole(witness: &Witness, published: &Published, standing: &Standing) -> Result<(), String> {
    let ever: BTreeSet<_> = witness.ever(published).collect();
    let steady: BTreeSet<_> = witness.steady(published).collect();
    let bounds = steady.len() as u64..=ever.len() as u64;
    let accepted = witness.accepted(published.id).count() as u64;
    if !bounds.contains(&standing.targeted) {
        return Err(format!("targeted should be in {bounds:?}: {standing:?}"));
    }
    let surely = witness.surely_accepted(published.id).count() as u64;
    if !(surely..=accepted).contains(&standing.counts.accepted) {
        return Err(format!(
            "{surely} to {accepted} were accepted: {standing:?}"
        ));
    }
    Ok(())
}

fn reached(witness: &Witness, published: &Published, standing: &Standing) -> Result<(), String> {
    let id = published.id;
    let excused = |connection: &&ConnectionId| witness.is_excused(id, connection);
    let missed = witness.steady(published);
    let missed = missed.filter(|connection| !witness.has_arrived(id, connection));
    let missed: Vec<_> = missed.filter(|connection| !excused(connection)).collect();
    let failed = witness.refused(id).count() as u64;
    let counts = standing.counts;
    let unpushed = counts.expired + counts.cancelled;
    let admitted = (unpushed + counts.failed).saturating_sub(failed);
    if missed.len() as u64 > admitted {
        return Err(format!(
            "{missed:?} never got it, and the ledger admits {admitted}: {standing:?}"
        ));
    }
    Ok(())
}

fn paced(starts: &[Instant], shape: Shape) -> Result<(), String> {
    let most = shape.burst as usize + (shape.share as usize).div_ceil(10) + 1;
    let mut first = 0;
    for (last, start) in starts.iter().enumerate() {
        while *start - starts[first] >= WINDOW {
            first += 1;
        }
        let count = last + 1 - first;
        if count > most {
            return Err(format!(
                "{count} pushes within {WINDOW:?}, at most {most} were due"
            ));
        }
    }
    Ok(())
}
