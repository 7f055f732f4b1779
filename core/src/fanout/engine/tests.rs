use std::num::NonZeroU32;
use std::sync::Mutex;

use super::*;
use crate::fanout::pacer::Share;
use crate::fanout::retry;
use crate::ledger::{Begun, Progress};
use crate::notification::NotificationId;
use crate::task::{Left, Part};
use crate::topic::Topic;
use jiff::Timestamp;

const PAGE_SIZE: u32 = 1_000;
const SECOND_PAGE: u32 = FIRST_PAGE * PAGE_GROWTH;
const LONG: Duration = Duration::from_hours(1);

/// An audience of one page, which notes how much it is asked for at once.
#[derive(Default)]
struct Asked(Mutex<Vec<u32>>);

impl Audience for Asked {
    async fn page(&self, _: &Slice, _: Option<&Cursor>, limit: u32) -> Result<Page, StoreError> {
        let mut asked = self.0.lock().unwrap();
        asked.push(limit);
        let number = asked.len();
        let id = |place: u32| ConnectionId::from(format!("{number:04}-{place:04}"));
        let recipients = (0..limit).map(|place| Recipient {
            connection_id: id(place),
            connected_at: Timestamp::UNIX_EPOCH,
        });
        Ok(Page {
            recipients: recipients.collect(),
            next: (limit < PAGE_SIZE).then(|| Cursor(id(limit))),
        })
    }
}

impl Forget for Asked {
    async fn forget(&self, _: &[Recipient], _: Option<&Topic>) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Ledger for Asked {
    async fn begin(&self, _: &Lease, _: Timestamp, _: Timestamp) -> Result<Begun, StoreError> {
        Ok(Begun::Done)
    }

    async fn write(&self, _: &Lease, _: &Entry) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn is_cancelled(&self, _: NotificationId) -> Result<bool, StoreError> {
        Ok(false)
    }
}

struct Accepting;

impl Pusher for Accepting {
    async fn push(&self, _: &ConnectionId, _: &Bytes) -> PushOutcome {
        PushOutcome::Accepted
    }
}

fn fanout() -> FanOut<Asked, Accepting> {
    let many = NonZeroU32::new(100_000).unwrap();
    let share = Share {
        rate: many,
        burst: many,
    };
    let ports = Ports {
        store: Asked::default(),
        pusher: Accepting,
    };
    let settings = Settings {
        max_in_flight: 8,
        max_outstanding: 16,
        page_size: PAGE_SIZE,
        retry: retry::Policy {
            max_failed: 4,
            max_throttled: 4,
            base: Duration::from_millis(50),
            cap: Duration::from_millis(400),
        },
        patience: LONG,
        checkpoint_every: LONG,
        handshake_grace: Duration::ZERO,
    };
    let pacer = Arc::new(Pacer::new(share));
    FanOut::new(ports, pacer, Clock::System, settings)
}

/// Pushes to everybody, and returns how many were accepted.
async fn run(fanout: &FanOut<Asked, Accepting>) -> u64 {
    let everyone = Slice::Everyone { segment: 0, of: 1 };
    let job = Job {
        lease: Lease {
            notification_id: NotificationId::generate(Timestamp::UNIX_EPOCH),
            part: Part::root(),
            owner: "test".to_owned(),
        },
        progress: Progress {
            left: Left::all_of(everyone),
            ..Progress::default()
        },
        payload: Bytes::from_static(b"{}"),
        topic: None,
        stop_at: Instant::now() + LONG,
        end_by: Instant::now() + LONG,
        expires_at: None,
        is_cancelled: false,
    };
    fanout.run(job, 1).await.progress.counts.accepted
}

#[tokio::test(start_paused = true)]
async fn who_comes_from_rest_reads_few_first_and_who_has_just_pushed_does_not() {
    let fanout = fanout();
    let few = u64::from(FIRST_PAGE + SECOND_PAGE);
    let all = u64::from(PAGE_SIZE);
    assert_eq!(run(&fanout).await, few + all);
    assert_eq!(run(&fanout).await, all);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(run(&fanout).await, few + all);
    let asked = fanout.ports.store.0.lock().unwrap();
    let from_rest = [FIRST_PAGE, SECOND_PAGE, PAGE_SIZE];
    assert_eq!(*asked, [&from_rest[..], &[PAGE_SIZE], &from_rest].concat());
}
