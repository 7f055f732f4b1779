//! The commands `redrive` and `drain`.

use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use super::place::PlaceArgs;
use super::{Ending, UsageError, print, span};
use crate::aws::{config_of, sqs};
use crate::outputs::Outputs;
use crate::queues::QueueUrls;
use crate::queues::drain::{Drained, Waiting, drain, quiet_span};
use crate::queues::redrive::{Patience, Redriven, Running, Step, redrive};

/// What `--help` says besides, of `redrive`.
pub(super) const REDRIVE_HELP: &str = "\
Mend first what the tasks failed of: they fail again otherwise, and come back.

With --until-empty it ends when no queue holds anything, the dead-letter queue
included, for 70 s on AWS: the counts of SQS lag behind by about a minute. When
the time is up, a task that moves messages goes on.

Exit codes:
  0    all were moved; with --until-empty, none came back
  1    a move failed or was refused, or the time is up
  2    the command line is wrong, or names a file that cannot be used";

/// What `--help` says besides, of `drain`.
pub(super) const DRAIN_HELP: &str = "\
Stop publishing first, or it never ends: on AWS by
  aws lambda put-function-concurrency --function-name PUBLISH \\
    --reserved-concurrent-executions 0
and, where clients may send messages, for the function message alike; again by
  aws lambda delete-function-concurrency --function-name PUBLISH

It ends when both queues have held nothing for 70 s on AWS: the counts of SQS lag
behind by about a minute. A local stack's are exact.

Exit codes:
  0    nothing is left
  1    something is left and the time is up, or a queue is not shown
  2    the command line is wrong, or names a file that cannot be used";

/// The options of `redrive`.
#[derive(Debug, Args)]
pub struct RedriveArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Wait for the workers, and move again what comes back, until nothing does
    #[arg(long)]
    until_empty: bool,
    #[command(flatten)]
    waiting: WaitingArgs,
}

/// The options of `drain`.
#[derive(Debug, Args)]
pub struct DrainArgs {
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    waiting: WaitingArgs,
}

#[derive(Debug, Args)]
struct WaitingArgs {
    /// When to give up
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = span)]
    timeout: Duration,
    /// How long to wait between two looks
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = span)]
    pause: Duration,
}

impl WaitingArgs {
    fn at(&self, outputs: &Outputs) -> Waiting {
        Waiting {
            deadline: Instant::now() + self.timeout,
            pause: self.pause,
            quiet: quiet_span(outputs.is_local()),
        }
    }
}

impl RedriveArgs {
    /// Moves dead letters.
    ///
    /// # Errors
    /// The queues are not known.
    pub(super) async fn run(self) -> Result<Ending, UsageError> {
        let outputs = self.place.outputs()?;
        let urls = QueueUrls::of(&outputs)?;
        let client = sqs(&config_of(&outputs).await, &outputs);
        let patience = Patience {
            waiting: self.waiting.at(&outputs),
            until_empty: self.until_empty,
        };
        let redriven = redrive(&client, &urls, patience, |step| match step {
            Step::Moving {
                moved,
                of: Some(of),
            } => print(&format!("moved {moved} of about {of}")),
            Step::Moving { moved, of: None } => print(&format!("moved {moved}")),
            Step::Moved(moved) => print(&format!("moved {moved}: done")),
            Step::Working(lanes) => print(&lanes.to_string()),
        });
        let redriven = match redriven.await {
            Ok(redriven) => redriven,
            Err(error) => {
                print(&format!("redrive: {error}"));
                return Ok(Ending::Bad);
            }
        };
        Ok(match redriven {
            Redriven::Moved(moved) => {
                print(&format!("redrive: {moved} moved"));
                Ending::Good
            }
            Redriven::Failed { moved, why } => {
                print(&format!("redrive: {moved} moved, then it failed: {why}"));
                Ending::Bad
            }
            Redriven::TimedOut {
                moved,
                left,
                running,
            } => {
                print(&format!(
                    "redrive: {moved} moved, and the time is up; dead letters: {left}"
                ));
                if let Some(running) = running {
                    print(&goes_on(&running));
                }
                Ending::Bad
            }
        })
    }
}

impl DrainArgs {
    /// Waits for the queues.
    ///
    /// # Errors
    /// The queues are not known.
    pub(super) async fn run(self) -> Result<Ending, UsageError> {
        let outputs = self.place.outputs()?;
        let urls = QueueUrls::of(&outputs)?;
        let client = sqs(&config_of(&outputs).await, &outputs);
        let waiting = self.waiting.at(&outputs);
        let drained = drain(&client, &urls, waiting, |lanes| {
            print(&lanes.to_string());
        });
        let drained = match drained.await {
            Ok(drained) => drained,
            Err(error) => {
                print(&format!("drain: {error}"));
                return Ok(Ending::Bad);
            }
        };
        Ok(match drained {
            Drained::Empty => {
                print("drain: nothing is left");
                Ending::Good
            }
            Drained::Left(lanes) if lanes.are_empty() => {
                print(
                    "drain: the time is up, and nothing was found, but not for long enough to be \
                     sure",
                );
                Ending::Bad
            }
            Drained::Left(lanes) => {
                print(&format!(
                    "drain: the time is up, and there are left: {lanes}"
                ));
                Ending::Bad
            }
        })
    }
}

/// Says that a task goes on, and how it can be stopped.
fn goes_on(running: &Running) -> String {
    let handle = running.handle.as_deref().unwrap_or("TASK_HANDLE");
    format!(
        "the task goes on; stop it by\n  aws sqs cancel-message-move-task --task-handle {handle}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_goes_on_is_told_with_how_to_stop_it() {
        let handle = Some("abc".to_owned());
        let told = goes_on(&Running { handle });
        assert!(told.ends_with("--task-handle abc"), "{told}");
    }
}
