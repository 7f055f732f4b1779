//! The pipeline: a POST, its queues, and the workers.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::measurement::{Begun, Ending, Measurement};
use super::scenario::Scenario;
use crate::process::{ON_THE_PATH, Reading, functions_of};
use crate::stack::Stack;

/// How often the ledger is asked whether that was all. Each time costs the
/// pipeline processor time, which is counted.
const POLL: Duration = Duration::from_millis(250);

/// Posts an order and measures until its ledger is settled.
///
/// # Errors
/// The stack does not answer.
pub(crate) async fn measure(
    stack: &Stack,
    scenario: &Scenario,
    order: &Value,
) -> anyhow::Result<Measurement> {
    let processes = || functions_of(stack.pid(), &ON_THE_PATH);
    let begun = Begun::now(stack, processes()).await?;
    let id = stack.order(order).await?;
    let ending = settled(stack, &id, scenario.time_limit()).await?;
    let after = Reading::of(processes());
    begun.ended(stack, scenario, &id, &after, ending).await
}

async fn settled(stack: &Stack, id: &str, within: Duration) -> anyhow::Result<Ending> {
    let give_up_at = Instant::now() + within;
    loop {
        sleep(POLL).await;
        let ledger = stack.ledger(id).await?;
        if let Some(ending) = ending_in(&ledger) {
            return Ok(ending);
        }
        if Instant::now() >= give_up_at {
            return Ok(Ending::Stopped);
        }
    }
}

/// How a notification ended; `None` if it has not.
fn ending_in(ledger: &Value) -> Option<Ending> {
    let state = ledger.get("state").and_then(Value::as_str)?;
    let count = |name: &str| ledger.get(name).and_then(Value::as_u64).unwrap_or_default();
    if matches!(state, "accepted" | "in_progress") {
        return None;
    }
    Some(Ending::Settled {
        state: state.to_owned(),
        accepted: count("accepted"),
        gone: count("gone"),
        failed: count("failed"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_ledger_is_waited_for_until_it_is_settled() {
        assert_eq!(ending_in(&json!({"state": "accepted"})), None);
        assert_eq!(ending_in(&json!({"state": "in_progress", "gone": 1})), None);
        let done = json!({"state": "done", "accepted": 99, "gone": 1, "failed": 0});
        let settled = Ending::Settled {
            state: "done".to_owned(),
            accepted: 99,
            gone: 1,
            failed: 0,
        };
        assert_eq!(ending_in(&done), Some(settled));
    }
}
