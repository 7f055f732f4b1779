//! Pacing: when the next push may start.
//!
//! One governor rate limiter holds a worker's share of the account's rate.
//! Deciding and waiting are separate: [`Pacer::try_start`] says when, the
//! caller sleeps. Many tasks awaiting the limiter would be slow and unfair; the
//! engine asks from one loop.
//!
//! When the account throttles, the pacer slows down below its share by raising
//! the price of a push, and recovers step by step. The limiter itself never
//! changes, so that no state of the pacer can exceed the share.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

/// What a push costs at full speed, in cells of the limiter: fine enough to
/// slow down by a few per cent.
const FULL_SPEED_PRICE: u32 = 100;
/// The slowest speed, as a fraction of the share.
const SLOWEST: f64 = 0.05;
/// How many times the part that was throttled is taken off the speed: what was
/// too fast, and as much again, for what the account lacks by then.
const DECREASE: f64 = 2.0;
/// The most that one round takes off.
const LARGEST_DECREASE: f64 = 0.5;
/// What the speed gains in a round without throttling.
const INCREASE: f64 = 0.05;
/// How long a round is: several round trips to the gateway, so that a slower
/// speed shows its effect before the next decision.
const ROUND: Duration = Duration::from_millis(200);
/// In a round, this part of the pushes may be throttled without slowing down.
const TOLERATED: f64 = 0.01;

/// After so long without a push that was noted, a worker is at rest: its burst is
/// being saved up, and not what the next push waits for.
const REST: Duration = Duration::from_millis(100);

/// A worker's share of the account's request rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Pushes a second.
    pub rate: NonZeroU32,
    /// Pushes that may start at once after a pause.
    pub burst: NonZeroU32,
}

/// Says when pushes may start, for all the runs of one process.
#[derive(Debug)]
pub struct Pacer {
    limiter: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>,
    clock: TokioClock,
    /// More than the burst could never be paid. A burst of fewer than
    /// 1 / [`SLOWEST`] pushes therefore bounds how far the pacer slows down.
    most_expensive: NonZeroU32,
    speed: Mutex<Speed>,
}

impl Pacer {
    /// Makes a pacer that keeps to `share`.
    #[must_use]
    pub fn new(share: Share) -> Self {
        let price = NonZeroU32::MIN.saturating_add(FULL_SPEED_PRICE - 1);
        let quota = Quota::per_second(share.rate.saturating_mul(price))
            .allow_burst(share.burst.saturating_mul(price));
        let clock = TokioClock {
            started: Instant::now(),
        };
        Self {
            most_expensive: share.burst.saturating_mul(price),
            limiter: RateLimiter::direct_with_clock(quota, clock),
            clock,
            speed: Mutex::new(Speed::full(Instant::now())),
        }
    }

    /// Takes the permit for one push.
    ///
    /// # Errors
    /// Returns when to ask again if no push may start now.
    pub fn try_start(&self) -> Result<(), Instant> {
        let price = self.speed().price().min(self.most_expensive);
        match self.limiter.check_n(price) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_until)) => Err(self.clock.started + not_until.earliest_possible()),
            // Cannot happen while the price is at most the burst.
            Err(_) => Err(Instant::now() + ROUND),
        }
    }

    /// Notes how a push ended, be it the first of its connection or any that was
    /// not throttled. A connection that is throttled over and over is a slow
    /// client, and says nothing of the account.
    pub fn note(&self, is_throttled: bool) {
        self.speed().note(Instant::now(), is_throttled);
    }

    /// Whether no push was noted for a while, so that the next may well start at
    /// once.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.speed().is_at_rest(Instant::now())
    }

    fn speed(&self) -> std::sync::MutexGuard<'_, Speed> {
        self.speed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How fast pushes start, as a fraction of the share: additive increase, and
/// multiplicative decrease in proportion to what was throttled. A burst that
/// reaches the gateway closer together than it left is a few per cent too much,
/// once; a share that is twice what there is, is half too much.
#[derive(Debug)]
struct Speed {
    fraction: f64,
    round_ends: Instant,
    ended: u32,
    throttled: u32,
    /// When the latest push was noted.
    noted_at: Option<Instant>,
}

impl Speed {
    fn full(now: Instant) -> Self {
        Self {
            fraction: 1.0,
            round_ends: now + ROUND,
            ended: 0,
            throttled: 0,
            noted_at: None,
        }
    }

    fn is_at_rest(&self, now: Instant) -> bool {
        self.noted_at.is_none_or(|noted_at| now - noted_at >= REST)
    }

    fn note(&mut self, now: Instant, is_throttled: bool) {
        self.noted_at = Some(now);
        self.ended = self.ended.saturating_add(1);
        self.throttled += u32::from(is_throttled);
        if now < self.round_ends {
            return;
        }
        // A single throttled push is always tolerated: it says nothing yet.
        let tolerated = (f64::from(self.ended) * TOLERATED).max(1.0);
        if f64::from(self.throttled) > tolerated {
            let throttled = f64::from(self.throttled) / f64::from(self.ended);
            let decrease = (throttled * DECREASE).min(LARGEST_DECREASE);
            self.fraction = (self.fraction * (1.0 - decrease)).max(SLOWEST);
        } else {
            self.fraction = (self.fraction + INCREASE).min(1.0);
        }
        (self.ended, self.throttled) = (0, 0);
        self.round_ends = now + ROUND;
    }

    fn price(&self) -> NonZeroU32 {
        let price = f64::from(FULL_SPEED_PRICE) / self.fraction;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between FULL_SPEED_PRICE and FULL_SPEED_PRICE / SLOWEST"
        )]
        let price = price.round() as u32;
        NonZeroU32::new(price).unwrap_or(NonZeroU32::MIN)
    }
}

/// Tokio's clock for governor, as the time since it was started: it stands
/// still when Tokio's time is paused.
#[derive(Clone, Copy, Debug)]
struct TokioClock {
    started: Instant,
}

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pacer(rate: u32, burst: u32) -> Pacer {
        Pacer::new(Share {
            rate: NonZeroU32::new(rate).unwrap(),
            burst: NonZeroU32::new(burst).unwrap(),
        })
    }

    /// Starts pushes for `span`, sleeping whenever the pacer says so, and
    /// returns how many were started.
    async fn pushes_in(pacer: &Pacer, span: Duration, is_throttled: bool) -> u32 {
        let end = Instant::now() + span;
        let mut started = 0;
        while Instant::now() < end {
            match pacer.try_start() {
                Ok(()) => {
                    started += 1;
                    pacer.note(is_throttled);
                }
                Err(until) => tokio::time::sleep_until(until.min(end)).await,
            }
        }
        started
    }

    #[tokio::test(start_paused = true)]
    async fn the_share_is_reached_and_never_exceeded() {
        for (rate, burst) in [(1_000, 20), (9_900, 200), (500, 1)] {
            let pacer = pacer(rate, burst);
            let started = pushes_in(&pacer, Duration::from_secs(10), false).await;
            let most = rate * 10 + burst;
            assert!(started <= most, "{started} > {most}");
            assert!(started * 100 >= most * 99, "{started} of {most}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_saves_up_no_more_than_the_burst() {
        let pacer = pacer(100, 50);
        tokio::time::advance(Duration::from_hours(1)).await;
        let at_once = std::iter::repeat_with(|| pacer.try_start())
            .take_while(Result::is_ok)
            .count();
        assert_eq!(at_once, 50);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_at_rest_until_a_push_ended_and_some_time_after_the_last() {
        let pacer = pacer(1_000, 20);
        assert!(pacer.is_at_rest());
        pacer.note(false);
        tokio::time::advance(REST / 2).await;
        assert!(!pacer.is_at_rest());
        pacer.note(true);
        tokio::time::advance(REST / 2).await;
        assert!(!pacer.is_at_rest());
        tokio::time::advance(REST / 2).await;
        assert!(pacer.is_at_rest());
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_slows_down_and_recovery_is_gradual() {
        let pacer = pacer(1_000, 20);
        let second = Duration::from_secs(1);
        pushes_in(&pacer, second * 5, true).await;
        let throttled = pushes_in(&pacer, second, true).await;
        assert!(throttled < 150, "{throttled} pushes while throttled");
        let recovering = pushes_in(&pacer, second, false).await;
        assert!((100..600).contains(&recovering), "{recovering} pushes");
        pushes_in(&pacer, second * 5, false).await;
        let recovered = pushes_in(&pacer, second, false).await;
        assert!(recovered >= 990, "{recovered} pushes after recovery");
    }

    #[tokio::test(start_paused = true)]
    async fn it_slows_down_by_as_much_as_was_too_fast() {
        for (throttled, percent) in [(1, 100), (3, 94), (10, 80), (25, 50), (100, 50)] {
            let pacer = pacer(1_000, 20);
            for nth in 1..100 {
                pacer.note(nth < throttled);
            }
            tokio::time::advance(ROUND).await;
            pacer.note(true);
            let price = (FULL_SPEED_PRICE * 100) / percent;
            assert_eq!(pacer.speed().price().get(), price, "{throttled} of 100");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stray_throttle_slows_nobody_down() {
        let pacer = pacer(1_000, 20);
        for _ in 0..10 {
            pacer.note(true);
            pushes_in(&pacer, ROUND, false).await;
        }
        assert_eq!(pacer.speed().price().get(), FULL_SPEED_PRICE);
    }
}
