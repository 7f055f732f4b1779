//! The requests that broadcasts make.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use super::bounds::{self, Broadcast};
use crate::goal::Goal;
use crate::harness::Workers;
use crate::scale::{self, Measurement};
use crate::spread::real;

/// No checkpoint falls due, however slow the machine is.
const NO_CHECKPOINT: Duration = Duration::from_mins(1);

/// A figure for each delivery.
type Figure = fn(&Measurement) -> u64;

/// What is asked, of whom.
const FIGURES: [(&str, Figure); 3] = [
    ("@connections", |run| run.effort.pushes),
    ("DynamoDB", |run| run.dynamodb.sum()),
    ("SQS", |run| run.sqs.sum()),
];

/// Counts those of broadcasts of two sizes; `None` if it was interrupted.
///
/// # Errors
/// A stack does not start, or does not answer, or somebody was not reached.
pub(super) async fn count(
    executable: &Path,
    interrupt: &CancellationToken,
) -> anyhow::Result<Option<Vec<Goal>>> {
    let workers = Workers::default().unhurried(NO_CHECKPOINT);
    let mut runs = Vec::new();
    for broadcast in &bounds::BROADCASTS {
        let running = scale::once(executable, broadcast.connections, &workers, interrupt);
        let running = running.await;
        let name = || broadcast.to_string();
        let Some(run) = running.with_context(name)? else {
            return Ok(None);
        };
        eprintln!("{broadcast}: {}, {}", run.dynamodb, run.sqs);
        runs.push(run);
    }
    let mut goals = Vec::new();
    for (broadcast, run) in bounds::BROADCASTS.iter().zip(&runs) {
        goals.extend(of_broadcast(broadcast, run));
    }
    if let [smaller, larger] = runs.as_slice() {
        goals.extend(growth(smaller, larger));
    }
    Ok(Some(goals))
}

fn of_broadcast(broadcast: &Broadcast, run: &Measurement) -> Vec<Goal> {
    let bounds = [
        bounds::PUSHES * f64::from(broadcast.connections),
        broadcast.dynamodb,
        broadcast.sqs,
    ];
    let figures = FIGURES.iter().zip(bounds);
    let goals = figures.map(|((whom, figure), at_most)| Goal {
        what: format!("{broadcast}, requests to {whom}"),
        at_most,
        measured: real(figure(run)),
    });
    goals.collect()
}

/// The requests of each delivery in the larger broadcast by those in the smaller.
fn growth(smaller: &Measurement, larger: &Measurement) -> Vec<Goal> {
    let goals = FIGURES.iter().map(|(whom, figure)| {
        let each = |run: &Measurement| real(figure(run)) / real(run.deliveries);
        Goal {
            what: format!("requests to {whom} a delivery, the larger by the smaller"),
            at_most: bounds::TIMES_THE_SMALLER,
            measured: each(larger) / each(smaller),
        }
    });
    goals.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::Effort;

    fn run(deliveries: u64, pushes: u64) -> Measurement {
        Measurement {
            deliveries,
            effort: Effort {
                pushes,
                ..Effort::default()
            },
            ..Measurement::default()
        }
    }

    #[track_caller]
    fn check(goal: &Goal, at_most: f64, measured: f64) {
        assert!((goal.at_most - at_most).abs() < 1e-9, "{goal}");
        assert!((goal.measured - measured).abs() < 1e-9, "{goal}");
    }

    #[test]
    fn a_delivery_has_one_push_and_hardly_more() {
        let [smaller, _] = bounds::BROADCASTS;
        let goals = of_broadcast(&smaller, &run(4_000, 4_041));
        check(&goals[0], 4_040.0, 4_041.0);
        assert!(!goals[0].is_met());
    }

    #[test]
    fn what_grows_faster_than_the_audience_is_told() {
        let goals = growth(&run(4_000, 4_000), &run(16_000, 17_600));
        check(&goals[0], 1.05, 1.1);
        assert!(!goals[0].is_met());
    }
}
