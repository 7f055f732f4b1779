//! One notification to everybody.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use fanout_loadtest::machine::monotonic_time;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::stack::{Stack, Taken};

/// How often the gateway is asked what it took, which costs the functions
/// nothing.
const POLL: Duration = Duration::from_millis(100);
/// How long the workers get, once everybody is reached, to write that down.
/// Asking them would cost what is measured.
const WRITING_DOWN: Duration = Duration::from_millis(300);
/// How long a broadcast goes on that is only to start every worker, once the first
/// of them pushes.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long the first worker may take to push.
const WARM_WITHIN: Duration = Duration::from_mins(1);
/// How long a ledger may take to end once everybody is reached, or the rest is
/// cancelled.
const LEDGER_WITHIN: Duration = Duration::from_mins(1);

/// What everybody is told of.
pub(crate) fn order() -> Value {
    json!({"bookId": 123, "title": "The Pragmatic Programmer", "quantity": 1})
}

/// A broadcast that reached everybody, or was given up.
#[derive(Clone, Debug)]
pub(crate) struct Broadcast {
    pub(crate) id: String,
    /// When it was posted, on the machine's monotonic clock.
    pub(crate) posted_at: Duration,
    pub(crate) taken: Taken,
}

impl Broadcast {
    /// Posts an order, and waits until the gateway took it for all of its
    /// simulated subscribers, or the time is up.
    ///
    /// # Errors
    /// The stack does not answer.
    pub(crate) async fn send(
        stack: &Stack,
        subscribers: u64,
        within: Duration,
    ) -> anyhow::Result<Self> {
        let give_up_at = Instant::now() + within;
        let posted_at = monotonic_time();
        let id = stack.order(&order()).await?;
        loop {
            sleep(POLL).await;
            let taken = stack.taken(&id).await?;
            if taken.reached >= subscribers || Instant::now() >= give_up_at {
                sleep(WRITING_DOWN).await;
                return Ok(Self {
                    taken: stack.taken(&id).await?,
                    id,
                    posted_at,
                });
            }
        }
    }

    /// From the POST to the last push that the gateway took.
    pub(crate) fn took(&self) -> Option<Duration> {
        let last_at = self.taken.last_at?;
        Some(last_at.saturating_sub(self.posted_at))
    }
}

/// Lets every worker of a stack start and connect, by a broadcast that is
/// cancelled, and waits until the quotas are full again, which takes `refill`.
///
/// # Errors
/// The stack does not answer, nobody is reached, or its ledger does not end.
pub(crate) async fn warm_up(stack: &Stack, refill: Duration) -> anyhow::Result<()> {
    let id = stack.order(&order()).await.context("warming up")?;
    let give_up_at = Instant::now() + WARM_WITHIN;
    while stack.taken(&id).await?.reached == 0 {
        ensure!(
            Instant::now() < give_up_at,
            "nobody was reached in {WARM_WITHIN:?}"
        );
        sleep(POLL).await;
    }
    sleep(WARM_UP).await;
    stack.cancel(&id).await?;
    ended(stack, &id).await.context("warming up")?;
    sleep(refill).await;
    Ok(())
}

/// Waits until the ledger of a notification has ended.
///
/// # Errors
/// It does not, or something failed.
pub(crate) async fn ended(stack: &Stack, id: &str) -> anyhow::Result<()> {
    let give_up_at = Instant::now() + LEDGER_WITHIN;
    loop {
        let ledger = stack.ledger(id).await?;
        let state = ledger.get("state").and_then(Value::as_str);
        if is_end(state.context("a ledger without a state")?) {
            ensure!(state != Some("failed"), "the ledger says {ledger}");
            return Ok(());
        }
        if Instant::now() >= give_up_at {
            bail!("the ledger does not end: {ledger}");
        }
        sleep(POLL).await;
    }
}

fn is_end(state: &str) -> bool {
    !matches!(state, "accepted" | "in_progress")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broadcast_lasts_from_the_post_to_the_last_push() {
        let at = Duration::from_millis;
        let mut broadcast = Broadcast {
            id: "a".to_owned(),
            posted_at: at(1_000),
            taken: Taken {
                last_at: Some(at(2_500)),
                ..Taken::default()
            },
        };
        assert_eq!(broadcast.took(), Some(at(1_500)));
        broadcast.taken.last_at = None;
        assert_eq!(broadcast.took(), None);
    }

    #[test]
    fn a_ledger_has_ended_once_nothing_is_pending() {
        for (state, expected) in [
            ("accepted", false),
            ("in_progress", false),
            ("done", true),
            ("cancelled", true),
        ] {
            assert_eq!(is_end(state), expected, "{state}");
        }
    }
}
