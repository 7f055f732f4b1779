//! Frames that arrived before the publish answer told which id is ours.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use crate::subscriber_set::SubscriberIndex;

/// One frame on one socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Whose socket it arrived on.
    pub subscriber: SubscriberIndex,
    /// When, on the clock of the run.
    pub at: Duration,
}

/// Arrivals by the id of their notification, at most so many altogether. Where
/// there are more, those of the id that has waited longest make room: most
/// likely it is somebody else's.
#[derive(Debug)]
pub struct Parking {
    limit: usize,
    parked: usize,
    arrivals: HashMap<Arc<str>, Vec<Arrival>>,
    oldest_first: VecDeque<Arc<str>>,
}

impl Parking {
    /// Room for `limit` arrivals, of 24 bytes each.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self {
            limit,
            parked: 0,
            arrivals: HashMap::new(),
            oldest_first: VecDeque::new(),
        }
    }

    /// Keeps an arrival until its id is claimed. Returns how many arrivals
    /// were dropped to make room.
    pub fn park(&mut self, id: &str, arrival: Arrival) -> u64 {
        if let Some(arrivals) = self.arrivals.get_mut(id) {
            arrivals.push(arrival);
        } else {
            let id: Arc<str> = id.into();
            self.oldest_first.push_back(Arc::clone(&id));
            self.arrivals.insert(id, vec![arrival]);
        }
        self.parked += 1;

        let mut dropped = 0;
        while self.parked > self.limit {
            let Some(oldest) = self.oldest_first.front().cloned() else {
                break;
            };
            dropped += count(self.claim(&oldest).len());
        }
        dropped
    }

    /// Takes out what arrived under an id, in the order it was parked.
    pub fn claim(&mut self, id: &str) -> Vec<Arrival> {
        let arrivals = self.arrivals.remove(id).unwrap_or_default();
        if !arrivals.is_empty() {
            self.oldest_first.retain(|parked| **parked != *id);
        }
        self.parked -= arrivals.len();
        arrivals
    }

    /// Drops everything. Returns how many arrivals that was.
    pub fn clear(&mut self) -> u64 {
        self.arrivals.clear();
        self.oldest_first.clear();
        count(std::mem::take(&mut self.parked))
    }
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(subscriber: u32) -> Arrival {
        Arrival {
            subscriber: SubscriberIndex(subscriber),
            at: Duration::from_millis(subscriber.into()),
        }
    }

    #[test]
    fn an_id_is_claimed_once_and_in_order() {
        let mut parking = Parking::with_limit(10);
        parking.park("a", arrival(1));
        parking.park("b", arrival(2));
        parking.park("a", arrival(3));
        assert_eq!(parking.claim("a"), [arrival(1), arrival(3)]);
        assert_eq!(parking.claim("a"), []);
        assert_eq!(parking.clear(), 1);
    }

    #[test]
    fn the_id_that_waited_longest_makes_room() {
        let mut parking = Parking::with_limit(3);
        assert_eq!(parking.park("a", arrival(1)), 0);
        assert_eq!(parking.park("b", arrival(1)), 0);
        assert_eq!(parking.park("a", arrival(2)), 0);
        assert_eq!(parking.park("b", arrival(2)), 2);
        assert_eq!(parking.claim("a"), []);
        assert_eq!(parking.claim("b"), [arrival(1), arrival(2)]);
    }
}
