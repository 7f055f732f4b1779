//! Subscribers that are rows in the table and take their pushes on the wire
//! like any other, but hold no socket: one bit each, so that a machine holds as
//! many as the tables do.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

use crate::ids::ConnectionId;
use crate::sync::lock;

/// Of how many notifications is known who was pushed to, and when.
const REMEMBERED: usize = 64;

/// The connection id of simulated subscriber `index`, as it stands in the
/// connections table.
#[must_use]
pub fn simulated_connection_id(index: u32) -> String {
    ConnectionId::simulated(index).to_string()
}

/// The simulated subscribers of a gateway.
#[derive(Debug)]
pub(crate) struct Simulated {
    /// Who is open, a bit each.
    open: Box<[AtomicU64]>,
    count: u32,
    pushes: AtomicU64,
    /// The latest first.
    notifications: Mutex<VecDeque<Notification>>,
}

impl Simulated {
    /// So many subscribers, all of them open.
    pub(crate) fn new(count: u32) -> Self {
        let words = 0..count.div_ceil(u64::BITS);
        let full = |word: u32| match count - word * u64::BITS {
            rest @ 0..64 => (1 << rest) - 1,
            _ => u64::MAX,
        };
        Self {
            open: words.map(|word| AtomicU64::new(full(word))).collect(),
            count,
            pushes: AtomicU64::new(0),
            notifications: Mutex::default(),
        }
    }

    /// Which of the subscribers has a connection id; `None` if it is not of one
    /// that is open.
    pub(crate) fn find(&self, id: ConnectionId) -> Option<u32> {
        let index = id.simulated_index()?;
        let (word, bit) = self.word(index)?;
        (word.load(Ordering::Relaxed) & bit != 0).then_some(index)
    }

    /// Closes one; `false` if it was closed.
    pub(crate) fn close(&self, index: u32) -> bool {
        self.word(index)
            .is_some_and(|(word, bit)| word.fetch_and(!bit, Ordering::Relaxed) & bit != 0)
    }

    /// Takes a push at `at` of the machine's monotonic clock.
    pub(crate) fn push(&self, index: u32, payload: &[u8], at: Duration) {
        self.pushes.fetch_add(1, Ordering::Relaxed);
        let Ok(Event { id }) = serde_json::from_slice(payload) else {
            return;
        };
        let mut notifications = lock(&self.notifications);
        if let Some(known) = notifications.iter_mut().find(|known| known.id == id) {
            return known.push(index, at);
        }
        let mut first = Notification::first(id, self.count, at);
        first.push(index, at);
        notifications.push_front(first);
        notifications.truncate(REMEMBERED);
    }

    /// What was pushed: to whom of all, and for the latest notifications each.
    pub(crate) fn document(&self) -> Document {
        let open = self.open.iter();
        let notifications = lock(&self.notifications);
        Document {
            subscribers: self.count,
            open: open
                .map(|word| u64::from(word.load(Ordering::Relaxed).count_ones()))
                .sum(),
            pushes: self.pushes.load(Ordering::Relaxed),
            notifications: notifications.iter().map(Notification::summary).collect(),
        }
    }

    /// When the pushes of one of the latest notifications were taken.
    pub(crate) fn arrivals(&self, id: &str) -> Option<Arrivals> {
        let notifications = lock(&self.notifications);
        let found = notifications.iter().find(|known| known.id == id)?;
        let mut histogram = Vec::new();
        // Writing to memory does not fail.
        let _written = V2DeflateSerializer::new().serialize(&found.offsets, &mut histogram);
        Some(Arrivals {
            summary: found.summary(),
            offsets_us: STANDARD.encode(histogram),
        })
    }

    fn word(&self, index: u32) -> Option<(&AtomicU64, u64)> {
        let word = self.open.get(usize::try_from(index / u64::BITS).ok()?)?;
        Some((word, 1 << (index % u64::BITS)))
    }
}

/// `GET /_local/simulated`
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Document {
    subscribers: u32,
    /// Those that no `DELETE` has closed.
    open: u64,
    /// Pushes that were taken, of all notifications.
    pushes: u64,
    notifications: Vec<Summary>,
}

/// One notification.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    id: String,
    /// Subscribers that it was pushed to.
    reached: u64,
    /// Pushes to subscribers that had it.
    duplicates: u64,
    /// When the first push was taken, in microseconds of the machine's
    /// monotonic clock.
    first_at_us: u64,
}

/// `GET /_local/simulated?notification=ID`
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Arrivals {
    #[serde(flatten)]
    summary: Summary,
    /// For each subscriber reached the microseconds after the first push: an
    /// `HdrHistogram` in its compressed form, as base64.
    offsets_us: String,
}

#[derive(Debug)]
struct Notification {
    id: String,
    first_at: Duration,
    duplicates: u64,
    /// Who was reached, a bit each.
    reached: Box<[u64]>,
    offsets: Histogram<u64>,
}

impl Notification {
    #[expect(
        clippy::expect_used,
        reason = "three digits are a precision that hdrhistogram accepts"
    )]
    fn first(id: String, subscribers: u32, at: Duration) -> Self {
        Self {
            id,
            first_at: at,
            duplicates: 0,
            reached: (0..subscribers.div_ceil(u64::BITS)).map(|_| 0).collect(),
            offsets: Histogram::new(3).expect("three significant digits are valid"),
        }
    }

    fn push(&mut self, index: u32, at: Duration) {
        let word = usize::try_from(index / u64::BITS).unwrap_or(usize::MAX);
        let Some(word) = self.reached.get_mut(word) else {
            return;
        };
        let bit = 1 << (index % u64::BITS);
        if *word & bit != 0 {
            self.duplicates += 1;
            return;
        }
        *word |= bit;
        let offset = micros(at.saturating_sub(self.first_at));
        // It grows to any offset; one beyond all memory is not counted.
        let _recorded = self.offsets.record(offset);
    }

    fn summary(&self) -> Summary {
        Summary {
            id: self.id.clone(),
            reached: self.offsets.len(),
            duplicates: self.duplicates,
            first_at_us: micros(self.first_at),
        }
    }
}

#[derive(Deserialize)]
struct Event {
    id: String,
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(simulated: &Simulated, index: u32, id: &str, at_ms: u64) {
        let payload = format!(r#"{{"specversion":"1.0","id":"{id}","data":{{}}}}"#);
        simulated.push(index, payload.as_bytes(), Duration::from_millis(at_ms));
    }

    #[test]
    fn so_many_are_open_until_they_are_closed() {
        for count in [0, 1, 63, 64, 65, 1_000] {
            let simulated = Simulated::new(count);
            assert_eq!(simulated.document().open, u64::from(count));
            assert_eq!(simulated.find(ConnectionId::simulated(count)), None);
        }
        let simulated = Simulated::new(100);
        assert_eq!(simulated.find(ConnectionId::simulated(99)), Some(99));
        assert!(simulated.close(99) && !simulated.close(99));
        assert_eq!(simulated.find(ConnectionId::simulated(99)), None);
        assert_eq!(simulated.document().open, 99);
        assert_eq!(simulated.find(ConnectionId::random()), None);
    }

    #[test]
    fn each_subscriber_is_reached_once_and_timed_from_the_first() {
        let simulated = Simulated::new(3);
        push(&simulated, 0, "a", 1_000);
        push(&simulated, 2, "a", 1_007);
        push(&simulated, 2, "a", 1_009);
        push(&simulated, 1, "b", 2_000);
        simulated.push(1, b"not json", Duration::ZERO);
        let arrivals = simulated.arrivals("a").unwrap();
        assert_eq!(arrivals.summary.reached, 2);
        assert_eq!(arrivals.summary.duplicates, 1);
        assert_eq!(arrivals.summary.first_at_us, 1_000_000);
        let bytes = STANDARD.decode(arrivals.offsets_us).unwrap();
        let mut reader = hdrhistogram::serialization::Deserializer::new();
        let offsets: Histogram<u64> = reader.deserialize(&mut bytes.as_slice()).unwrap();
        assert_eq!((offsets.min(), offsets.max() / 1_000), (0, 7));
        assert_eq!(simulated.document().pushes, 5);
        assert!(simulated.arrivals("c").is_none());
    }

    #[test]
    fn only_the_latest_notifications_are_remembered() {
        let simulated = Simulated::new(1);
        for number in 0..=REMEMBERED {
            push(&simulated, 0, &number.to_string(), 1);
        }
        assert!(simulated.arrivals("0").is_none());
        assert!(simulated.arrivals("1").is_some());
        assert_eq!(simulated.document().notifications.len(), REMEMBERED);
    }
}
