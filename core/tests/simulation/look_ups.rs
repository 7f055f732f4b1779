//! What a delivery was told of its notification's cancellation, and since when
//! it may not push any more.

use tokio::time::Instant;

use crate::delivery::{Broken, TICK, require};
use crate::invariants::Invariant;
use crate::world::CHECKPOINT_EVERY;

pub(crate) struct LookUps {
    delivered_at: Instant,
    /// The next one is due a checkpoint's interval after this.
    due_since: Instant,
    is_under_way: bool,
    has_one_failed: bool,
    has_found_cancelled: bool,
}

impl LookUps {
    pub(crate) fn new(delivered_at: Instant) -> Self {
        Self {
            delivered_at,
            due_since: delivered_at,
            is_under_way: false,
            has_one_failed: false,
            has_found_cancelled: false,
        }
    }

    pub(crate) fn called(&mut self) {
        self.is_under_way = true;
    }

    /// `answer` is whether it is cancelled; `None`: the call failed.
    pub(crate) fn ended(&mut self, answer: Option<bool>, now: Instant) {
        self.is_under_way = false;
        self.has_one_failed |= answer.is_none();
        self.has_found_cancelled |= answer == Some(true);
        self.due_since = now;
    }

    /// Before `now` the run cannot have begun.
    pub(crate) fn held_up(&mut self, now: Instant) {
        self.due_since = now;
    }

    pub(crate) fn have_found_cancelled(&self) -> bool {
        self.has_found_cancelled
    }

    /// Checks that a push may start now.
    pub(crate) fn allow_push(
        &self,
        cancelled_at: Option<Instant>,
        now: Instant,
    ) -> Result<(), Broken> {
        let Some(cancelled_at) = cancelled_at else {
            return Ok(());
        };
        let since = now - cancelled_at;
        let late = |how: &str| format!("a push starts {since:?} after the cancellation, {how}");
        require(!self.has_found_cancelled, Invariant::Late, || {
            late("which is known")
        })?;
        // Whoever took the lease after that was told.
        let is_after = cancelled_at < self.delivered_at && !self.has_one_failed;
        require(!is_after, Invariant::Late, || {
            late("and the delivery began after that")
        })?;
        let due = self.due_since.max(cancelled_at) + CHECKPOINT_EVERY + TICK;
        require(self.is_under_way || now <= due, Invariant::Late, || {
            late("which nobody looked up")
        })
    }
}
