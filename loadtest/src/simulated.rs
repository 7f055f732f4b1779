//! Subscribers of the local stack that hold no socket: what its gateway says of
//! the pushes that it took for them.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderMap, Uri};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use crate::{
    curve::Mark,
    hlog,
    identity::Identity,
    latency::micros,
    publisher::{PublishError, Publisher},
    recorder::{counts::Counts, measurements::Recorded, spread::Row},
    tls::{TlsError, Trust},
};

/// The most notifications of a run: the gateway remembers no more.
pub const MAX_NOTIFICATIONS: u64 = 64;

/// How often the gateway is asked whether it is done.
const POLL: Duration = Duration::from_millis(100);

/// The simulated subscribers of a stack, and what was published to them.
#[derive(Debug)]
pub struct Simulated {
    client: Publisher,
    path: String,
    published: Mutex<BTreeMap<u64, Published>>,
}

#[derive(Debug, Clone)]
struct Published {
    id: String,
    intended: Duration,
    actual: Duration,
}

impl Simulated {
    /// Asks at `url`, such as `http://127.0.0.1:3000/_local/simulated`.
    ///
    /// # Errors
    /// What TLS lacks for an `https://` URL.
    pub fn new(url: &Uri, trust: &Trust) -> Result<Self, TlsError> {
        let client = Publisher::new(url.clone(), &HeaderMap::new(), Identity::Event, trust)?;
        Ok(Self {
            client,
            path: url.path().to_owned(),
            published: Mutex::default(),
        })
    }

    /// Notes a notification that was accepted, with the instants on the
    /// machine's monotonic clock.
    pub fn published(&self, sequence: u64, id: &str, intended: Duration, actual: Duration) {
        let mut published = self
            .published
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let id = id.to_owned();
        published.insert(
            sequence,
            Published {
                id,
                intended,
                actual,
            },
        );
    }

    /// Says how many there are.
    ///
    /// # Errors
    /// The gateway does not say: it simulates none.
    pub async fn subscribers(&self) -> Result<u64, PublishError> {
        let all: All = self.ask("").await?;
        Ok(all.open)
    }

    /// Waits until each has taken every notification, for as long as `within`,
    /// and says what they took.
    ///
    /// # Errors
    /// The gateway does not answer.
    pub async fn collect(&self, within: Duration) -> Result<Recorded, PublishError> {
        let published = self
            .published
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let give_up_at = Instant::now() + within;
        let all = loop {
            let all: All = self.ask("").await?;
            let is_done = |published: &Published| {
                all.notifications
                    .iter()
                    .any(|one| one.id == published.id && one.reached >= all.open)
            };
            if published.values().all(is_done) || Instant::now() >= give_up_at {
                break all;
            }
            sleep(POLL).await;
        };
        let mut recorded = Recorded::default();
        recorded.counts.connected = all.open;
        for (&sequence, published) in &published {
            let is_it = |one: &One| one.id == published.id;
            let arrivals = if all.notifications.iter().any(is_it) {
                let query = format!("?notification={}", published.id);
                Some(self.ask::<Arrivals>(&query).await?)
            } else {
                None
            };
            add(&mut recorded, sequence, published, all.open, arrivals);
        }
        Ok(recorded)
    }

    async fn ask<T: for<'de> Deserialize<'de>>(&self, query: &str) -> Result<T, PublishError> {
        let location = format!("{}{query}", self.path);
        let document = self.client.ledger(&location).await?;
        serde_json::from_str(document.get()).map_err(PublishError::NotJson)
    }
}

/// Adds one notification: `None` has reached nobody.
fn add(
    recorded: &mut Recorded,
    sequence: u64,
    published: &Published,
    open: u64,
    arrivals: Option<Arrivals>,
) {
    recorded.counts.expected += open;
    let mut row = Row {
        expected: open,
        ..Row::default()
    };
    let offsets = arrivals
        .as_ref()
        .and_then(|arrivals| hlog::decode(&arrivals.offsets_us));
    if let Some((arrivals, offsets)) = arrivals.zip(offsets) {
        let first_at = Duration::from_micros(arrivals.one.first_at_us);
        let since = |instant: Duration| first_at.saturating_sub(instant);
        recorded.counts.add(&Counts {
            received: arrivals.one.reached,
            duplicates: arrivals.one.duplicates,
            ..Counts::default()
        });
        let latency = &mut recorded.latency;
        latency.record_shifted(&offsets, since(published.intended));
        let service_time = &mut recorded.service_time;
        service_time.record_shifted(&offsets, since(published.actual));
        for value in offsets.iter_recorded() {
            let offset = Duration::from_micros(value.value_iterated_to());
            let latency = since(published.intended) + offset;
            let count = value.count_since_last_iteration();
            recorded
                .timeline
                .record_n(first_at + offset, latency, count);
        }
        row.reached = arrivals.one.reached;
        row.marks_us = Mark::ALL.map(|mark| {
            let nth = mark.threshold(u32::try_from(open).unwrap_or(u32::MAX));
            let shift = micros(since(published.intended));
            latency_of_nth(&offsets, nth.into()).map(|offset| offset.saturating_add(shift))
        });
        let last = first_at + Duration::from_micros(offsets.max());
        recorded.last_arrival = recorded.last_arrival.max(Some(last));
    }
    recorded.spread.add_row(sequence, row);
}

/// The value of the `nth` arrival, from 1; `None` if there were fewer.
fn latency_of_nth(histogram: &hdrhistogram::Histogram<u64>, nth: u64) -> Option<u64> {
    let mut seen = 0;
    histogram.iter_recorded().find_map(|value| {
        seen += value.count_since_last_iteration();
        (seen >= nth).then_some(value.value_iterated_to())
    })
}

#[derive(Deserialize)]
struct All {
    open: u64,
    notifications: Vec<One>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct One {
    id: String,
    reached: u64,
    duplicates: u64,
    first_at_us: u64,
}

#[derive(Deserialize)]
struct Arrivals {
    #[serde(flatten)]
    one: One,
    #[serde(rename = "offsetsUs")]
    offsets_us: String,
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use hdrhistogram::{
        Histogram,
        serialization::{Serializer, V2DeflateSerializer},
    };

    use super::*;

    fn arrivals(offsets: &[u64], duplicates: u64) -> Arrivals {
        let mut histogram = Histogram::<u64>::new(3).unwrap();
        for &us in offsets {
            histogram.record(us).unwrap();
        }
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&histogram, &mut bytes)
            .unwrap();
        Arrivals {
            one: One {
                id: "a".to_owned(),
                reached: histogram.len(),
                duplicates,
                first_at_us: 5_010_000,
            },
            offsets_us: BASE64_STANDARD.encode(bytes),
        }
    }

    #[test]
    fn what_the_gateway_took_counts_from_the_intended_send() {
        let published = Published {
            id: "a".to_owned(),
            intended: Duration::from_secs(5),
            actual: Duration::from_millis(5_002),
        };
        let mut recorded = Recorded::default();
        let taken = arrivals(&[0, 100, 1_000], 2);
        add(&mut recorded, 0, &published, 4, Some(taken));
        add(&mut recorded, 1, &published, 4, None);
        let counts = recorded.counts;
        assert_eq!(
            (counts.expected, counts.received, counts.duplicates),
            (8, 3, 2)
        );
        assert_eq!(
            recorded.latency.summary().unwrap().max.div_euclid(10),
            1_100
        );
        assert_eq!(
            recorded.service_time.summary().unwrap().max.div_euclid(10),
            900
        );
        let timeline = recorded.timeline.summary(published.intended);
        let intervals: Vec<_> = timeline
            .intervals
            .iter()
            .map(|of| (of.start_ms, of.deliveries))
            .collect();
        assert_eq!(intervals, [(0, 3)]);
        let row = recorded.spread.rows()[&0];
        assert_eq!(row.marks_us, [Some(10_000), Some(10_100), None, None, None]);
        assert_eq!(recorded.spread.rows()[&1].reached, 0);
    }
}
