//! What a push takes in instructions, allocations and memory.

use std::fmt::Write as _;
use std::time::Duration;

use super::client::Run;
use super::processes::{Identity, Sink, pushing};
use super::{Client, IN_FLIGHT, Transport};
use crate::rerun::Rerun;
use crate::valgrind::{self, Heap, Profile};

/// The two numbers of pushes whose difference is taken.
const PUSHES: [usize; 2] = [1_000, 3_000];

/// Fewer, where only instructions are counted, of which they tell enough: a run
/// is to be short without optimisation, and by a slow machine.
const FEW_PUSHES: [usize; 2] = [100, 300];
const FEW_IN_FLIGHT: usize = 16;
/// The size of what is pushed then, in bytes.
const PAYLOAD: usize = 300;

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
        let each = |count: fn(&Counts) -> u64| valgrind::each(PUSHES, counts.each_ref().map(count));
        println!(
            "| {} | {:.0} | {:.0} | {:.2} | {:.0} |",
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
            let peaks = [
                heap(client, &few, identity).await?.peak,
                heap(client, &many, identity).await?.peak,
            ];
            let each = valgrind::each(IN_FLIGHT, peaks);
            write!(row, " {each:.0} |")?;
        }
        println!("{row}");
    }
    Ok(())
}

/// Counts the instructions that a push over HTTP/1.1 in plaintext takes a client.
///
/// # Errors
/// A run fails, or valgrind is not installed.
pub(crate) async fn instructions(client: Client) -> anyhow::Result<f64> {
    let identity = Identity::new(0)?;
    let sink = Sink::start(Transport::Plain, Duration::ZERO, &identity).await?;
    let run = |pushes| Run {
        endpoint: sink.endpoint.clone(),
        in_flight: FEW_IN_FLIGHT,
        pushes,
        payload: PAYLOAD,
    };
    let [few, many] = FEW_PUSHES.map(|pushes| counted(client, &run(pushes), &identity));
    let counts = [
        valgrind::instructions(&few).await?,
        valgrind::instructions(&many).await?,
    ];
    Ok(valgrind::each(FEW_PUSHES, counts))
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
        let counted = counted(client, run, identity);
        let (profile, heap) = (Profile::of(&counted).await?, Heap::of(&counted).await?);
        Ok(Self {
            instructions: profile.total,
            hashing: profile.hashing,
            allocations: heap.blocks,
            allocated: heap.bytes,
        })
    }
}

async fn heap(client: Client, run: &Run, identity: &Identity) -> anyhow::Result<Heap> {
    Heap::of(&counted(client, run, identity)).await
}

/// A run that valgrind can watch.
fn counted(client: Client, run: &Run, identity: &Identity) -> Rerun {
    pushing(client, run, identity).and("--untimed")
}
