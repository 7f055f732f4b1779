//! Counts what was sent and what arrived: a pure state, fed with events and
//! their times.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

pub use self::bounds::Bounds;
use self::{
    audience::Audience,
    counts::Counts,
    in_flight::{InFlight, Reception},
    measurements::{Measurements, Recorded},
    order::Order,
};
use crate::{
    curve::Curves,
    own_load::LATE,
    parking::{Arrival, Parking},
    slow_readers::SlowReaders,
    subscriber_set::{SubscriberIndex, SubscriberSet},
    topics::Topics,
};

mod audience;
mod bounds;
pub mod counts;
mod in_flight;
pub mod measurements;
mod order;
pub mod spread;

/// The state of a run. Every time is that of the run's one clock.
///
/// A notification expects the subscribers of its topic that are open when it
/// is sent, once its publish is accepted. Each of them then either receives it,
/// or misses it, or is excused because it was reconnected here.
#[derive(Debug)]
pub struct Recorder {
    bounds: Bounds,
    audience: Audience,
    unanswered: HashMap<u64, InFlight>,
    in_flight: BTreeMap<u64, (Arc<str>, InFlight)>,
    known: HashMap<Arc<str>, Known>,
    finished_oldest_first: VecDeque<Arc<str>>,
    /// Who received what finished last, the oldest first.
    recent: VecDeque<(u64, SubscriberSet)>,
    parking: Parking,
    order: Order,
    curves: Curves,
    recorded: Recorded,
}

impl Recorder {
    /// Nothing has happened yet; there will be at most so many subscribers.
    #[must_use]
    pub fn new(subscribers: u32, bounds: Bounds) -> Self {
        Self {
            bounds,
            audience: Audience::with_capacity(subscribers),
            unanswered: HashMap::new(),
            in_flight: BTreeMap::new(),
            known: HashMap::new(),
            finished_oldest_first: VecDeque::new(),
            recent: VecDeque::new(),
            parking: Parking::with_limit(bounds.parked),
            order: Order::with_capacity(subscribers),
            curves: Curves::default(),
            recorded: Recorded::default(),
        }
    }

    /// Expects a notification only at the subscribers of its topic.
    #[must_use]
    pub fn with_topics(mut self, topics: Option<Topics>) -> Self {
        self.audience.topics = topics;
        self
    }

    /// Counts what slow readers receive without timing it.
    #[must_use]
    pub fn with_slow_readers(mut self, slow_readers: Option<SlowReaders>) -> Self {
        self.audience.slow_readers = slow_readers;
        self
    }

    /// A subscriber's socket is open; its last attempt took this long.
    pub fn opened(&mut self, subscriber: SubscriberIndex, took: Duration) {
        self.recorded.counts.connected += u64::from(self.audience.open.insert(subscriber));
        self.recorded.connect_latency.record(took);
    }

    /// A subscriber's socket is open again after it was [left](Self::left).
    pub fn reopened(&mut self, subscriber: SubscriberIndex, took: Duration) {
        self.recorded.counts.reconnects += u64::from(self.audience.open.insert(subscriber));
        self.recorded.connect_latency.record(took);
    }

    /// An attempt to connect was refused and will be made again.
    pub fn connect_retried(&mut self, error: impl FnOnce() -> String) {
        self.recorded.counts.connect_retries += 1;
        self.recorded.first_connect_error.get_or_insert_with(error);
    }

    /// A subscriber could not connect and is given up.
    pub fn connect_failed(&mut self, error: impl FnOnce() -> String) {
        self.recorded.counts.connect_failures += 1;
        self.recorded.first_connect_error.get_or_insert_with(error);
    }

    /// A subscriber's socket closed although nobody here closed it. What it
    /// has not received it misses.
    pub fn closed(&mut self, subscriber: SubscriberIndex) {
        if !self.audience.open.remove(subscriber) {
            return;
        }
        self.recorded.counts.unexpected_closes += 1;
        let in_flight: Vec<u64> = self.in_flight.keys().copied().collect();
        for sequence in in_flight {
            self.stop_waiting_for_the_closed(sequence);
        }
    }

    /// A subscriber's socket will be closed here, to connect again. It is
    /// excused from what it has not received.
    pub fn left(&mut self, subscriber: SubscriberIndex) {
        if !self.audience.open.remove(subscriber) {
            return;
        }
        let is_timed = self.audience.is_timed(subscriber);
        for sent in self.unanswered.values_mut() {
            self.recorded.counts.excused += u64::from(sent.excuse(subscriber, is_timed));
        }
        let mut finished = Vec::new();
        for (&sequence, (_, sent)) in &mut self.in_flight {
            if sent.excuse(subscriber, is_timed) {
                self.recorded.counts.expected -= 1;
                self.recorded.counts.excused += 1;
                finished.extend(sent.is_finished().then_some(sequence));
            }
        }
        for sequence in finished {
            self.retire(sequence, Known::Finished { sequence });
        }
    }

    /// Notification `sequence` leaves now, `actual`, and was due at `intended`.
    pub fn sent(&mut self, sequence: u64, intended: Duration, actual: Duration) {
        let late_by = actual.saturating_sub(intended);
        let recorded = &mut self.recorded;
        recorded.counts.sent += 1;
        recorded.counts.late_sends += u64::from(late_by > LATE);
        recorded.latest_send = recorded.latest_send.max(late_by);
        recorded.first_sent.get_or_insert(actual);
        let sent = self.in_flight(sequence, intended, Some(actual));
        self.unanswered.insert(sequence, sent);
    }

    /// Another process has sent notification `sequence` under this id, as a
    /// frame tells that carries both. It expects those who are open now; what
    /// is known already changes nothing.
    pub fn sent_elsewhere(&mut self, sequence: u64, intended: Duration, id: &str) {
        if self.known.contains_key(id) {
            return;
        }
        self.recorded.first_sent.get_or_insert(intended);
        let sent = self.in_flight(sequence, intended, None);
        self.expect(sequence, id, sent);
        self.forget_beyond_bounds();
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
        self.recorded.counts.accepted += 1;
        let id = self.expect(sequence, id, sent);
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
        self.recorded.counts.publish_errors += 1;
        self.recorded.first_publish_error.get_or_insert_with(error);
        self.forget_beyond_bounds();
    }

    /// A notification with this id arrived on a socket.
    pub fn arrived(&mut self, id: &str, arrival: Arrival) {
        match self.known.get(id) {
            Some(&Known::InFlight { sequence }) => self.deliver(sequence, arrival),
            Some(&Known::Finished { sequence }) => self.deliver_again(sequence, arrival),
            Some(Known::GivenUp) => self.unattributed(),
            None if self.unanswered.is_empty() => self.unattributed(),
            None => self.recorded.counts.unattributed += self.parking.park(id, arrival),
        }
    }

    /// A notification arrived that nobody can have caused here.
    pub fn unattributed(&mut self) {
        self.recorded.counts.unattributed += 1;
    }

    /// A frame arrived that is not a notification.
    pub fn other_frame(&mut self) {
        self.recorded.counts.other_frames += 1;
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
        self.recorded.counts
    }

    /// Ends the run: what is still on its way is missing.
    #[must_use]
    pub fn finish(mut self) -> Measurements {
        let counts = &mut self.recorded.counts;
        counts.unanswered = u64::try_from(self.unanswered.len()).unwrap_or(u64::MAX);
        counts.unattributed += self.parking.clear();
        for (&sequence, (_, sent)) in &self.in_flight {
            self.curves.add(sent.curve.marks());
            self.recorded.spread.add(sequence, &sent.curve);
        }
        self.recorded.sum_up(&self.curves)
    }

    fn in_flight(&self, sequence: u64, intended: Duration, actual: Option<Duration>) -> InFlight {
        let (audience, timed) = self.audience.of(sequence);
        InFlight::new(intended, actual, audience, timed)
    }

    fn expect(&mut self, sequence: u64, id: &str, sent: InFlight) -> Arc<str> {
        self.recorded.counts.expected += u64::from(sent.awaited());
        let id: Arc<str> = id.into();
        self.known
            .insert(Arc::clone(&id), Known::InFlight { sequence });
        self.in_flight.insert(sequence, (Arc::clone(&id), sent));
        id
    }

    fn deliver(&mut self, sequence: u64, arrival: Arrival) {
        let is_timed = self.audience.is_timed(arrival.subscriber);
        let Some((_, sent)) = self.in_flight.get_mut(&sequence) else {
            return;
        };
        let latency = arrival.at.saturating_sub(sent.intended);
        let reception = sent.arrive(arrival.subscriber, is_timed.then_some(latency));
        let (actual, is_finished) = (sent.actual, sent.is_finished());
        match reception {
            Reception::Duplicate => self.recorded.counts.duplicates += 1,
            Reception::Extra => self.extra(sequence, arrival),
            Reception::Expected => {
                let recorded = &mut self.recorded;
                if is_timed {
                    recorded.latency.record(latency);
                    recorded.timeline.record(arrival.at, latency);
                }
                if let Some(actual) = actual.filter(|_| is_timed) {
                    recorded
                        .service_time
                        .record(arrival.at.saturating_sub(actual));
                }
                recorded.counts.received += 1;
                recorded.counts.out_of_order += u64::from(self.order.arrive(sequence, arrival));
                recorded.last_arrival = recorded.last_arrival.max(Some(arrival.at));
            }
        }
        if is_finished {
            self.retire(sequence, Known::Finished { sequence });
        }
    }

    /// Something arrived that nobody waits for any more.
    fn deliver_again(&mut self, sequence: u64, arrival: Arrival) {
        let mut recent = self.recent.iter_mut().rev();
        let reached = recent.find(|(finished, _)| *finished == sequence);
        match reached.map(|(_, reached)| reached.insert(arrival.subscriber)) {
            Some(true) => self.extra(sequence, arrival),
            Some(false) | None => self.recorded.counts.duplicates += 1,
        }
    }

    fn extra(&mut self, sequence: u64, Arrival { subscriber, .. }: Arrival) {
        let is_misdirected = self.audience.is_misdirected(sequence, subscriber);
        self.recorded.counts.misdirected += u64::from(is_misdirected);
        self.recorded.counts.extra += u64::from(!is_misdirected);
    }

    /// Sockets that are closed receive nothing more. A publish under way still
    /// waits for them: their frame may be parked.
    fn stop_waiting_for_the_closed(&mut self, sequence: u64) {
        let Some((_, sent)) = self.in_flight.get_mut(&sequence) else {
            return;
        };
        sent.stop_waiting_for_the_closed(&self.audience.open);
        if sent.is_finished() {
            self.retire(sequence, Known::Finished { sequence });
        }
    }

    /// Takes a notification out of flight and keeps its id for a while.
    fn retire(&mut self, sequence: u64, known: Known) {
        let Some((id, sent)) = self.in_flight.remove(&sequence) else {
            return;
        };
        self.curves.add(sent.curve.marks());
        self.recorded.spread.add(sequence, &sent.curve);
        self.recent.push_back((sequence, sent.into_reached()));
        self.known.insert(Arc::clone(&id), known);
        self.finished_oldest_first.push_back(id);
    }

    fn forget_beyond_bounds(&mut self) {
        if self.unanswered.is_empty() {
            self.recorded.counts.unattributed += self.parking.clear();
        }
        while self.in_flight.len() > self.bounds.in_flight {
            let Some((&oldest, _)) = self.in_flight.first_key_value() else {
                break;
            };
            self.recorded.counts.given_up += 1;
            self.retire(oldest, Known::GivenUp);
        }
        while self.recent.len() > self.bounds.recent {
            self.recent.pop_front();
        }
        while self.finished_oldest_first.len() > self.bounds.finished {
            if let Some(id) = self.finished_oldest_first.pop_front() {
                self.known.remove(&id);
            }
        }
    }
}

/// What became of an id that a publish answer has named.
#[derive(Debug, Clone, Copy)]
enum Known {
    InFlight {
        sequence: u64,
    },
    /// Nobody waits for it any more.
    Finished {
        sequence: u64,
    },
    /// Dropped with subscribers missing: what arrives may be new or not.
    GivenUp,
}

#[cfg(test)]
mod tests;
