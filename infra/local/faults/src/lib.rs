//! A seeded plan of faults for the local stack.
//!
//! Every kind of fault draws from a sequence of its own, so that the n-th
//! decision of one kind is the same for a seed whatever the other kinds did
//! in between.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often one kind of fault strikes, as a seeded sequence of decisions.
///
/// Clones share the sequence.
#[derive(Clone, Debug, Default)]
pub struct Fault {
    probability: f64,
    seed: u64,
    drawn: Arc<AtomicU64>,
}

impl Fault {
    /// Makes a sequence in which a fault strikes with `probability` (0 to 1).
    #[must_use]
    pub fn new(probability: f64, seed: u64) -> Self {
        Self {
            probability,
            seed,
            drawn: Arc::default(),
        }
    }

    /// Draws the next decision: whether the fault strikes this time.
    #[must_use]
    pub fn strikes(&self) -> bool {
        if self.probability <= 0.0 {
            return false;
        }
        let nth = self.drawn.fetch_add(1, Ordering::Relaxed);
        // Mixed so that neighbouring counters do not give neighbouring seeds.
        let seed = self.seed ^ nth.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        fastrand::Rng::with_seed(seed).f64() < self.probability
    }
}

/// What goes wrong in the local stack, and how often.
///
/// Parsed from a comma-separated list such as
/// `throttle=5%,false-gone=0.01,slow-call=2%:150ms`. The default plan holds no
/// fault at all.
#[derive(Clone, Debug, Default)]
pub struct FaultPlan {
    /// `throttle`: a `@connections` call is answered 429 though the account
    /// has capacity.
    pub throttle: Fault,
    /// `false-gone`: a push to a live connection is answered 410.
    pub false_gone: Fault,
    /// `server-error`: a push is answered 500 without being delivered.
    pub server_error: Fault,
    /// `slow-call`: a push is held back by [`FaultPlan::slow_call_by`].
    pub slow_call: Fault,
    /// How long a slow call is held back.
    pub slow_call_by: Duration,
    /// `lost-disconnect`: a socket closes without a `$disconnect` event.
    pub lost_disconnect: Fault,
    /// `duplicate-delivery`: an SQS message is delivered once more while its
    /// first delivery is still in flight.
    pub duplicate_delivery: Fault,
    /// `kill-function`: a function's process is killed in the middle of an
    /// invocation.
    pub kill_function: Fault,
}

/// The kinds of fault, as they are written in a plan.
pub const KINDS: [&str; 7] = [
    "throttle",
    "false-gone",
    "server-error",
    "slow-call",
    "lost-disconnect",
    "duplicate-delivery",
    "kill-function",
];

/// Why a fault plan could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseError {
    /// An entry has no `=`.
    #[error("expected KIND=PROBABILITY, got {0:?}")]
    NotAnEntry(String),
    /// The kind is none of [`KINDS`].
    #[error("unknown fault {0:?}; known are {known}", known = KINDS.join(", "))]
    UnknownKind(String),
    /// The probability is not a number from 0 to 1 or a percentage.
    #[error("{kind}: expected a probability such as 0.05 or 5%, got {value:?}")]
    Probability {
        /// The fault that it was given for.
        kind: String,
        /// What was given.
        value: String,
    },
    /// The delay of a slow call is not a whole number of milliseconds.
    #[error("slow-call: expected PROBABILITY:MILLISECONDSms such as 2%:150ms, got {0:?}")]
    Delay(String),
}

impl FaultPlan {
    /// Reads a plan; `seed` decides which calls it strikes.
    pub fn parse(text: &str, seed: u64) -> Result<Self, ParseError> {
        let mut plan = Self {
            slow_call_by: Duration::from_millis(100),
            ..Self::default()
        };
        let entries = text.split(',').map(str::trim);
        for entry in entries.filter(|entry| !entry.is_empty()) {
            let (kind, value) = entry
                .split_once('=')
                .ok_or_else(|| ParseError::NotAnEntry(entry.to_owned()))?;
            plan.set(kind, value, seed)?;
        }
        Ok(plan)
    }

    fn set(&mut self, kind: &str, value: &str, seed: u64) -> Result<(), ParseError> {
        let index = KINDS.iter().position(|known| *known == kind);
        let stream = index.ok_or_else(|| ParseError::UnknownKind(kind.to_owned()))?;
        let (value, delay) = match value.split_once(':') {
            Some((value, delay)) if kind == "slow-call" => (value, Some(delay)),
            _ => (value, None),
        };
        if let Some(delay) = delay {
            let milliseconds = delay.strip_suffix("ms").and_then(|n| n.parse().ok());
            let milliseconds = milliseconds.ok_or_else(|| ParseError::Delay(delay.to_owned()))?;
            self.slow_call_by = Duration::from_millis(milliseconds);
        }
        let probability = parse_probability(value).ok_or_else(|| ParseError::Probability {
            kind: kind.to_owned(),
            value: value.to_owned(),
        })?;
        let fault = Fault::new(probability, seed.wrapping_add((stream as u64) << 32));
        match kind {
            "throttle" => self.throttle = fault,
            "false-gone" => self.false_gone = fault,
            "server-error" => self.server_error = fault,
            "slow-call" => self.slow_call = fault,
            "lost-disconnect" => self.lost_disconnect = fault,
            "duplicate-delivery" => self.duplicate_delivery = fault,
            _ => self.kill_function = fault,
        }
        Ok(())
    }
}

impl FromStr for FaultPlan {
    type Err = ParseError;

    /// Reads a plan with seed 0.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text, 0)
    }
}

fn parse_probability(text: &str) -> Option<f64> {
    let probability = match text.strip_suffix('%') {
        Some(percent) => percent.parse::<f64>().ok()? / 100.0,
        None => text.parse().ok()?,
    };
    (0.0..=1.0).contains(&probability).then_some(probability)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decisions(plan: &FaultPlan, n: usize) -> Vec<bool> {
        (0..n).map(|_| plan.throttle.strikes()).collect()
    }

    #[test]
    fn the_same_seed_strikes_the_same_calls() {
        let first = FaultPlan::parse("throttle=30%", 7).unwrap();
        let second = FaultPlan::parse("slow-call=50%:5ms,throttle=0.3", 7).unwrap();
        let _ = second.slow_call.strikes();
        assert_eq!(decisions(&first, 200), decisions(&second, 200));
        let other = FaultPlan::parse("throttle=30%", 8).unwrap();
        assert_ne!(decisions(&other, 200), decisions(&second, 200));
    }

    #[test]
    fn a_fault_strikes_about_as_often_as_it_says() {
        let plan = FaultPlan::parse("throttle=5%", 1).unwrap();
        let struck = decisions(&plan, 10_000).into_iter().filter(|s| *s).count();
        assert!((400..600).contains(&struck), "struck {struck} of 10,000");
    }

    #[test]
    fn no_plan_means_no_fault() {
        let plan = FaultPlan::default();
        assert!(!decisions(&plan, 1_000).contains(&true));
    }

    #[test]
    fn a_slow_call_takes_its_delay() {
        let plan = FaultPlan::parse("slow-call=2%:150ms", 0).unwrap();
        assert_eq!(plan.slow_call_by, Duration::from_millis(150));
    }

    #[test]
    fn errors_name_what_was_wrong_and_what_would_be_right() {
        let message = |text: &str| FaultPlan::parse(text, 0).unwrap_err().to_string();
        assert_eq!(
            message("throttle"),
            "expected KIND=PROBABILITY, got \"throttle\""
        );
        assert!(
            message("trottle=1%").starts_with("unknown fault \"trottle\"; known are throttle,")
        );
        assert_eq!(
            message("throttle=120%"),
            "throttle: expected a probability such as 0.05 or 5%, got \"120%\""
        );
        assert_eq!(
            message("slow-call=1%:fast"),
            "slow-call: expected PROBABILITY:MILLISECONDSms such as 2%:150ms, got \"fast\""
        );
    }
}
