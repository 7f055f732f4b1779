//! What the quotas allow: how long a broadcast and connecting take.
//!
//! API Gateway holds an account to a token bucket: `burst` requests at once, and
//! `rate` a second (<https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html>).
//! Every push takes a token from it, so that `n` pushes take at least
//! `max(0, (n - burst) / rate)`, however they are made.

use std::time::Duration;

use crate::units::Rate;

/// An account's bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Requests a second.
    pub rate: Rate,
    /// Requests at once, after a pause.
    pub burst: u64,
}

impl Quota {
    /// How long so many pushes take at least, from a full bucket.
    #[must_use]
    pub fn time_for(self, pushes: u64) -> Duration {
        self.rate.offset(pushes.saturating_sub(self.burst))
    }

    /// How long it takes at least to reach `percent` of the connections, the
    /// part of one counting as one.
    #[must_use]
    pub fn time_to_reach(self, percent: u64, connections: u64) -> Duration {
        self.time_for(connections.saturating_mul(percent).div_ceil(100))
    }

    /// How long the bucket takes to be full again.
    #[must_use]
    pub fn time_to_refill(self) -> Duration {
        self.rate.offset(self.burst)
    }
}

/// How long it takes to open so many connections, at an even rate.
#[must_use]
pub fn time_to_connect(connections: u64, rate: Rate) -> Duration {
    rate.offset(connections)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quota(rate: &str, burst: u64) -> Quota {
        Quota {
            rate: rate.parse().unwrap(),
            burst,
        }
    }

    #[track_caller]
    fn check(quota: Quota, connections: u64, millis: [u128; 3]) {
        let times = [50, 99, 100].map(|percent| quota.time_to_reach(percent, connections));
        assert_eq!(times.map(|time| time.as_millis()), millis);
    }

    #[test]
    fn three_hundred_thousand_take_half_a_minute() {
        // (150,000 - 5,000) / 10,000; (297,000 - 5,000) / 10,000; and so on.
        check(quota("10000/s", 5_000), 300_000, [14_500, 29_200, 29_500]);
        check(quota("2500/s", 1_250), 10_000, [1_500, 3_460, 3_500]);
    }

    #[test]
    fn a_burst_takes_no_time() {
        check(quota("10000/s", 5_000), 5_000, [0, 0, 0]);
        check(quota("10000/s", 5_000), 0, [0, 0, 0]);
        check(quota("10/s", 5), 6, [0, 100, 100]);
    }

    #[test]
    fn the_bucket_refills_at_its_rate() {
        let refilled = quota("10000/s", 5_000).time_to_refill();
        assert_eq!(refilled, Duration::from_millis(500));
    }

    #[test]
    fn connecting_takes_ten_minutes_for_three_hundred_thousand() {
        let took = time_to_connect(300_000, "500/s".parse().unwrap());
        assert_eq!(took, Duration::from_mins(10));
    }

    proptest! {
        #[test]
        fn the_times_are_those_of_a_simulated_bucket(
            pushes in 1_u64..2_000,
            rate in 1_u64..500,
            burst in 0_u64..500,
        ) {
            // Push n takes the next token: one of the first `burst` at once,
            // each further one 1 / rate after the one before.
            let mut micros = 0_u64;
            for _ in burst..pushes {
                micros += 1_000_000;
            }
            let expected = Duration::from_micros(micros) / u32::try_from(rate).unwrap();
            let took = quota(&format!("{rate}/s"), burst).time_for(pushes);
            prop_assert!(took.abs_diff(expected) < Duration::from_micros(1));
        }
    }
}
