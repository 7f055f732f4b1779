//! Subscribers that take their time with every frame.

use std::time::Duration;

use crate::subscriber_set::SubscriberIndex;

/// Some of the subscribers of a run. What they receive is counted, but not
/// timed: it is late on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlowReaders {
    /// How many there are.
    pub count: u32,
    /// Among how many subscribers they are spread.
    pub among: u32,
    /// How long they wait after a frame before they read the next.
    pub pause: Duration,
}

impl SlowReaders {
    /// Whether a subscriber is one of them.
    #[must_use]
    pub fn contains(&self, SubscriberIndex(index): SubscriberIndex) -> bool {
        let turn = u64::from(index) * u64::from(self.count);
        turn % u64::from(self.among.max(1)) < u64::from(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_of_the_subscribers_are_slow() {
        for (count, among) in [(0, 10), (3, 10), (10, 10), (7, 1_000)] {
            let pause = Duration::ZERO;
            let slow = SlowReaders {
                count,
                among,
                pause,
            };
            let found = (0..among).filter(|&index| slow.contains(SubscriberIndex(index)));
            assert_eq!(found.count(), usize::try_from(count).unwrap());
        }
    }
}
