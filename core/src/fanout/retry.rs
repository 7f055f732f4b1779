//! What follows from the outcome of an attempt.

use std::time::Duration;

use crate::push::PushOutcome;

/// When and how often an attempt is repeated: exponential backoff with full
/// jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How many attempts a recipient gets, the first included.
    pub max_attempts: u32,
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

/// Decides what follows from the outcome of a recipient's attempt number
/// `attempt` (from 1); `jitter` is drawn evenly from 0 to 1.
#[must_use]
pub fn decide(policy: &Policy, attempt: u32, outcome: PushOutcome, jitter: f64) -> Decision {
    let retry = |at_least: Duration| {
        if attempt >= policy.max_attempts {
            Decision::Exhausted
        } else {
            let wait = policy.longest_wait(attempt).mul_f64(jitter.clamp(0.0, 1.0));
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
    fn longest_wait(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        self.base.saturating_mul(1 << doublings).min(self.cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        max_attempts: 4,
        base: Duration::from_millis(100),
        cap: Duration::from_millis(250),
    };
    const THROTTLED: PushOutcome = PushOutcome::Throttled { retry_after: None };

    #[track_caller]
    fn check(attempt: u32, outcome: PushOutcome, jitter: f64, expected: Decision) {
        assert_eq!(decide(&POLICY, attempt, outcome, jitter), expected);
    }

    #[test]
    fn waits_double_up_to_the_cap_with_full_jitter() {
        let wait = |ms| Decision::Retry(Duration::from_millis(ms));
        check(1, THROTTLED, 1.0, wait(100));
        check(2, THROTTLED, 1.0, wait(200));
        check(3, THROTTLED, 1.0, wait(250));
        check(2, THROTTLED, 0.5, wait(100));
        check(2, THROTTLED, 0.0, wait(0));
    }

    #[test]
    fn what_the_gateway_asks_for_is_the_least_wait() {
        let retry_after = Some(Duration::from_secs(2));
        let asked = PushOutcome::Throttled { retry_after };
        check(1, asked, 0.1, Decision::Retry(Duration::from_secs(2)));
    }

    #[test]
    fn attempts_are_bounded() {
        check(4, THROTTLED, 0.5, Decision::Exhausted);
        let timeout = PushOutcome::Transient { reason: "timeout" };
        check(4, timeout, 0.5, Decision::Exhausted);
        check(u32::MAX, timeout, 0.5, Decision::Exhausted);
    }

    #[test]
    fn gone_is_gone_on_any_attempt() {
        check(1, PushOutcome::Gone, 0.0, Decision::Gone);
        check(4, PushOutcome::Gone, 0.0, Decision::Gone);
    }

    #[test]
    fn what_would_fail_again_is_not_repeated() {
        let rejected = PushOutcome::Rejected { reason: "status" };
        check(1, rejected, 0.0, Decision::Failed);
        check(1, PushOutcome::TooLarge, 0.0, Decision::FailAll);
        check(1, PushOutcome::Forbidden, 0.0, Decision::Abort);
    }
}
