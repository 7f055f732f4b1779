use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::fanout::retry::Policy;
use crate::task::Tries;

const MAX_FAILED: u32 = 4;

const SETTINGS: Settings = Settings {
    max_in_flight: 4,
    max_outstanding: 8,
    page_size: 10,
    retry: Policy {
        max_failed: MAX_FAILED,
        max_throttled: 20,
        base: Duration::from_millis(50),
        cap: Duration::from_millis(400),
    },
    patience: Duration::from_millis(150),
    checkpoint_every: Duration::from_millis(100),
    handshake_grace: Duration::ZERO,
};

fn outstanding(id: &str, failed: u32) -> Outstanding {
    let recipient = Recipient {
        connection_id: id.into(),
        connected_at: Timestamp::UNIX_EPOCH,
    };
    Outstanding {
        recipient,
        tries: Tries {
            failed,
            throttled: 0,
        },
    }
}

#[test]
fn who_was_given_up_on_is_not_tried_again_and_not_forgotten() {
    let left = Left {
        unread: None,
        outstanding: vec![outstanding("slow", MAX_FAILED), outstanding("new", 0)],
    };
    let progress = Progress {
        left,
        ..Progress::default()
    };
    let mut book = Book::open(SETTINGS, progress);
    let now = Instant::now();
    let (ticket, first) = book.start(now).unwrap();
    assert_eq!(first, outstanding("new", 0));
    assert_eq!(book.start(now), None);
    book.end(ticket, PushOutcome::Accepted, now, 0.5);
    assert!(book.has_given_up());
    let left = book.progress().left.outstanding;
    assert_eq!(left, [outstanding("slow", MAX_FAILED)]);
}
