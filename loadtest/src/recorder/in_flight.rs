//! One notification between its send and its last arrival.

use std::time::Duration;

use crate::{
    curve::Curve,
    subscriber_set::{SubscriberIndex, SubscriberSet},
};

/// A notification that has left.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) intended: Duration,
    /// Known only to the process that sent it.
    pub(super) actual: Option<Duration>,
    pub(super) curve: Curve,
    /// Who is expected to receive it and has not.
    awaited: SubscriberSet,
    /// Who has received it, expected or not.
    reached: SubscriberSet,
}

/// What an arrival is to its notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reception {
    /// It was waited for.
    Expected,
    /// The first at a subscriber who is not waited for.
    Extra,
    /// Not the first at its subscriber.
    Duplicate,
}

impl InFlight {
    /// `timed` of its audience are in the curve.
    pub(super) fn new(
        intended: Duration,
        actual: Option<Duration>,
        audience: SubscriberSet,
        timed: u32,
    ) -> Self {
        Self {
            intended,
            actual,
            curve: Curve::new(timed),
            reached: audience.emptied(),
            awaited: audience,
        }
    }

    /// It arrived, this long after the intended send where that is timed.
    pub(super) fn arrive(
        &mut self,
        subscriber: SubscriberIndex,
        latency: Option<Duration>,
    ) -> Reception {
        if !self.reached.insert(subscriber) {
            return Reception::Duplicate;
        }
        if !self.awaited.remove(subscriber) {
            return Reception::Extra;
        }
        if let Some(latency) = latency {
            self.curve.arrive(latency);
        }
        Reception::Expected
    }

    /// A subscriber need not receive it any more. `false` if it has, or never
    /// needed to.
    pub(super) fn excuse(&mut self, subscriber: SubscriberIndex, is_timed: bool) -> bool {
        let was_awaited = self.awaited.remove(subscriber);
        if was_awaited && is_timed {
            self.curve.excuse();
        }
        was_awaited
    }

    /// Sockets that are closed receive nothing more.
    pub(super) fn stop_waiting_for_the_closed(&mut self, open: &SubscriberSet) {
        self.awaited.intersect(open);
    }

    /// How many are still expected to receive it.
    pub(super) const fn awaited(&self) -> u32 {
        self.awaited.len()
    }

    pub(super) const fn is_finished(&self) -> bool {
        self.awaited.is_empty()
    }

    pub(super) fn into_reached(self) -> SubscriberSet {
        self.reached
    }
}
