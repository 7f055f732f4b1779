//! The engine alone: over an audience that is made on the fly, and to a gateway
//! that accepts at once. No network, and no tables.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use bytes::Bytes;
use clap::{Args, ValueEnum};
use fanout_core::audience::{Audience, Cursor, Page, Slice};
use fanout_core::clock::Clock;
use fanout_core::connection::{ConnectionId, Recipient};
use fanout_core::fanout::pacer::{Pacer, Share};
use fanout_core::fanout::{FanOut, Job, Ports, Settings, retry};
use fanout_core::ledger::{Begun, Entry, Lease, Ledger, LedgerError, Progress};
use fanout_core::notification::NotificationId;
use fanout_core::push::{PushOutcome, Pusher};
use fanout_core::store::{Forget, StoreError};
use fanout_core::task::{Left, Part};
use fanout_core::topic::Topic;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::rerun::Rerun;
use crate::valgrind::{self, Heap};

/// The two sizes of audience whose difference is taken.
const SIZES: [usize; 2] = [4_000, 24_000];
const PAGE: u32 = 1_500;
/// A quota that is never reached.
const UNLIMITED: NonZeroU32 = NonZeroU32::new(10_000_000).unwrap();
/// How long it may take, which nothing is to depend on.
const LONG: Duration = Duration::from_hours(1);

/// What is run to be counted.
#[derive(Args)]
pub(crate) struct Options {
    work: Work,
    /// How many connections there are.
    size: u32,
}

/// What the engine does, and what of that is not its own.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Work {
    /// Reads an audience.
    Read,
    /// Reads one, and pushes to it.
    Push,
}

/// What a push takes the engine, without what it takes to make the audience.
pub(super) struct Counts {
    pub(super) instructions: f64,
    pub(super) allocations: f64,
}

/// Counts.
///
/// # Errors
/// A run fails, or valgrind is not installed.
pub(super) async fn count() -> anyhow::Result<Counts> {
    let [reading, pushing] = [count_of("read").await?, count_of("push").await?];
    Ok(Counts {
        instructions: pushing.instructions - reading.instructions,
        allocations: pushing.allocations - reading.allocations,
    })
}

async fn count_of(work: &str) -> anyhow::Result<Counts> {
    let run = |size: usize| Rerun::with_arguments(["engine", work, &size.to_string()]);
    let [few, many] = SIZES.map(run);
    let instructions = [
        valgrind::instructions(&few).await?,
        valgrind::instructions(&many).await?,
    ];
    let allocations = [Heap::of(&few).await?.blocks, Heap::of(&many).await?.blocks];
    Ok(Counts {
        instructions: valgrind::each(SIZES, instructions),
        allocations: valgrind::each(SIZES, allocations),
    })
}

/// Does what is counted, once.
///
/// # Errors
/// Not everybody was pushed to.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let audience = Made { size: options.size };
    match options.work {
        Work::Read => read(&audience).await,
        Work::Push => push_to(audience).await,
    }
}

async fn read(audience: &Made) -> anyhow::Result<()> {
    let slice = Slice::Everyone { segment: 0, of: 1 };
    let mut after = None;
    loop {
        let page = audience.page(&slice, after.as_ref(), PAGE).await?;
        after = black_box(page).next;
        if after.is_none() {
            return Ok(());
        }
    }
}

async fn push_to(audience: Made) -> anyhow::Result<()> {
    let size = audience.size;
    let pacer = Pacer::new(Share {
        rate: UNLIMITED,
        burst: UNLIMITED,
    });
    let ports = Ports {
        store: audience,
        pusher: Accepting,
    };
    let fanout = FanOut::new(ports, Arc::new(pacer), Clock::System, settings());
    let report = fanout.run(job(), 1).await;
    let accepted = report.progress.counts.accepted;
    ensure!(accepted == u64::from(size), "{accepted} of {size} accepted");
    Ok(())
}

fn settings() -> Settings {
    Settings {
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
        // How many fall due depends on how fast the machine is: none.
        checkpoint_every: LONG,
        handshake_grace: Duration::ZERO,
    }
}

fn job() -> Job {
    Job {
        lease: Lease {
            notification_id: NotificationId::generate(Timestamp::UNIX_EPOCH),
            part: Part::root(),
            owner: "engine".to_owned(),
        },
        progress: Progress {
            left: Left::all_of(Slice::Everyone { segment: 0, of: 1 }),
            ..Progress::default()
        },
        payload: Bytes::from_static(b"{}"),
        topic: None,
        stop_at: Instant::now() + LONG,
        end_by: Instant::now() + LONG,
        expires_at: None,
        is_cancelled: false,
    }
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
        let last = after.and_then(|Cursor(id)| id.as_str().parse::<u32>().ok());
        let first = last.map_or(0, |last| last + 1);
        let end = self.size.min(first + limit);
        let id = |number: u32| ConnectionId::from(format!("{number:016}"));
        let recipients = (first..end).map(|number| Recipient {
            connection_id: id(number),
            connected_at: Timestamp::UNIX_EPOCH,
        });
        Ok(Page {
            recipients: recipients.collect(),
            next: (end < self.size).then(|| Cursor(id(end - 1))),
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
        Ok(Begun::Taken {
            progress: None,
            is_cancelled: false,
        })
    }

    async fn write(&self, _: &Lease, _: &Entry) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn is_cancelled(&self, _: NotificationId) -> Result<bool, StoreError> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_of_an_audience_of_several_pages_is_pushed_to() {
        push_to(Made { size: PAGE * 2 + 1 }).await.unwrap();
    }

    #[tokio::test]
    async fn an_audience_is_read_to_its_end() {
        let slice = Slice::Everyone { segment: 0, of: 1 };
        let audience = Made { size: PAGE + 7 };
        let page = audience.page(&slice, None, PAGE).await.unwrap();
        let rest = audience.page(&slice, page.next.as_ref(), PAGE).await;
        let rest = rest.unwrap();
        assert_eq!((page.recipients.len(), rest.recipients.len()), (1_500, 7));
        assert_eq!(rest.next, None);
    }
}
