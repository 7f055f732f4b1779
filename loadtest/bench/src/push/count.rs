//! Work that is counted, not timed: instructions, allocations and memory, by
//! valgrind.
//!
//! Each is the difference between two sizes of a run, which leaves out what a
//! run costs once.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use anyhow::Context as _;

use super::client::Run;
use super::processes::{Identity, Sink, run_under};
use super::{Client, IN_FLIGHT, Transport};

/// The two numbers of pushes whose difference is taken.
const PUSHES: [usize; 2] = [1_000, 3_000];

/// How long pushes are in flight while their memory is counted: until all are.
const LONG: Duration = Duration::from_secs(3);

/// Counts, and prints the tables.
pub(super) async fn print(payload: usize, identity: &Identity) -> anyhow::Result<()> {
    let sink = Sink::start(Transport::Plain, Duration::ZERO, identity).await?;
    println!("Counted by valgrind, a push over HTTP/1.1 in plaintext, 64 in flight\n");
    println!("| client | instructions | of these hashing | allocations | bytes allocated |");
    println!("|---|---:|---:|---:|---:|");
    for client in Client::ALL {
        let [few, many] = PUSHES.map(|pushes| Run {
            endpoint: sink.endpoint.clone(),
            in_flight: IN_FLIGHT[0],
            pushes,
            payload,
        });
        let counts = [
            Counts::of(client, &few, identity).await?,
            Counts::of(client, &many, identity).await?,
        ];
        let each = |count: fn(&Counts) -> u64| {
            let [few, many] = counts.each_ref().map(count);
            many.saturating_sub(few) / (PUSHES[1] - PUSHES[0]) as u64
        };
        println!(
            "| {} | {} | {} | {} | {} |",
            client.name(),
            each(|counts| counts.instructions),
            each(|counts| counts.hashing),
            each(|counts| counts.allocations),
            each(|counts| counts.allocated),
        );
    }
    drop(sink);
    println!("\nMost memory held at a time, bytes for each push in flight\n");
    println!("| client | plaintext | TLS | HTTP/2 |");
    println!("|---|---:|---:|---:|");
    for client in Client::ALL {
        let mut row = format!("| {} |", client.name());
        for transport in Transport::ALL {
            let sink = Sink::start(transport, LONG, identity).await?;
            let [few, many] = IN_FLIGHT.map(|in_flight| Run {
                endpoint: sink.endpoint.clone(),
                in_flight,
                pushes: in_flight,
                payload,
            });
            let less = heap(client, &few, identity).await?.peak;
            let more = heap(client, &many, identity).await?.peak;
            let each = more.saturating_sub(less) / (many.in_flight - few.in_flight) as u64;
            write!(row, " {each} |")?;
        }
        println!("{row}");
    }
    Ok(())
}

/// What a whole run took.
struct Counts {
    instructions: u64,
    hashing: u64,
    allocations: u64,
    allocated: u64,
}

impl Counts {
    async fn of(client: Client, run: &Run, identity: &Identity) -> anyhow::Result<Self> {
        let scratch = identity.scratch();
        let out_file = format!("--callgrind-out-file={}", scratch.display());
        let tool = ["valgrind", "--tool=callgrind", &out_file];
        run_under(&tool, client, run, identity).await?;
        let profile = Profile::of(&fs::read_to_string(&scratch)?);
        let heap = heap(client, run, identity).await?;
        Ok(Self {
            instructions: profile.total,
            hashing: profile.hashing,
            allocations: heap.blocks,
            allocated: heap.bytes,
        })
    }
}

/// What DHAT says of a run's heap.
struct Heap {
    blocks: u64,
    bytes: u64,
    /// Bytes, at the time when they were the most.
    peak: u64,
}

async fn heap(client: Client, run: &Run, identity: &Identity) -> anyhow::Result<Heap> {
    let out_file = format!("--dhat-out-file={}", identity.scratch().display());
    let tool = ["valgrind", "--tool=dhat", &out_file];
    let said = run_under(&tool, client, run, identity).await?;
    Heap::read(&said).context("DHAT did not say what it counted")
}

impl Heap {
    /// Reads lines such as
    /// `==1== Total:     1,234 bytes in 56 blocks`
    /// (<https://valgrind.org/docs/manual/dh-manual.html>).
    fn read(said: &str) -> Option<Self> {
        let numbers = |name: &str| {
            let line = said.lines().find(|line| line.contains(name))?;
            let (_, counts) = line.split_once(name)?;
            let mut numbers = counts
                .split_whitespace()
                .filter_map(|word| word.replace(',', "").parse::<u64>().ok());
            Some((numbers.next()?, numbers.next()?))
        };
        let (bytes, blocks) = numbers("Total:")?;
        let (peak, _) = numbers("At t-gmax:")?;
        Some(Self {
            blocks,
            bytes,
            peak,
        })
    }
}

/// Instructions of a run, from a profile of callgrind's
/// (<https://valgrind.org/docs/manual/cl-format.html>).
#[derive(Debug, Default, PartialEq)]
struct Profile {
    total: u64,
    /// In functions that compute SHA-256, which valgrind runs without the
    /// processor's instructions for it.
    hashing: u64,
}

impl Profile {
    fn of(profile: &str) -> Self {
        let mut names: HashMap<&str, bool> = HashMap::new();
        let mut counted = Self::default();
        let (mut is_hashing, mut is_call) = (false, false);
        for line in profile.lines() {
            if let Some(function) = line.strip_prefix("fn=") {
                // `(id) name` where it is first named, then `(id)` alone.
                let (id, name) = function.split_once(' ').unwrap_or((function, ""));
                if !name.is_empty() {
                    names.insert(id, name.contains("sha256") || name.contains("sha2"));
                }
                is_hashing = names.get(id).copied().unwrap_or_default();
            } else if let Some(function) = line.strip_prefix("cfn=") {
                if let Some((id, name)) = function.split_once(' ') {
                    names.insert(id, name.contains("sha256") || name.contains("sha2"));
                }
            } else if line.starts_with("calls=") {
                is_call = true;
            } else if line
                .starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first))
            {
                // After a call comes what was spent in it, which is counted
                // where it was spent.
                if !std::mem::take(&mut is_call) {
                    let cost = line.split_whitespace().nth(1);
                    let cost = cost.and_then(|cost| cost.parse().ok()).unwrap_or(0);
                    counted.total += cost;
                    counted.hashing += if is_hashing { cost } else { 0 };
                }
            }
        }
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_counts_each_instruction_where_it_was_spent() {
        let profile = "events: Ir\n\nfn=(1) main\n1 100\n+1 20\ncfn=(2) ring_sha256_block\n\
                       calls=3 0\n* 900\n2 5\n\nfn=(2)\n0 900\ncfn=(3) memcpy\ncalls=1 0\n0 7\n\n\
                       fn=(3)\n0 7\ntotals: 1032\n";
        let expected = Profile {
            total: 1_032,
            hashing: 900,
        };
        assert_eq!(Profile::of(profile), expected);
    }

    #[test]
    fn a_heap_is_read_from_what_dhat_says() {
        let said = "==1== Total:     1,234 bytes in 56 blocks\n\
                    ==1== At t-gmax: 78 bytes in 9 blocks\n==1== At t-end: 0 bytes in 0 blocks\n";
        let heap = Heap::read(said).unwrap();
        assert_eq!((heap.bytes, heap.blocks, heap.peak), (1_234, 56, 78));
        assert!(Heap::read("==1== nothing").is_none());
    }
}
