//! The fan-out simulated: the real worker, engine, pacer and task encoding,
//! and the real queue of the local stack, against ports that fail by script,
//! on Tokio's paused time.
//!
//! proptest writes the scripts ([`strategies`]). In each world connections come and
//! go, somebody publishes and cancels, calls fail, stall and lie, messages are delivered
//! twice, and processes die before and after any call. When the script is over
//! and the queues are quiet, all faults end, an operator redrives the dead
//! letters, and the world comes to rest. A [`witness`] looks at every call
//! while it is made, and at the end everything is [judged](invariants).
//!
//! A script that fails is shrunk, printed, and kept in `regressions.txt`.
//! `cargo test -p fanout-core --test simulation` plays 10,000 worlds; a million
//! take a quarter of an hour:
//!
//! ```text
//! PROPTEST_CASES=200000 cargo test --release -p fanout-core --test simulation
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

mod audit;
mod delivery;
mod events;
mod gateway;
mod invariants;
mod lanes;
mod look_ups;
mod queues;
mod script;
mod store;
mod strategies;
mod witness;
mod world;

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use tokio::time::sleep;

use crate::invariants::{Invariant, Violation};
use crate::script::Script;
use crate::strategies::Danger::{Deaths, Errors, Messages, Spells, Stories};
use crate::strategies::scripts;
use crate::world::World;

/// How many scripts each test plays, unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 2_000;
/// A world that has not come to rest by then never will.
const LONGEST: Duration = Duration::from_hours(1);
/// The queue may bury a task that kept failing, and with it connections that
/// had used up their attempts: these the worker buries itself the first time,
/// and tries anew the second.
const REDRIVES: usize = 2;

fn config() -> ProptestConfig {
    let mut config = ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "tests/simulation/regressions.txt",
        ))),
        max_shrink_iters: 20_000,
        max_shrink_time: 30_000,
        ..ProptestConfig::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn everybody_is_reached_when_nothing_goes_wrong(script in scripts(&[])) {
        check(script)?;
    }

    #[test]
    fn nobody_is_lost_when_workers_die(script in scripts(&[Deaths, Messages])) {
        check(script)?;
    }

    #[test]
    fn nobody_is_lost_when_the_gateway_refuses(script in scripts(&[Stories, Spells])) {
        check(script)?;
    }

    #[test]
    fn nobody_is_lost_when_calls_fail(script in scripts(&[Errors, Stories, Messages])) {
        check(script)?;
    }

    #[test]
    fn nobody_is_lost_when_everything_goes_wrong(
        script in scripts(&[Stories, Spells, Errors, Deaths, Messages])
    ) {
        check(script)?;
    }
}

/// Plays a script, and fails with every promise that was broken.
fn check(script: Script) -> Result<(), TestCaseError> {
    fastrand::seed(script.seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let violations = runtime.block_on(live(script));
    let violations: Vec<_> = violations.iter().map(ToString::to_string).collect();
    prop_assert!(violations.is_empty(), "\n{}", violations.join("\n"));
    Ok(())
}

/// Lives a world through, from its first event to its last message.
async fn live(script: Script) -> Vec<Violation> {
    let world = World::new(script);
    let mut slots = lanes::start(&world);
    let life = async {
        events::play(&world).await;
        rest(&world).await;
        for _ in 0..REDRIVES {
            {
                let mut state = world.state();
                state.is_calm = true;
                state.queues.redrive(world.now());
            }
            world.sent.notify_waiters();
            rest(&world).await;
        }
    };
    tokio::select! {
        () = life => {}
        Some(ended) = slots.join_next() => ended.unwrap(),
    }
    invariants::judge(&world)
}

/// Waits until nothing is left to do.
async fn rest(world: &Arc<World>) {
    while !world.state().queues.are_quiet(world.now()) {
        if world.now() > LONGEST {
            let detail = format!("not at rest after {LONGEST:?}");
            world.state().witness.broken(Invariant::Queues, detail);
            return;
        }
        sleep(Duration::from_secs(1)).await;
    }
}
