//! What a push costs in the engine alone: instructions and allocations a
//! connection, without any network.
//!
//! `cargo run --release -p fanout-core --example push_cost`
//!
//! Runs the real engine over an audience made on the fly and a gateway that
//! accepts at once, and takes away what it costs to make that audience.
//! Instructions are counted by valgrind, where it is installed, as the
//! difference between two sizes of audience.
#![expect(
    clippy::unwrap_used,
    reason = "a run that cannot go on may as well panic"
)]

use std::hint::black_box;
use std::num::NonZeroU32;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fanout_core::audience::{Audience, Cursor, Page, Slice};
use fanout_core::clock::Clock;
use fanout_core::connection::{ConnectionId, Recipient};
use fanout_core::fanout::pacer::{Pacer, Share};
use fanout_core::fanout::{FanOut, Job, Ports, Settings, retry};
use fanout_core::ledger::{Begun, Entry, Freshness, Lease, Ledger, LedgerError, Progress};
use fanout_core::notification::NotificationId;
use fanout_core::push::{PushOutcome, Pusher};
use fanout_core::store::{Forget, StoreError};
use fanout_core::task::{Left, Part};
use fanout_core::topic::Topic;
use jiff::Timestamp;
use tokio::time::Instant;

/// The two sizes of audience whose difference is taken.
const SIZES: [u32; 2] = [20_000, 120_000];
const PAGE: u32 = 1_000;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => print_costs(),
        [what, size] => play(what == "push", size.parse().unwrap()),
        _ => eprintln!("usage: push_cost, without arguments"),
    }
}

/// Reads, or reads and pushes to, an audience of `size`.
fn play(is_pushing: bool, size: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    if is_pushing {
        runtime.block_on(push_to(size));
    } else {
        runtime.block_on(read(size));
    }
}

fn print_costs() {
    let [few, many] = SIZES;
    let each = |few_cost: u64, many_cost: u64| (many_cost - few_cost) / u64::from(many - few);
    let allocations = |is_pushing: bool| {
        let [few, many] = SIZES.map(|size| allocation_counter::measure(|| play(is_pushing, size)));
        (
            each(few.count_total, many.count_total),
            each(few.bytes_total, many.bytes_total),
        )
    };
    let (pushing, reading) = (allocations(true), allocations(false));
    println!("allocations a connection   {}", pushing.0 - reading.0);
    println!("bytes allocated            {}", pushing.1 - reading.1);
    let instructions = |what: &str| Some(each(count(what, few)?, count(what, many)?));
    match (instructions("push"), instructions("read")) {
        (Some(pushing), Some(reading)) => {
            println!("instructions a connection  {}", pushing - reading);
        }
        _ => println!("instructions a connection  not counted: valgrind is not installed"),
    }
}

/// Counts the instructions of one run of this program.
fn count(what: &str, size: u32) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().ok()?)
        .args([what, &size.to_string()])
        .output()
        .ok()?;
    let said = String::from_utf8(output.stderr).ok()?;
    let collected = said.split("Collected : ").nth(1)?;
    collected.split_whitespace().next()?.parse().ok()
}

async fn read(size: u32) {
    let store = Made { size };
    let slice = Slice::Everyone { segment: 0, of: 1 };
    let mut after = None;
    loop {
        let page = store.page(&slice, after.as_ref(), PAGE).await.unwrap();
        after = black_box(page).next;
        if after.is_none() {
            break;
        }
    }
}

async fn push_to(size: u32) {
    let unlimited = NonZeroU32::new(10_000_000).unwrap();
    let pacer = Pacer::new(Share {
        rate: unlimited,
        burst: unlimited,
    });
    let ports = Ports {
        store: Made { size },
        pusher: Accepting,
    };
    let settings = Settings {
        max_in_flight: 256,
        max_outstanding: 1_000,
        page_size: PAGE,
        retry: retry::Policy {
            max_failed: 8,
            max_throttled: 100,
            base: Duration::from_millis(100),
            cap: Duration::from_secs(5),
        },
        patience: Duration::from_secs(1),
        checkpoint_every: Duration::from_secs(1),
        handshake_grace: Duration::ZERO,
    };
    let fanout = FanOut::new(ports, Arc::new(pacer), Clock::System, settings);
    let job = Job {
        lease: Lease {
            notification_id: NotificationId::generate(Timestamp::UNIX_EPOCH),
            part: Part::root(),
            owner: "push-cost".to_owned(),
        },
        progress: Progress {
            left: Left::all_of(Slice::Everyone { segment: 0, of: 1 }),
            ..Progress::default()
        },
        payload: Bytes::from_static(b"{}"),
        topic: None,
        stop_at: Instant::now() + Duration::from_hours(1),
        end_by: Instant::now() + Duration::from_hours(1),
        expires_at: None,
        is_cancelled: false,
    };
    let report = fanout.run(job, 1).await;
    assert_eq!(report.progress.counts.accepted, u64::from(size));
}

/// An audience that is made while it is read.
struct Made {
    size: u32,
}

impl Audience for Made {
    async fn page(
        &self,
        _: &Slice,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page, StoreError> {
        let first = after.map_or(0, |Cursor(id)| id.as_str().parse::<u32>().unwrap() + 1);
        let end = self.size.min(first + limit);
        let recipients = (first..end).map(|n| Recipient {
            connection_id: ConnectionId::from(format!("{n:016}")),
            connected_at: Timestamp::UNIX_EPOCH,
        });
        let last = ConnectionId::from(format!("{:016}", end - 1));
        Ok(Page {
            recipients: recipients.collect(),
            next: (end < self.size).then_some(Cursor(last)),
        })
    }
}

struct Accepting;

impl Pusher for Accepting {
    async fn push(&self, _: &ConnectionId, _: &Bytes) -> PushOutcome {
        PushOutcome::Accepted
    }
}

impl Forget for Made {
    async fn forget(&self, _: &[Recipient], _: Option<&Topic>) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Ledger for Made {
    async fn begin(&self, _: &Lease, _: Timestamp, _: Timestamp) -> Result<Begun, StoreError> {
        Ok(Begun::Fresh)
    }

    async fn write(&self, _: &Lease, _: &Entry) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn is_cancelled(&self, _: NotificationId, _: Freshness) -> Result<bool, StoreError> {
        Ok(false)
    }
}
