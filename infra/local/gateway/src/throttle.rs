//! API Gateway's token bucket.
//!
//! A bucket of `burst` tokens refills at `rate_per_second`; a request takes
//! one token or is refused. See "Throttle requests to your REST APIs" in the
//! API Gateway developer guide.

use std::sync::Mutex;
use std::time::Duration;

use crate::clock::Clock;
use crate::sync::lock;

/// How many requests are let through: a steady rate, and a burst on top of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// How many tokens come back each second.
    pub rate_per_second: u32,
    /// How many tokens the bucket holds: what an idle bucket grants at once.
    pub burst: u32,
}

/// A token bucket that is told the time.
///
/// Credit is counted in billionths of a token, so that nothing is rounded: in
/// any span `t` it grants at most `burst + rate_per_second · t` requests.
#[derive(Clone, Debug)]
pub struct Bucket {
    limit: RateLimit,
    credit: u64,
    refilled_at: Duration,
}

/// One token, in units of credit. A nanosecond earns `rate_per_second` units.
const TOKEN: u64 = 1_000_000_000;

impl Bucket {
    /// Makes a full bucket. `now` is the time since any fixed moment.
    #[must_use]
    pub fn full(limit: RateLimit, now: Duration) -> Self {
        Self {
            limit,
            credit: Self::capacity(limit),
            refilled_at: now,
        }
    }

    /// Takes a token; `false` if there is none. A `now` before an earlier one
    /// earns nothing.
    pub fn try_take(&mut self, now: Duration) -> bool {
        self.refill(now);
        match self.credit.checked_sub(TOKEN) {
            Some(rest) => {
                self.credit = rest;
                true
            }
            None => false,
        }
    }

    fn refill(&mut self, now: Duration) {
        let Some(passed) = now.checked_sub(self.refilled_at) else {
            return;
        };
        self.refilled_at = now;
        let earned = passed
            .as_nanos()
            .saturating_mul(u128::from(self.limit.rate_per_second));
        let earned = u64::try_from(earned).unwrap_or(u64::MAX);
        let credit = self.credit.saturating_add(earned);
        self.credit = credit.min(Self::capacity(self.limit));
    }

    fn capacity(limit: RateLimit) -> u64 {
        u64::from(limit.burst) * TOKEN
    }
}

/// A bucket shared by everything that draws on one quota; without a limit it
/// refuses nothing.
#[derive(Debug)]
pub(crate) struct Throttle {
    bucket: Option<Mutex<Bucket>>,
    clock: Clock,
}

impl Throttle {
    pub(crate) fn new(limit: Option<RateLimit>, clock: Clock) -> Self {
        Self {
            bucket: limit.map(|limit| Mutex::new(Bucket::full(limit, clock.elapsed()))),
            clock,
        }
    }

    /// Whether one more request is let through now.
    pub(crate) fn admits(&self) -> bool {
        match &self.bucket {
            // The time is read under the lock: no caller sees it go back.
            Some(bucket) => {
                let mut bucket = lock(bucket);
                bucket.try_take(self.clock.elapsed())
            }
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn granted(bucket: &mut Bucket, attempts: u32, now: Duration) -> u32 {
        (0..attempts).map(|_| u32::from(bucket.try_take(now))).sum()
    }

    #[test]
    fn an_idle_bucket_refills_to_its_burst_and_no_further() {
        let limit = RateLimit {
            rate_per_second: 100,
            burst: 5,
        };
        let mut bucket = Bucket::full(limit, Duration::ZERO);
        assert_eq!(granted(&mut bucket, 10, Duration::ZERO), 5);
        assert_eq!(granted(&mut bucket, 10, Duration::from_millis(9)), 0);
        assert_eq!(granted(&mut bucket, 10, Duration::from_millis(10)), 1);
        assert_eq!(granted(&mut bucket, 10, Duration::from_hours(24)), 5);
    }

    #[test]
    fn a_time_in_the_past_earns_nothing() {
        let limit = RateLimit {
            rate_per_second: 1,
            burst: 1,
        };
        let mut bucket = Bucket::full(limit, Duration::from_secs(10));
        assert!(bucket.try_take(Duration::from_secs(10)));
        assert!(!bucket.try_take(Duration::from_secs(5)));
        assert!(!bucket.try_take(Duration::from_millis(10_999)));
        assert!(bucket.try_take(Duration::from_secs(11)));
    }

    #[test]
    fn the_largest_limits_do_not_overflow() {
        let limit = RateLimit {
            rate_per_second: u32::MAX,
            burst: u32::MAX,
        };
        let mut bucket = Bucket::full(limit, Duration::ZERO);
        assert!(bucket.try_take(Duration::MAX));
    }

    #[tokio::test]
    async fn no_limit_refuses_nothing() {
        let throttle = Throttle::new(None, Clock::system());
        assert!((0..100_000).all(|_| throttle.admits()));
    }

    proptest! {
        /// Requests arrive in a generated rhythm; every window between two
        /// grants is held against the promise.
        #[test]
        fn no_window_grants_more_than_burst_and_rate_allow(
            rate_per_second in 1_u32..5_000,
            burst in 1_u32..200,
            arrivals in prop::collection::vec((0_u64..3_000_000, 1_u32..40), 1..60),
        ) {
            let mut bucket = Bucket::full(RateLimit { rate_per_second, burst }, Duration::ZERO);
            let mut now = Duration::ZERO;
            let mut grants = Vec::new();
            for (gap_micros, attempts) in arrivals {
                now += Duration::from_micros(gap_micros);
                grants.push((now, u128::from(granted(&mut bucket, attempts, now))));
            }
            for (first, (from, _)) in grants.iter().enumerate() {
                let mut sum = 0;
                for (until, granted) in &grants[first..] {
                    sum += granted * u128::from(TOKEN);
                    let earned = until.saturating_sub(*from).as_nanos() * u128::from(rate_per_second);
                    prop_assert!(sum <= u128::from(burst) * u128::from(TOKEN) + earned);
                }
            }
        }

        /// Whoever keeps asking gets the whole rate, not merely at most the rate.
        #[test]
        fn steady_demand_gets_the_whole_rate(rate_per_second in 1_u32..2_000, burst in 4_u32..50) {
            let mut bucket = Bucket::full(RateLimit { rate_per_second, burst }, Duration::ZERO);
            let mut sum = 0;
            for millis in 0..=10_000 {
                sum += granted(&mut bucket, burst, Duration::from_millis(millis));
            }
            prop_assert_eq!(sum, burst + 10 * rate_per_second);
        }
    }
}
