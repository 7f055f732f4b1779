//! Drives the publishes along their schedule.

use std::time::Duration;

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::time::sleep_until;

use crate::{
    causes::with_causes,
    limits::MAX_UNANSWERED_PUBLISHES,
    publisher::{Accepted, PublishError},
    recording::Recording,
    schedule::Schedule,
};

/// Sends every notification at its instant, and waits for the answers.
/// `publish` is given the number of the notification and its intended instant
/// on the clock of the recording.
///
/// No send waits for the answer to another, unless
/// [`MAX_UNANSWERED_PUBLISHES`] are waiting already: then it leaves late, which
/// is recorded. Returns the latest notification that was accepted.
///
/// # Errors
/// The first answer that every publish would get, as long as none has been
/// accepted; the remaining sends are not made.
///
/// # Cancel safety
/// Dropping it stops the schedule and abandons the publishes under way, which
/// stay unanswered in the recording.
pub async fn drive<F>(
    schedule: Schedule,
    recording: &Recording,
    publish: impl Fn(u64, Duration) -> F,
) -> Result<Option<Accepted>, PublishError>
where
    F: Future<Output = Result<Accepted, PublishError>>,
{
    let clock = recording.clock();
    let start = clock.now();
    let mut answers = FuturesUnordered::new();
    let mut next = 0;
    let mut latest: Option<(u64, Accepted)> = None;
    loop {
        let has_room = answers.len() < MAX_UNANSWERED_PUBLISHES;
        let due = schedule.due(next).filter(|_| has_room);
        if due.is_none() && answers.is_empty() {
            return Ok(latest.map(|(_, accepted)| accepted));
        }
        let intended = start + due.unwrap_or_default();
        tokio::select! {
            biased;
            () = sleep_until(clock.instant(intended)), if due.is_some() => {
                let sequence = next;
                let sending = publish(sequence, intended);
                answers.push(async move {
                    recording.with(|r| r.sent(sequence, intended, recording.now()));
                    (sequence, sending.await)
                });
                next += 1;
            }
            Some((sequence, answer)) = answers.next() => match answer {
                Ok(accepted) => {
                    let is_new = recording.with(|r| r.accepted(sequence, &accepted.id));
                    if is_new && latest.as_ref().is_none_or(|(last, _)| *last < sequence) {
                        latest = Some((sequence, accepted));
                    }
                }
                Err(error) => {
                    recording.with(|r| r.publish_failed(sequence, || with_causes(&error)));
                    if latest.is_none() && error.is_permanent() {
                        return Err(error);
                    }
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use http::StatusCode;
    use tokio::time::sleep;

    use super::*;
    use crate::{clock::Clock, parking::Arrival, subscriber_set::SubscriberIndex, units::Rate};

    fn schedule(rate: &str, sends: u64) -> Schedule {
        Schedule::counting(rate.parse::<Rate>().unwrap(), sends)
    }

    fn accepted(sequence: u64) -> Accepted {
        Accepted {
            id: sequence.to_string(),
            location: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn sends_leave_on_time_however_slow_the_answers_are() {
        let recording = Recording::start(0);
        let left = RefCell::new(Vec::new());
        let latest = drive(schedule("2/s", 4), &recording, |sequence, _| {
            left.borrow_mut().push(recording.now().as_millis());
            async move {
                sleep(Duration::from_secs(20)).await;
                Ok(accepted(sequence))
            }
        });
        assert_eq!(latest.await.unwrap(), Some(accepted(3)));
        assert_eq!(*left.borrow(), [0, 500, 1_000, 1_500]);
        assert_eq!(recording.now(), Duration::from_millis(21_500));
        assert_eq!(recording.finish().counts.late_sends, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_the_bound_of_unanswered_publishes_sends_are_late() {
        let recording = Recording::start(0);
        let sends = u64::try_from(MAX_UNANSWERED_PUBLISHES).unwrap() + 1;
        let driven = drive(
            schedule("1000/s", sends),
            &recording,
            |sequence, _| async move {
                sleep(Duration::from_secs(10)).await;
                Ok(accepted(sequence))
            },
        );
        driven.await.unwrap();
        let measured = recording.finish();
        assert_eq!(measured.counts.late_sends, 1);
        assert_eq!(measured.latest_send, Duration::from_millis(10_000 - 512));
    }

    /// Polls what it wraps only while the clock is outside a span of time: a
    /// process that is stopped, a thread that is blocked.
    async fn stalled<T>(from: Duration, until: Duration, inner: impl Future<Output = T>) -> T {
        let clock = Clock::start();
        let mut inner = std::pin::pin!(inner);
        let mut resumed = std::pin::pin!(sleep(until));
        std::future::poll_fn(|context| {
            let is_stalled = clock.now() >= from && resumed.as_mut().poll(context).is_pending();
            if is_stalled {
                return std::task::Poll::Pending;
            }
            inner.as_mut().poll(context)
        })
        .await
    }

    #[tokio::test(start_paused = true)]
    async fn a_stall_of_the_publisher_is_in_the_latency_and_not_in_the_service_time() {
        let recording = Recording::start(1);
        let subscriber = SubscriberIndex(0);
        recording.with(|r| r.opened(subscriber, Duration::ZERO));
        let driven = drive(schedule("10/s", 30), &recording, |sequence, _| {
            let recording = &recording;
            async move {
                sleep(Duration::from_millis(2)).await;
                let at = recording.now();
                let arrival = Arrival { subscriber, at };
                recording.with(|r| r.arrived(&sequence.to_string(), arrival));
                Ok(accepted(sequence))
            }
        });
        let second = Duration::from_secs(1);
        stalled(second, 2 * second, driven).await.unwrap();
        let measured = recording.finish();
        assert_eq!(
            (measured.counts.received, measured.counts.late_sends),
            (30, 10)
        );
        let (latency, service_time) = (
            measured.latency_us.unwrap(),
            measured.service_time_us.unwrap(),
        );
        // Due at 1.0 to 1.9 s, sent at 2 s: 10 of 30 waited 0.1 to 1 s.
        assert_eq!(latency.max.div_euclid(1_000), 1_002);
        assert_eq!(latency.p90.div_euclid(1_000), 702);
        assert_eq!(latency.p50.div_euclid(1_000), 2);
        assert_eq!(service_time.max.div_euclid(1_000), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_address_stops_the_schedule_at_the_first_answer() {
        let recording = Recording::start(0);
        let driven = drive(schedule("1/s", 100), &recording, |_, _| async {
            Err(PublishError::Refused(StatusCode::NOT_FOUND))
        });
        assert!(driven.await.is_err());
        assert_eq!(recording.now(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_server_does_not_stop_the_schedule() {
        let recording = Recording::start(0);
        let driven = drive(schedule("1/s", 3), &recording, |sequence, _| async move {
            match sequence {
                1 => Ok(accepted(1)),
                2 => Err(PublishError::Refused(StatusCode::BAD_REQUEST)),
                _ => Err(PublishError::Refused(StatusCode::SERVICE_UNAVAILABLE)),
            }
        });
        assert_eq!(driven.await.unwrap(), Some(accepted(1)));
        let counts = recording.finish().counts;
        assert_eq!(
            (counts.sent, counts.accepted, counts.publish_errors),
            (3, 1, 2)
        );
    }
}
