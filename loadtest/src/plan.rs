//! What an audience takes on AWS: how long the quotas make it, and what it
//! costs a month. Nothing is measured; every figure is a formula's.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::units::{Rate, parse_duration};
use cost::{Assumptions, Term, Workload};
use delivery::Quota;
use prices::Price;

pub mod cost;
pub mod delivery;
pub mod prices;
mod text;

/// The options of `plan`.
#[derive(Debug, Clone, Args)]
pub struct PlanArgs {
    /// How many subscribers hold a connection
    #[arg(short = 'c', long, value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    connections: u64,

    /// The account's requests a second, pushes included
    #[arg(long, value_name = "RATE", default_value = "10000/s")]
    rate: Rate,

    /// The account's requests at once, after a pause
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    burst: u64,

    /// New connections a second that API Gateway takes
    #[arg(long, value_name = "RATE", default_value = "500/s")]
    connect_rate: Rate,

    /// Notifications to everyone in a day
    #[arg(long, value_name = "N", default_value_t = 40)]
    publishes_per_day: u32,

    /// The bytes of a frame; API Gateway charges each 32 KB
    #[arg(long, value_name = "BYTES", default_value_t = 512,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(prices::LARGEST_MESSAGE_BYTES)))]
    payload: u32,

    /// How many hours a day a subscriber is connected
    #[arg(long, value_name = "HOURS", default_value = "24", value_parser = parse_hours)]
    hours_connected: f64,

    /// Topics that a subscriber names when it connects
    #[arg(long, value_name = "N", default_value_t = 0,
        value_parser = clap::value_parser!(u16).range(..=100))]
    topics: u16,

    /// How often a subscriber pings to stay open: idle ones are closed after 10m;
    /// 0s for never
    #[arg(long, value_name = "TIME", default_value = "9m", value_parser = parse_duration)]
    keepalive: Duration,

    /// How to write the plan
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    output_format: PlanFormat,
}

/// How a plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// What an audience takes. Times are in seconds, money is in US dollars.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// What was asked.
    pub asked: Asked,
    /// What the account's quota allows.
    pub broadcast: Broadcast,
    /// What connecting takes.
    pub connecting: Connecting,
    /// What a month costs.
    pub month: Month,
    /// What the formulas take for granted.
    pub assumptions: Assumptions,
    /// What they were given; to be checked against the lists.
    pub prices: [Price; 9],
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Asked {
    /// Subscribers.
    pub connections: u64,
    /// The account's requests a second.
    pub rate_per_second: f64,
    /// The account's requests at once.
    pub burst: u64,
    /// New connections a second.
    pub connect_rate_per_second: f64,
    /// Notifications to everyone in a day.
    pub publishes_per_day: u32,
    /// The bytes of a frame.
    pub payload_bytes: u32,
    /// Hours a day.
    pub hours_connected: f64,
    /// Topics of each subscriber.
    pub topics: u16,
    /// How often each pings.
    pub keepalive_seconds: f64,
}

/// What the account's quota allows: no code is faster.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Broadcast {
    /// Until half of the subscribers are reached.
    pub to_50_percent_seconds: f64,
    /// Until 99 % are reached.
    pub to_99_percent_seconds: f64,
    /// Until everybody is reached.
    pub to_100_percent_seconds: f64,
    /// Until the bucket is full again.
    pub refill_seconds: f64,
    /// Pushes a second over the whole day.
    pub pushes_per_second: f64,
    /// What the pings of everybody take of the rate while all are connected.
    pub keepalives_per_second: f64,
}

/// What connecting takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Connecting {
    /// Until everybody is connected.
    pub seconds: f64,
    /// New connections a second for good, as each lives two hours.
    pub reconnects_per_second: f64,
    /// Whether so many can be held: connections end as fast as new ones begin.
    pub can_be_held: bool,
}

/// What a month costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Month {
    /// The terms, the dearest first.
    pub terms: Vec<Term>,
    /// Their sum.
    pub usd: f64,
    /// The name of the dearest.
    pub dominant: &'static str,
    /// What one more notification to everyone costs; `None` without any.
    pub usd_per_notification: Option<f64>,
}

impl PlanArgs {
    /// Works the plan out and writes it, without a line break at the end.
    #[must_use]
    pub fn write(&self) -> String {
        let plan = self.plan();
        match self.output_format {
            PlanFormat::Text => plan.to_string(),
            // Every key is a string and every value JSON's own.
            PlanFormat::Json => serde_json::to_string_pretty(&plan).unwrap_or_default(),
        }
    }

    fn plan(&self) -> Plan {
        let assumptions = Assumptions::default();
        let quota = Quota {
            rate: self.rate,
            burst: self.burst,
        };
        let workload = Workload {
            connections: self.connections,
            hours_connected: self.hours_connected,
            topics: self.topics.into(),
            keepalive: self.keepalive,
            publishes_per_day: self.publishes_per_day.into(),
            payload_bytes: self.payload.into(),
            broadcast: quota.time_for(self.connections),
        };
        Plan {
            asked: self.asked(),
            broadcast: Broadcast::of(quota, &workload),
            connecting: Connecting::of(self.connections, self.connect_rate),
            month: Month::of(&workload, &assumptions),
            assumptions,
            prices: prices::ALL,
        }
    }

    fn asked(&self) -> Asked {
        Asked {
            connections: self.connections,
            rate_per_second: self.rate.as_per_second(),
            burst: self.burst,
            connect_rate_per_second: self.connect_rate.as_per_second(),
            publishes_per_day: self.publishes_per_day,
            payload_bytes: self.payload,
            hours_connected: self.hours_connected,
            topics: self.topics,
            keepalive_seconds: self.keepalive.as_secs_f64(),
        }
    }
}

impl Broadcast {
    fn of(quota: Quota, workload: &Workload) -> Self {
        let reach = |percent| {
            let time = quota.time_to_reach(percent, workload.connections);
            time.as_secs_f64()
        };
        let connections = number(workload.connections);
        let keepalive = workload.keepalive.as_secs_f64();
        Self {
            to_50_percent_seconds: reach(50),
            to_99_percent_seconds: reach(99),
            to_100_percent_seconds: reach(100),
            refill_seconds: quota.time_to_refill().as_secs_f64(),
            pushes_per_second: connections * workload.publishes_per_day / 86_400.0,
            keepalives_per_second: if keepalive > 0.0 {
                connections / keepalive
            } else {
                0.0
            },
        }
    }
}

impl Connecting {
    fn of(connections: u64, rate: Rate) -> Self {
        let lifetime = Duration::from_secs(prices::CONNECTION_LIFETIME_SECONDS);
        let time = delivery::time_to_connect(connections, rate);
        Self {
            seconds: time.as_secs_f64(),
            reconnects_per_second: number(connections) / lifetime.as_secs_f64(),
            can_be_held: time <= lifetime,
        }
    }
}

impl Month {
    fn of(workload: &Workload, assumptions: &Assumptions) -> Self {
        let mut terms = cost::terms(workload, assumptions).to_vec();
        terms.sort_by(|a, b| b.usd.total_cmp(&a.usd));
        let notifications = workload.publishes_per_day * assumptions.days;
        let per_notification = terms.iter().filter(|term| term.is_per_notification);
        let usd: f64 = per_notification.map(|term| term.usd).sum();
        Self {
            usd: terms.iter().map(|term| term.usd).sum(),
            dominant: terms.first().map_or("", |term| term.name),
            usd_per_notification: (notifications > 0.0).then(|| usd / notifications),
            terms,
        }
    }
}

fn parse_hours(text: &str) -> Result<f64, String> {
    text.parse::<f64>()
        .ok()
        .filter(|hours| (0.0..=24.0).contains(hours))
        .ok_or_else(|| format!("expected a number of hours from 0 to 24, got \"{text}\""))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "an estimate; the figures stay far below 2^52"
)]
fn number(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests;
