//! Orders of several stacks in turn.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use fanout_loadtest::machine::monotonic_time;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::Options;
use super::subscribers::{Arrival, Subscribers};
use crate::figures::significant;
use crate::stack::Stack;

/// How long the last orders may take to arrive.
const ARRIVE_WITHIN: Duration = Duration::from_secs(30);

/// One round, by whose functions took the orders.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Measurement {
    pub(crate) real: Latency,
    /// Empty ones that ask the tables as often.
    pub(crate) asking: Latency,
    pub(crate) hollow: Latency,
}

/// From the POST to the frame, of every frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Latency {
    pub(crate) frames: usize,
    pub(crate) median_seconds: f64,
    pub(crate) p99_seconds: f64,
}

/// Stacks by whose functions they have.
pub(super) struct Stacks<'a> {
    pub(super) real: &'a Stack,
    pub(super) asking: &'a Stack,
    pub(super) hollow: &'a Stack,
}

/// Orders in turn until each stack has had all of its own.
///
/// # Errors
/// A stack does not answer, or a frame does not arrive.
pub(super) async fn measure(options: &Options, stacks: Stacks<'_>) -> anyhow::Result<Measurement> {
    let Stacks {
        real,
        asking,
        hollow,
    } = stacks;
    let open = async |name, stack, body| {
        let opening = Side::open(name, stack, options.subscribers, body);
        opening.await.context(name)
    };
    let mut sides = [
        open("real functions", real, order as Body).await?,
        open("empty functions that ask the tables", asking, addressed).await?,
        open("empty functions", hollow, addressed).await?,
    ];
    let orders = options.warm_up + options.orders;
    let (started, period) = (Instant::now(), options.period());
    let turn = period / u32::try_from(sides.len())?;
    // The same in each run, and in none the same one always behind another.
    let mut random = fastrand::Rng::with_seed(0);
    // A book has a number from 1.
    for number in 1..=orders {
        let mut at = started + period * number;
        let mut in_turn: Vec<_> = sides.iter_mut().collect();
        random.shuffle(&mut in_turn);
        for side in in_turn {
            side.receive_until(at).await?;
            side.order(number);
            at += turn;
        }
    }
    let [real, asking, hollow] = sides;
    Ok(Measurement {
        real: real.ends(options).await?,
        asking: asking.ends(options).await?,
        hollow: hollow.ends(options).await?,
    })
}

/// One of the stacks.
struct Side {
    /// Whose functions it has.
    name: &'static str,
    url: String,
    /// What is posted.
    body: Body,
    client: crate::client::Client,
    subscribers: Subscribers,
    posts: JoinSet<anyhow::Result<(u32, Duration)>>,
    posted: BTreeMap<u32, Duration>,
    arrived: Vec<Arrival>,
}

impl Side {
    async fn open(
        name: &'static str,
        stack: &Stack,
        count: u16,
        body: Body,
    ) -> anyhow::Result<Self> {
        let addresses = stack.addresses();
        Ok(Self {
            name,
            url: format!("{}/orders", addresses.http),
            body,
            client: crate::client::Client::new(),
            subscribers: Subscribers::open(&addresses.ws, count).await?,
            posts: JoinSet::new(),
            posted: BTreeMap::new(),
            arrived: Vec::new(),
        })
    }

    /// Posts one order, however many of the earlier ones are under way.
    fn order(&mut self, number: u32) {
        let body = (self.body)(number, &self.subscribers.connection_ids).to_string();
        let (client, url) = (self.client.clone(), self.url.clone());
        self.posts.spawn(async move {
            let headers = [("content-type", "application/json")];
            let posted_at = monotonic_time();
            let posting = client.send(http::Method::POST, &url, &headers, body);
            posting.await?.success().context("POST /orders")?;
            Ok((number, posted_at))
        });
    }

    /// Takes in what arrives until `at`.
    async fn receive_until(&mut self, at: Instant) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                arrival = self.subscribers.arrivals.recv() => {
                    self.arrived.push(arrival.context("all sockets were closed")?);
                }
                Some(posted) = self.posts.join_next() => {
                    let (number, posted_at) = posted??;
                    self.posted.insert(number, posted_at);
                }
                () = sleep_until(at) => return Ok(()),
            }
        }
    }

    /// Waits for what is under way.
    async fn ends(mut self, options: &Options) -> anyhow::Result<Latency> {
        let give_up_at = Instant::now() + ARRIVE_WITHIN;
        let orders = usize::try_from(options.warm_up + options.orders)?;
        let frames = orders * usize::from(options.subscribers);
        while self.arrived.len() < frames || self.posted.len() < orders {
            ensure!(
                Instant::now() < give_up_at,
                "{}: {} of {frames} frames arrived",
                self.name,
                self.arrived.len()
            );
            let next = Instant::now() + options.period();
            // Until the next look, or as long as anything arrives.
            let _elapsed = timeout_at(next + options.period(), self.receive_until(next)).await;
        }
        let latencies = latencies(&self.posted, &self.arrived, options.warm_up);
        Latency::of(latencies).with_context(|| format!("{}: no frame arrived", self.name))
    }
}

/// A body, by the number of the order and who is there.
type Body = fn(u32, &[String]) -> Value;

/// What the real functions are told, who look themselves who is there.
fn order(number: u32, _: &[String]) -> Value {
    json!({"bookId": number, "title": "The Pragmatic Programmer", "quantity": 1})
}

/// What the empty functions are told, who push it to the connections that it
/// names.
fn addressed(number: u32, connection_ids: &[String]) -> Value {
    json!({
        "bookId": number,
        "title": "The Pragmatic Programmer",
        "quantity": 1,
        "connectionIds": connection_ids,
    })
}

/// From the POST to each frame, of the orders after the first few.
fn latencies(posted: &BTreeMap<u32, Duration>, arrived: &[Arrival], skipped: u32) -> Vec<Duration> {
    let measured = arrived.iter().filter(|arrival| arrival.order > skipped);
    let latencies = measured.filter_map(|arrival| {
        let posted_at = posted.get(&arrival.order)?;
        Some(arrival.at.saturating_sub(*posted_at))
    });
    latencies.collect()
}

impl Latency {
    /// Of all frames; `None` if there are none.
    fn of(mut latencies: Vec<Duration>) -> Option<Self> {
        latencies.sort_unstable();
        // The smallest that so many of a hundred do not exceed.
        let percentile = |percent: usize| {
            let place = (latencies.len() * percent).div_ceil(100);
            let latency = latencies.get(place.checked_sub(1)?)?;
            Some(latency.as_secs_f64())
        };
        Some(Self {
            frames: latencies.len(),
            median_seconds: percentile(50)?,
            p99_seconds: percentile(99)?,
        })
    }
}

impl Display for Measurement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            real,
            asking,
            hollow,
        } = self;
        let medians = [real, asking, hollow].map(|side| side.median_seconds);
        let p99s = [real, asking, hollow].map(|side| side.p99_seconds);
        for (name, [real, asking, hollow]) in [("median", medians), (", p99", p99s)] {
            let millis = |seconds: f64| significant(seconds * 1e3);
            write!(
                f,
                "{name} {} ms by {} ms that ask the tables (× {}) and {} ms (× {})",
                millis(real),
                millis(asking),
                significant(real / asking),
                millis(hollow),
                significant(real / hollow),
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        millis.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn the_first_orders_and_unanswered_ones_are_left_out() {
        let at = Duration::from_millis;
        let posted = BTreeMap::from([(1, at(100)), (2, at(200)), (3, at(300))]);
        let arrival = |order, millis| Arrival {
            order,
            at: at(millis),
        };
        let arrived = [
            arrival(1, 150),
            arrival(3, 309),
            arrival(2, 204),
            arrival(7, 900),
        ];
        assert_eq!(latencies(&posted, &arrived, 1), millis([9, 4]));
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let latency = Latency::of(millis((1..=200).rev())).unwrap();
        assert_eq!(latency.frames, 200);
        assert!((latency.median_seconds - 0.1).abs() < 1e-9);
        assert!((latency.p99_seconds - 0.198).abs() < 1e-9);
        assert_eq!(Latency::of(Vec::new()), None);
    }

    #[test]
    fn only_empty_functions_are_told_who_is_there() {
        let ids = ["a".to_owned()];
        let (order, mut addressed) = (order(7, &ids), addressed(7, &ids));
        assert_eq!(order["bookId"], 7);
        let named = addressed.as_object_mut().unwrap().remove("connectionIds");
        assert_eq!((addressed, named), (order, Some(json!(["a"]))));
    }
}
