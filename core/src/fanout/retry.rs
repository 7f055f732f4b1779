//! What follows from the outcome of an attempt.

use std::time::Duration;

use crate::push::PushOutcome;
use crate::task::Tries;

/// When and how often an attempt is repeated: exponential backoff with full
/// jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How many of a recipient's attempts may fail.
    pub max_failed: u32,
    /// How many of a recipient's attempts may be throttled.
    pub max_throttled: u32,
    /// The longest wait after the first attempt; it doubles with each one.
    pub base: Duration,
    /// The longest wait after any attempt.
    pub cap: Duration,
}

/// What to do with a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is settled: accepted.
    Accepted,
    /// It is settled: its connection is gone, and must be forgotten.
    Gone,
    /// It is settled: it will never take this payload.
    Failed,
    /// Try again after this.
    Retry(Duration),
    /// Its attempts are used up.
    Exhausted,
    /// Nobody will take this payload: fail the rest without pushing.
    FailAll,
    /// The caller is refused: end the run and settle nothing on its account.
    Abort,
}

/// Decides what follows from the outcome of an attempt; `tries` counts it
/// already, `jitter` is drawn evenly from 0 to 1.
#[must_use]
pub fn decide(policy: &Policy, tries: Tries, outcome: PushOutcome, jitter: f64) -> Decision {
    let retry = |at_least: Duration| {
        if policy.is_used_up(tries) {
            Decision::Exhausted
        } else {
            let wait = policy.longest_wait(tries).mul_f64(jitter.clamp(0.0, 1.0));
            Decision::Retry(wait.max(at_least))
        }
    };
    match outcome {
        PushOutcome::Accepted => Decision::Accepted,
        PushOutcome::Gone => Decision::Gone,
        PushOutcome::Throttled { retry_after } => retry(retry_after.unwrap_or_default()),
        PushOutcome::Transient { .. } => retry(Duration::ZERO),
        PushOutcome::TooLarge => Decision::FailAll,
        PushOutcome::Forbidden => Decision::Abort,
        PushOutcome::Rejected { .. } => Decision::Failed,
    }
}

impl Policy {
    /// Whether a recipient gets no more attempts.
    #[must_use]
    pub fn is_used_up(&self, tries: Tries) -> bool {
        tries.failed >= self.max_failed || tries.throttled >= self.max_throttled
    }

    fn longest_wait(&self, tries: Tries) -> Duration {
        let attempts = tries.failed.saturating_add(tries.throttled);
        let doublings = attempts.saturating_sub(1).min(31);
        self.base.saturating_mul(1 << doublings).min(self.cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        max_failed: 4,
        max_throttled: 6,
        base: Duration::from_millis(100),
        cap: Duration::from_millis(250),
    };
    const THROTTLED: PushOutcome = PushOutcome::Throttled { retry_after: None };

    const TIMEOUT: PushOutcome = PushOutcome::Transient { reason: "timeout" };

    fn failed(failed: u32) -> Tries {
        Tries {
            failed,
            throttled: 0,
        }
    }

    fn throttled(throttled: u32) -> Tries {
        Tries {
            failed: 0,
            throttled,
        }
    }

    #[track_caller]
    fn check(tries: Tries, outcome: PushOutcome, jitter: f64, expected: Decision) {
        assert_eq!(decide(&POLICY, tries, outcome, jitter), expected);
    }

    #[test]
    fn waits_double_up_to_the_cap_with_full_jitter() {
        let wait = |ms| Decision::Retry(Duration::from_millis(ms));
        check(throttled(1), THROTTLED, 1.0, wait(100));
        check(throttled(2), THROTTLED, 1.0, wait(200));
        check(throttled(3), THROTTLED, 1.0, wait(250));
        check(failed(2), TIMEOUT, 0.5, wait(100));
        check(failed(2), TIMEOUT, 0.0, wait(0));
    }

    #[test]
    fn what_the_gateway_asks_for_is_the_least_wait() {
        let retry_after = Some(Duration::from_secs(2));
        let asked = PushOutcome::Throttled { retry_after };
        let asked_for = Decision::Retry(Duration::from_secs(2));
        check(throttled(1), asked, 0.1, asked_for);
    }

    #[test]
    fn attempts_are_bounded_and_throttled_ones_by_more() {
        check(failed(4), TIMEOUT, 0.5, Decision::Exhausted);
        check(failed(u32::MAX), TIMEOUT, 0.5, Decision::Exhausted);
        check(throttled(6), THROTTLED, 0.5, Decision::Exhausted);
        let both = Tries {
            failed: 3,
            throttled: 5,
        };
        let wait = Decision::Retry(Duration::from_millis(250));
        check(both, THROTTLED, 1.0, wait);
    }

    #[test]
    fn gone_is_gone_on_any_attempt() {
        check(failed(0), PushOutcome::Gone, 0.0, Decision::Gone);
        check(failed(4), PushOutcome::Gone, 0.0, Decision::Gone);
    }

    #[test]
    fn what_would_fail_again_is_not_repeated() {
        let rejected = PushOutcome::Rejected { reason: "status" };
        check(failed(0), rejected, 0.0, Decision::Failed);
        check(failed(0), PushOutcome::TooLarge, 0.0, Decision::FailAll);
        check(failed(0), PushOutcome::Forbidden, 0.0, Decision::Abort);
    }
}
