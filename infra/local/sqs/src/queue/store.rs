//! The messages of a queue and the orders in which they are looked up.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::{Counts, MovedMessage};

/// Where a message stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    Visible { since: Duration },
    Delayed { until: Duration },
    InFlight { until: Duration },
}

impl Phase {
    pub(super) fn is_in_flight(self) -> bool {
        matches!(self, Self::InFlight { .. })
    }
}

/// A message and what its queue knows of it.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) moved: MovedMessage,
    pub(super) phase: Phase,
    /// The number of its most recent delivery from this queue.
    pub(super) delivery: Option<u64>,
    /// When that was.
    pub(super) received_at: Duration,
}

impl Stored {
    pub(super) fn new(moved: MovedMessage, phase: Phase) -> Self {
        Self {
            moved,
            phase,
            delivery: None,
            received_at: Duration::ZERO,
        }
    }
}

/// Messages by key. Every key is in exactly one of `visible` and `hidden`, and
/// in `by_age`.
#[derive(Debug, Default)]
pub(super) struct Store {
    messages: HashMap<u64, Stored>,
    /// By since when they are visible.
    visible: BTreeSet<(Duration, u64)>,
    /// Delayed or in flight, by until when.
    hidden: BTreeSet<(Duration, u64)>,
    /// By when they were sent.
    by_age: BTreeSet<(Duration, u64)>,
    /// How many of the hidden are in flight.
    in_flight: usize,
}

impl Store {
    pub(super) fn insert(&mut self, key: u64, stored: Stored) {
        self.by_age.insert((stored.moved.sent_at, key));
        self.index(key, stored.phase);
        self.messages.insert(key, stored);
    }

    pub(super) fn remove(&mut self, key: u64) -> Option<Stored> {
        let stored = self.messages.remove(&key)?;
        self.by_age.remove(&(stored.moved.sent_at, key));
        self.unindex(key, stored.phase);
        Some(stored)
    }

    pub(super) fn get(&self, key: u64) -> Option<&Stored> {
        self.messages.get(&key)
    }

    /// Gives access to all but the phase, which only [`Store::set_phase`] may
    /// change.
    pub(super) fn get_mut(&mut self, key: u64) -> Option<&mut Stored> {
        self.messages.get_mut(&key)
    }

    pub(super) fn set_phase(&mut self, key: u64, phase: Phase) {
        let Some(stored) = self.messages.get_mut(&key) else {
            return;
        };
        let before = std::mem::replace(&mut stored.phase, phase);
        self.unindex(key, before);
        self.index(key, phase);
    }

    pub(super) fn first_visible(&self) -> Option<u64> {
        self.visible.first().map(|&(_, key)| key)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            visible: self.visible.len(),
            in_flight: self.in_flight,
            delayed: self.hidden.len() - self.in_flight,
        }
    }

    pub(super) fn next_visible_at(&self) -> Option<Duration> {
        let first = self.visible.first().or(self.hidden.first());
        first.map(|&(at, _)| at)
    }

    /// Drops the messages that were sent `retention` ago or earlier.
    pub(super) fn expire(&mut self, now: Duration, retention: Duration) {
        while let Some(&(sent_at, key)) = self.by_age.first()
            && sent_at.saturating_add(retention) <= now
        {
            self.remove(key);
        }
    }

    /// Makes visible what is hidden until `now` or earlier.
    pub(super) fn show_due(&mut self, now: Duration) {
        while let Some(&(until, key)) = self.hidden.first()
            && until <= now
        {
            self.set_phase(key, Phase::Visible { since: until });
        }
    }

    fn index(&mut self, key: u64, phase: Phase) {
        match phase {
            Phase::Visible { since } => self.visible.insert((since, key)),
            Phase::Delayed { until } => self.hidden.insert((until, key)),
            Phase::InFlight { until } => {
                self.in_flight += 1;
                self.hidden.insert((until, key))
            }
        };
    }

    fn unindex(&mut self, key: u64, phase: Phase) {
        match phase {
            Phase::Visible { since } => self.visible.remove(&(since, key)),
            Phase::Delayed { until } => self.hidden.remove(&(until, key)),
            Phase::InFlight { until } => {
                self.in_flight -= 1;
                self.hidden.remove(&(until, key))
            }
        };
    }
}
