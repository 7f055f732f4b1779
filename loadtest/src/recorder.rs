//! Counts what was sent and what arrived: a pure state, fed with events and
//! their times.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use crate::{
    curve::{Curve, Curves},
    latency::LatencyHistogram,
    parking::{Arrival, Parking},
    recorder::measurements::{Counts, Measurements},
    subscriber_set::{SubscriberIndex, SubscriberSet},
    timeline::Timeline,
};

pub mod measurements;

/// A send that leaves this long after its instant is late by the tool's own
/// fault: its timer is good to a millisecond, so the machine is overloaded.
pub const LATE_SEND: Duration = Duration::from_millis(5);

/// How much the recorder remembers; the bounds of its memory.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Notifications that still miss somebody; each takes a bit for every
    /// subscriber. Beyond it the oldest is given up: it keeps what it misses.
    pub in_flight: usize,
    /// Ids of finished notifications, by which a late duplicate is known.
    pub finished: usize,
    /// Frames whose id no publish answer has named yet.
    pub parked: usize,
}

impl Default for Bounds {
    /// About 60 MB with 18,000 subscribers, if every bound is reached.
    fn default() -> Self {
        Self {
            in_flight: 16_384,
            finished: 65_536,
            parked: 262_144,
        }
    }
}

/// The state of a run. Every time is that of the run's one clock.
///
/// A notification expects the subscribers that are open when it is sent, once
/// its publish is accepted. Each of them then either receives it or misses it.
#[derive(Debug)]
pub struct Recorder {
    bounds: Bounds,
    open: SubscriberSet,
    unanswered: HashMap<u64, InFlight>,
    in_flight: BTreeMap<u64, (Arc<str>, InFlight)>,
    known: HashMap<Arc<str>, Known>,
    finished_oldest_first: VecDeque<Arc<str>>,
    parking: Parking,
    latency: LatencyHistogram,
    service_time: LatencyHistogram,
    connect_latency: LatencyHistogram,
    timeline: Timeline,
    curves: Curves,
    counts: Counts,
    first_sent: Option<Duration>,
    last_arrival: Option<Duration>,
    latest_send: Duration,
    first_connect_error: Option<String>,
    first_publish_error: Option<String>,
}

impl Recorder {
    /// Nothing has happened yet; there will be at most so many subscribers.
    #[must_use]
    pub fn new(subscribers: u32, bounds: Bounds) -> Self {
        Self {
            bounds,
            open: SubscriberSet::with_capacity(subscribers),
            unanswered: HashMap::new(),
            in_flight: BTreeMap::new(),
            known: HashMap::new(),
            finished_oldest_first: VecDeque::new(),
            parking: Parking::with_limit(bounds.parked),
            latency: LatencyHistogram::new(),
            service_time: LatencyHistogram::new(),
            connect_latency: LatencyHistogram::new(),
            timeline: Timeline::new(),
            curves: Curves::default(),
            counts: Counts::default(),
            first_sent: None,
            last_arrival: None,
            latest_send: Duration::ZERO,
            first_connect_error: None,
            first_publish_error: None,
        }
    }

    /// A subscriber's socket is open; its last attempt took this long.
    pub fn opened(&mut self, subscriber: SubscriberIndex, took: Duration) {
        self.counts.connected += u64::from(self.open.insert(subscriber));
        self.connect_latency.record(took);
    }

    /// An attempt to connect was refused and will be made again.
    pub fn connect_retried(&mut self, error: impl FnOnce() -> String) {
        self.counts.connect_retries += 1;
        self.first_connect_error.get_or_insert_with(error);
    }

    /// A subscriber could not connect and is given up.
    pub fn connect_failed(&mut self, error: impl FnOnce() -> String) {
        self.counts.connect_failures += 1;
        self.first_connect_error.get_or_insert_with(error);
    }

    /// A subscriber's socket closed although nobody here closed it. What it
    /// has not received it misses.
    pub fn closed(&mut self, subscriber: SubscriberIndex) {
        if !self.open.remove(subscriber) {
            return;
        }
        self.counts.unexpected_closes += 1;
        let in_flight: Vec<u64> = self.in_flight.keys().copied().collect();
        for sequence in in_flight {
            self.stop_waiting_for_the_closed(sequence);
        }
    }

    /// Notification `sequence` leaves now, `actual`, and was due at `intended`.
    pub fn sent(&mut self, sequence: u64, intended: Duration, actual: Duration) {
        let late_by = actual.saturating_sub(intended);
        self.counts.sent += 1;
        self.counts.late_sends += u64::from(late_by > LATE_SEND);
        self.latest_send = self.latest_send.max(late_by);
        self.first_sent.get_or_insert(actual);
        let sent = InFlight {
            intended,
            actual,
            awaited: self.open.clone(),
            curve: Curve::new(self.open.len()),
        };
        self.unanswered.insert(sequence, sent);
    }

    /// The publish of notification `sequence` was accepted under this id.
    /// `false` if an earlier notification has the id: the publish then counts
    /// as failed.
    pub fn accepted(&mut self, sequence: u64, id: &str) -> bool {
        if self.known.contains_key(id) {
            self.publish_failed(sequence, || format!("the id {id} was answered twice"));
            return false;
        }
        let Some(sent) = self.unanswered.remove(&sequence) else {
            return false;
        };
        self.counts.accepted += 1;
        self.counts.expected += u64::from(sent.curve.expected());
        let id: Arc<str> = id.into();
        self.known
            .insert(Arc::clone(&id), Known::InFlight { sequence });
        self.in_flight.insert(sequence, (Arc::clone(&id), sent));
        for arrival in self.parking.claim(&id) {
            self.arrived(&id, arrival);
        }
        self.stop_waiting_for_the_closed(sequence);
        self.forget_beyond_bounds();
        true
    }

    /// The publish of notification `sequence` failed: it is expected nowhere.
    pub fn publish_failed(&mut self, sequence: u64, error: impl FnOnce() -> String) {
        self.unanswered.remove(&sequence);
        self.counts.publish_errors += 1;
        self.first_publish_error.get_or_insert_with(error);
        self.forget_beyond_bounds();
    }

    /// A notification with this id arrived on a socket.
    pub fn arrived(&mut self, id: &str, arrival: Arrival) {
        match self.known.get(id) {
            Some(&Known::InFlight { sequence }) => self.deliver(sequence, arrival),
            Some(Known::Finished) => self.counts.duplicates += 1,
            Some(Known::GivenUp) => self.counts.unattributed += 1,
            None if self.unanswered.is_empty() => self.counts.unattributed += 1,
            None => self.counts.unattributed += self.parking.park(id, arrival),
        }
    }

    /// A frame arrived that is not a notification.
    pub fn other_frame(&mut self) {
        self.counts.other_frames += 1;
    }

    /// Whether nothing is on its way: every publish is answered, every
    /// notification has reached everybody who can still receive it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.unanswered.is_empty() && self.in_flight.is_empty()
    }

    /// The counts so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Ends the run: what is still on its way is missing.
    #[must_use]
    pub fn finish(mut self) -> Measurements {
        self.counts.unanswered = u64::try_from(self.unanswered.len()).unwrap_or(u64::MAX);
        self.counts.unattributed += self.parking.clear();
        for (_, sent) in self.in_flight.values() {
            self.curves.add(&sent.curve);
        }
        let busy = self.first_sent.zip(self.last_arrival);
        Measurements {
            counts: self.counts,
            latency_us: self.latency.summary(),
            service_time_us: self.service_time.summary(),
            latency_distribution: self.latency.distribution(),
            service_time_distribution: self.service_time.distribution(),
            timeline: self.timeline.summary(),
            connect_latency_us: self.connect_latency.summary(),
            fan_out_us: self.curves.summary(),
            busy: busy.map(|(first, last)| last.saturating_sub(first)),
            latest_send: self.latest_send,
            first_connect_error: self.first_connect_error,
            first_publish_error: self.first_publish_error,
        }
    }

    fn deliver(&mut self, sequence: u64, Arrival { subscriber, at }: Arrival) {
        let Some((_, sent)) = self.in_flight.get_mut(&sequence) else {
            return;
        };
        if !sent.awaited.remove(subscriber) {
            self.counts.duplicates += 1;
            return;
        }
        let latency = at.saturating_sub(sent.intended);
        sent.curve.arrive(latency);
        let is_finished = sent.awaited.is_empty();
        self.latency.record(latency);
        self.timeline.record(at, latency);
        self.service_time.record(at.saturating_sub(sent.actual));
        self.counts.received += 1;
        self.last_arrival = self.last_arrival.max(Some(at));
        if is_finished {
            self.retire(sequence, Known::Finished);
        }
    }

    /// Sockets that are closed receive nothing more. A publish under way still
    /// waits for them: their frame may be parked.
    fn stop_waiting_for_the_closed(&mut self, sequence: u64) {
        let Some((_, sent)) = self.in_flight.get_mut(&sequence) else {
            return;
        };
        sent.awaited.intersect(&self.open);
        if sent.awaited.is_empty() {
            self.retire(sequence, Known::Finished);
        }
    }

    /// Takes a notification out of flight and keeps its id for a while.
    fn retire(&mut self, sequence: u64, known: Known) {
        let Some((id, sent)) = self.in_flight.remove(&sequence) else {
            return;
        };
        self.curves.add(&sent.curve);
        self.known.insert(Arc::clone(&id), known);
        self.finished_oldest_first.push_back(id);
    }

    fn forget_beyond_bounds(&mut self) {
        if self.unanswered.is_empty() {
            self.counts.unattributed += self.parking.clear();
        }
        while self.in_flight.len() > self.bounds.in_flight {
            let Some((&oldest, _)) = self.in_flight.first_key_value() else {
                break;
            };
            self.counts.given_up += 1;
            self.retire(oldest, Known::GivenUp);
        }
        while self.finished_oldest_first.len() > self.bounds.finished {
            if let Some(id) = self.finished_oldest_first.pop_front() {
                self.known.remove(&id);
            }
        }
    }
}

/// A notification that has left.
#[derive(Debug)]
struct InFlight {
    intended: Duration,
    actual: Duration,
    /// Who is open and has not received it.
    awaited: SubscriberSet,
    curve: Curve,
}

/// What became of an id that a publish answer has named.
#[derive(Debug, Clone, Copy)]
enum Known {
    InFlight {
        sequence: u64,
    },
    /// Nobody waits for it any more: whatever arrives is a duplicate.
    Finished,
    /// Dropped with subscribers missing: what arrives may be new or not.
    GivenUp,
}

#[cfg(test)]
mod tests;
