//! Whether each socket receives the notifications in the order of their sends.

use std::{num::NonZeroU64, time::Duration};

use crate::{parking::Arrival, subscriber_set::SubscriberIndex};

/// The latest notification that each subscriber has received, in 24 bytes.
#[derive(Debug)]
pub(super) struct Order(Box<[Option<Latest>]>);

#[derive(Debug, Clone, Copy)]
struct Latest {
    /// From 1, so that nothing takes no room.
    number: NonZeroU64,
    at: Duration,
}

impl Order {
    pub(super) fn with_capacity(subscribers: u32) -> Self {
        Self((0..subscribers).map(|_| None).collect())
    }

    /// Notes the first arrival of notification `sequence` on a socket. Returns
    /// whether it arrived after a later notification. Arrivals may be told late
    /// (those that were parked): what counts is when they arrived.
    pub(super) fn arrive(&mut self, sequence: u64, Arrival { subscriber, at }: Arrival) -> bool {
        let SubscriberIndex(index) = subscriber;
        let latest = usize::try_from(index)
            .ok()
            .and_then(|index| self.0.get_mut(index));
        let (Some(latest), Some(number)) = (latest, NonZeroU64::new(sequence.saturating_add(1)))
        else {
            return false;
        };
        let arrived = Latest { number, at };
        let Some(known) = latest.replace(arrived) else {
            return false;
        };
        if known.number > number {
            *latest = Some(known);
            return known.at < at;
        }
        known.at > at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(arrivals: &[(u64, u64)], out_of_order: usize) {
        let mut order = Order::with_capacity(1);
        let counted = arrivals.iter().filter(|&&(sequence, at_ms)| {
            let at = Duration::from_millis(at_ms);
            let subscriber = SubscriberIndex(0);
            order.arrive(sequence, Arrival { subscriber, at })
        });
        assert_eq!(counted.count(), out_of_order, "{arrivals:?}");
    }

    #[test]
    fn what_arrives_after_a_later_one_is_out_of_order() {
        check(&[(0, 1), (1, 2), (2, 3)], 0);
        check(&[(0, 1), (2, 2), (1, 3), (3, 4)], 1);
        check(&[(2, 1), (1, 2), (0, 3)], 2);
    }

    #[test]
    fn an_arrival_that_is_told_late_counts_when_it_arrived() {
        check(&[(1, 20), (0, 10)], 0);
        check(&[(0, 20), (1, 10)], 1);
    }
}
