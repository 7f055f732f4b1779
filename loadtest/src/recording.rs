//! A recorder that the sockets and the publisher share.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use crate::{
    clock::Clock,
    recorder::{Bounds, Recorder, measurements::Measurements},
};

/// One run being recorded. Times are read from [`Recording::now`] before the
/// recorder is locked, so that waiting for it never counts as latency.
#[derive(Debug)]
pub struct Recording {
    clock: Clock,
    recorder: Mutex<Recorder>,
    settled: Notify,
}

impl Recording {
    /// Starts a clock at zero, for so many subscribers.
    #[must_use]
    pub fn start(subscribers: u32) -> Self {
        Self::new(
            Clock::start(),
            Recorder::new(subscribers, Bounds::default()),
        )
    }

    /// Records what happens on a clock.
    #[must_use]
    pub fn new(clock: Clock, recorder: Recorder) -> Self {
        Self {
            clock,
            recorder: Mutex::new(recorder),
            settled: Notify::new(),
        }
    }

    /// The clock of the run.
    #[must_use]
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// Time since the start.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.clock.now()
    }

    /// Tells the recorder something, or asks it.
    pub fn with<T>(&self, tell: impl FnOnce(&mut Recorder) -> T) -> T {
        let mut recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = tell(&mut recorder);
        if recorder.is_settled() {
            self.settled.notify_one();
        }
        answer
    }

    /// Waits until nothing is on its way. One task may wait at a time.
    ///
    /// # Cancel safety
    /// Nothing is lost: it may be called again.
    pub async fn settled(&self) {
        while !self.with(|recorder| recorder.is_settled()) {
            self.settled.notified().await;
        }
    }

    /// Ends the measurement. What is told afterwards is not measured.
    #[must_use]
    pub fn finish(&self) -> Measurements {
        let unused = Recorder::new(0, Bounds::default());
        self.with(|recorder| std::mem::replace(recorder, unused))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{parking::Arrival, subscriber_set::SubscriberIndex};

    #[tokio::test(start_paused = true)]
    async fn settled_returns_at_the_last_arrival() {
        let recording = Recording::start(1);
        let subscriber = SubscriberIndex(0);
        recording.with(|r| r.opened(subscriber, Duration::ZERO));
        recording.with(|r| r.sent(0, Duration::ZERO, Duration::ZERO));
        recording.with(|r| r.accepted(0, "a"));
        let arrival = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            let at = recording.now();
            recording.with(|r| r.arrived("a", Arrival { subscriber, at }));
        };
        tokio::join!(recording.settled(), arrival);
        assert_eq!(recording.now(), Duration::from_secs(3));
    }

    #[tokio::test]
    async fn what_comes_after_the_end_is_not_measured() {
        let recording = Recording::start(1);
        let measured = recording.finish();
        recording.with(|r| r.opened(SubscriberIndex(0), Duration::ZERO));
        assert_eq!(measured.counts.connected, 0);
    }
}
