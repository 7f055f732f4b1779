//! The table of what pushes cost in CPU.

use super::client::Cost;
use super::{Client, Transport};
use crate::spread::Spread;

/// All runs over one transport, with so many pushes in flight.
pub(super) struct Measured {
    transport: Transport,
    in_flight: usize,
    runs: Vec<(Client, Cost)>,
}

impl Measured {
    pub(super) fn new(transport: Transport, in_flight: usize) -> Self {
        Self {
            transport,
            in_flight,
            runs: Vec::new(),
        }
    }

    pub(super) fn note(&mut self, client: Client, cost: Cost) {
        self.runs.push((client, cost));
    }

    fn of(&self, client: Client) -> impl Iterator<Item = Cost> {
        let runs = self.runs.iter();
        runs.filter(move |(of, _)| *of == client)
            .map(|(_, cost)| *cost)
    }

    fn cpu(&self, client: Client) -> String {
        written(Spread::of(self.of(client).map(|cost| cost.cpu_micros)), 1)
    }

    /// How many times as much as the other a client takes: turn by turn, as
    /// neighbouring turns meet the same machine.
    fn ratio(&self, client: Client, other: Client) -> Option<Spread> {
        let turns = self.of(client).zip(self.of(other));
        Spread::of(turns.map(|(cost, other)| cost.cpu_micros / other.cpu_micros))
    }

    fn speed(&self, client: Client) -> String {
        median(
            Spread::of(self.of(client).map(|cost| cost.pushes_per_second)),
            0,
        )
    }

    fn row(&self) -> String {
        let signed = self.ratio(Client::Own, Client::Unsigned);
        let sdk = self.ratio(Client::Sdk, Client::Own);
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | {}, {}, {} |",
            self.transport,
            self.in_flight,
            self.cpu(Client::Sdk),
            self.cpu(Client::Own),
            self.cpu(Client::Unsigned),
            written(signed, 2),
            median(sdk, 1),
            self.speed(Client::Sdk),
            self.speed(Client::Own),
            self.speed(Client::Unsigned),
        )
    }
}

fn written(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or_else(String::new, |spread| {
        let Spread {
            median,
            lowest,
            highest,
        } = spread;
        format!("{median:.digits$} ({lowest:.digits$}–{highest:.digits$})")
    })
}

fn median(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or_else(String::new, |Spread { median, .. }| {
        format!("{median:.digits$}")
    })
}

/// Prints the median of all runs, with the least and the most.
pub(super) fn print_cpu(measured: &[Measured]) {
    println!("CPU of the pushing process, µs a push: median (least–most)\n");
    println!(
        "| transport | in flight | SDK | own | unsigned | own ÷ unsigned | SDK ÷ own | pushes/s of each |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    for row in measured.iter().map(Measured::row) {
        println!("{row}");
    }
    println!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_medians_spreads_and_ratios() {
        let mut measured = Measured::new(Transport::Plain, 64);
        for (sdk, own, unsigned) in [(80.0, 10.0, 8.0), (90.0, 11.0, 10.0), (100.0, 30.0, 20.0)] {
            for (client, cpu_micros) in [
                (Client::Sdk, sdk),
                (Client::Own, own),
                (Client::Unsigned, unsigned),
            ] {
                let pushes_per_second = 1e6 / cpu_micros;
                measured.note(
                    client,
                    Cost {
                        cpu_micros,
                        pushes_per_second,
                    },
                );
            }
        }
        assert_eq!(
            measured.row(),
            "| HTTP/1.1, plaintext | 64 | 90.0 (80.0–100.0) | 11.0 (10.0–30.0) \
             | 10.0 (8.0–20.0) | 1.25 (1.10–1.50) | 8.0 | 11111, 90909, 100000 |"
        );
    }
}
