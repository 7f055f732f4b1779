//! Work that is counted and held to bounds.
//!
//! What is counted depends on the code, and not on how fast the machine is or
//! what else it does: where a bound is broken, a change has made something dearer.
//! How long things take, the other measurements tell; they hold nobody up.
//!
//! Allocations of this project's client are counted by a test of its own.

mod bounds;
pub(crate) mod engine;
mod instructions;
mod requests;

use std::fmt::{self, Display, Formatter};

use anyhow::{bail, ensure};
use clap::Args;

use self::bounds::THIS_BUILD;
use crate::goal::Goal;
use crate::harness::LocalStack;
use crate::interrupt;
use crate::push::{self, Client};

/// What is counted.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    stack: LocalStack,
}

/// Counts, and prints each figure with its bound.
///
/// # Errors
/// A bound is broken; valgrind is not installed; a run fails; or it was
/// interrupted.
pub(crate) async fn check(options: &Options) -> anyhow::Result<()> {
    let counted = interrupt::until_twice(async |interrupt| {
        let executable = options.stack.executable_like_this().await?;
        let (engine, client) = (engine_goals().await?, client_goals().await?);
        let Some(workers) = instructions::count(&executable, &interrupt).await? else {
            bail!("interrupted");
        };
        let Some(requests) = requests::count(&executable, &interrupt).await? else {
            bail!("interrupted");
        };
        Ok(Table([&engine[..], &client, &workers, &requests].concat()))
    });
    let table = counted.await?;
    print!("{table}");
    let broken = table.0.iter().filter(|goal| !goal.is_met()).count();
    ensure!(broken == 0, "{broken} of the bounds are broken");
    Ok(())
}

async fn engine_goals() -> anyhow::Result<[Goal; 2]> {
    let counts = engine::count().await?;
    Ok([
        Goal {
            what: "engine, instructions a push".to_owned(),
            at_most: THIS_BUILD.engine_instructions,
            measured: counts.instructions,
        },
        Goal {
            what: "engine, allocations a push".to_owned(),
            at_most: THIS_BUILD.engine_allocations,
            measured: counts.allocations,
        },
    ])
}

async fn client_goals() -> anyhow::Result<[Goal; 2]> {
    let own = push::instructions(Client::Own).await?;
    let sdk = push::instructions(Client::Sdk).await?;
    Ok([
        Goal {
            what: "own client, instructions a push".to_owned(),
            at_most: THIS_BUILD.client_instructions,
            measured: own,
        },
        Goal {
            what: "own client, instructions by those of the AWS SDK".to_owned(),
            at_most: THIS_BUILD.client_by_sdk,
            measured: own / sdk,
        },
    ])
}

/// All figures. As text it is Markdown.
struct Table(Vec<Goal>);

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | counted | at most | |\n|---|---:|---:|---|")?;
        self.0
            .iter()
            .try_for_each(|goal| writeln!(f, "{}", goal.row()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_has_a_row_with_its_bound() {
        let goal = |what: &str, measured, at_most| Goal {
            what: what.to_owned(),
            at_most,
            measured,
        };
        let table = Table(vec![
            goal("instructions", 278_123.0, 320_000.0),
            goal("by the SDK's", 0.251, 0.25),
            goal("requests", 38.0, 42.0),
        ]);
        let expected = "\
            | what | counted | at most | |\n\
            |---|---:|---:|---|\n\
            | instructions | 278,123 | 320,000 | met |\n\
            | by the SDK's | 0.251 | 0.25 | **not met** |\n\
            | requests | 38 | 42 | met |\n";
        assert_eq!(table.to_string(), expected);
    }
}
