//! A plan for people.

use std::fmt::{self, Display, Formatter};

use super::Plan;
use crate::report::text::grouped;

impl Display for Plan {
    /// Without a line break at the end.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.broadcast(f)?;
        self.connecting(f)?;
        self.month(f)?;
        self.sources(f)
    }
}

impl Plan {
    fn broadcast(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (asked, broadcast) = (&self.asked, &self.broadcast);
        writeln!(
            f,
            "{} connections, {}/s, burst {}\n",
            grouped(asked.connections),
            asked.rate_per_second,
            grouped(asked.burst)
        )?;
        writeln!(
            f,
            "{:<26}{:>12}{:>12}{:>12}",
            "time to reach", "50 %", "99 %", "100 %"
        )?;
        writeln!(
            f,
            "{:<26}{:>12}{:>12}{:>12}",
            "the quota allows",
            seconds(broadcast.to_50_percent_seconds),
            seconds(broadcast.to_99_percent_seconds),
            seconds(broadcast.to_100_percent_seconds)
        )?;
        writeln!(
            f,
            "full burst again after    {:>12}",
            seconds(broadcast.refill_seconds)
        )?;
        writeln!(
            f,
            "of the rate, keep-alives  {:>10.0}/s",
            broadcast.keepalives_per_second
        )?;
        writeln!(
            f,
            "pushes over the day       {:>10.0}/s",
            broadcast.pushes_per_second
        )?;
        let taken = broadcast.keepalives_per_second + broadcast.pushes_per_second;
        if taken > asked.rate_per_second {
            writeln!(
                f,
                "warning: pushes and keep-alives take {taken:.0}/s, more than the quota: ask AWS for more"
            )?;
        }
        writeln!(f)
    }

    fn connecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let connecting = &self.connecting;
        writeln!(
            f,
            "connecting all            {:>12}  at {}/s",
            seconds(connecting.seconds),
            self.asked.connect_rate_per_second
        )?;
        writeln!(
            f,
            "reconnects for good       {:>10.1}/s  as a connection lives two hours",
            connecting.reconnects_per_second
        )?;
        if !connecting.can_be_held {
            writeln!(
                f,
                "warning: so many cannot be held: connecting takes longer than a connection lives"
            )?;
        }
        writeln!(f)
    }

    fn month(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (asked, month) = (&self.asked, &self.month);
        writeln!(
            f,
            "a month of {} notifications a day, {} bytes each, {} hours a day connected, in USD",
            asked.publishes_per_day, asked.payload_bytes, asked.hours_connected
        )?;
        for term in &month.terms {
            let share = if month.usd > 0.0 {
                term.usd / month.usd * 100.0
            } else {
                0.0
            };
            writeln!(f, "{:<26}{:>12}{share:>10.1} %", term.name, usd(term.usd))?;
        }
        writeln!(f, "{:<26}{:>12}", "total", usd(month.usd))?;
        writeln!(f, "dominated by {}", month.dominant)?;
        if let Some(each) = month.usd_per_notification {
            writeln!(f, "one more notification     {each:>12.4}")?;
        }
        writeln!(f)
    }

    fn sources(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "us-east-1 list prices in USD, to be checked; free tiers and volume discounts, logs\n\
             and storage are not counted"
        )?;
        for price in &self.prices {
            write!(
                f,
                "\n{:<42}{:>14}  {}  {}",
                price.what,
                per_million(price.usd),
                price.as_of,
                price.source
            )?;
        }
        Ok(())
    }
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.2} s")
}

/// Dollars and cents.
fn usd(usd: f64) -> String {
    let cents = format!("{usd:.2}");
    let (dollars, cents) = cents.split_once('.').unwrap_or((&cents, "00"));
    let dollars = dollars.parse().map_or(dollars.to_owned(), grouped);
    format!("{dollars}.{cents}")
}

/// A small price for a million of them.
fn per_million(usd: f64) -> String {
    if usd < 0.001 {
        format!("{:.3} / M", usd * 1e6)
    } else {
        format!("{usd:.3}")
    }
}
