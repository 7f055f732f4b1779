//! What a gateway does to the pushes of a run.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use serde::Serialize;

use crate::figures::thousands;
use crate::harness::stack_options;
use crate::micros::as_micros;

/// How many of a hundred calls a faulty gateway throttles.
const THROTTLED_PERCENT: u32 = 5;
/// Of how many connections one is gone at a faulty gateway.
const ONE_GONE_OF: u32 = 100;

/// The time to end that everybody gets, and that for each connection beside
/// what its push takes: many times what the slowest needs.
const TIME_AT_LEAST: Duration = Duration::from_mins(1);
const TIME_FOR_EACH: Duration = Duration::from_millis(20);

/// A gateway, and how many connections it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Scenario {
    /// The rows of the table.
    pub(crate) connections: u32,
    /// How long each push takes at the gateway.
    #[serde(rename = "push_takes_us", serialize_with = "as_micros")]
    pub(crate) push_takes: Duration,
    /// Whether 1 % of the connections are gone and 5 % of the calls throttled.
    pub(crate) is_faulty: bool,
}

impl Scenario {
    /// The options of a local stack with this gateway; `seed` decides which calls
    /// its faults strike.
    pub(crate) fn stack_options(&self, seed: u64) -> Vec<String> {
        stack_options(&[
            ["--simulated", &self.connections.to_string()],
            ["--account-rate", "unlimited"],
            ["--faults", &self.fault_plan()],
            ["--fault-seed", &seed.to_string()],
            // Its rows are as old as the stack: too young to be deleted
            // otherwise.
            ["--env", "HANDSHAKE_GRACE_MS=0"],
            ["--log", "error"],
        ])
    }

    /// The plan for the local stack's `--faults`.
    fn fault_plan(&self) -> String {
        let slow = format!("slow-call=100%:{}ms", self.push_takes.as_millis());
        if self.is_faulty {
            format!("{slow},throttle={THROTTLED_PERCENT}%")
        } else {
            slow
        }
    }

    /// How many of the connections are gone, though their rows are there.
    pub(crate) fn gone(&self) -> u32 {
        if self.is_faulty {
            self.connections.div_ceil(ONE_GONE_OF)
        } else {
            0
        }
    }

    /// How long a contestant may take.
    pub(crate) fn time_limit(&self) -> Duration {
        TIME_AT_LEAST + (TIME_FOR_EACH + self.push_takes * 4) * self.connections
    }
}

impl Display for Scenario {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let millis = self.push_takes.as_millis();
        write!(
            f,
            "{} connections, {millis} ms a push",
            thousands(self.connections.into())
        )?;
        if self.is_faulty {
            let percent = 100 / ONE_GONE_OF;
            write!(f, ", {percent} % gone, {THROTTLED_PERCENT} % throttled")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Scenario = Scenario {
        connections: 10_000,
        push_takes: Duration::from_millis(10),
        is_faulty: false,
    };
    const FAULTY: Scenario = Scenario {
        connections: 1_050,
        is_faulty: true,
        ..CALM
    };

    #[test]
    fn a_calm_gateway_is_only_slow() {
        assert_eq!(CALM.fault_plan(), "slow-call=100%:10ms");
        assert_eq!(CALM.gone(), 0);
        assert_eq!(CALM.to_string(), "10,000 connections, 10 ms a push");
    }

    #[test]
    fn a_faulty_gateway_throttles_and_has_lost_some() {
        assert_eq!(FAULTY.fault_plan(), "slow-call=100%:10ms,throttle=5%");
        assert_eq!(FAULTY.gone(), 11);
        let title = "1,050 connections, 10 ms a push, 1 % gone, 5 % throttled";
        assert_eq!(FAULTY.to_string(), title);
    }

    #[test]
    fn one_push_after_the_other_is_given_the_time_it_takes() {
        assert!(CALM.time_limit() > CALM.push_takes * 3 * CALM.connections);
    }
}
