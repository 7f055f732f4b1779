//! What a run is asked to do.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Uri};

use crate::{schedule::Schedule, units::Rate};

/// One run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where subscribers connect: `ws://HOST[:PORT]/PATH`.
    pub ws: Uri,
    /// Where notifications are posted: `http://HOST[:PORT]/PATH`.
    pub publish: Uri,
    /// How many subscribers to open.
    pub subscribers: u32,
    /// How many to open per span of time.
    pub ramp: Rate,
    /// When to publish.
    pub schedule: Schedule,
    /// What to publish.
    pub body: Body,
    /// Headers of every publish, and of the request for the ledger.
    pub headers: HeaderMap,
    /// How long to wait, after the last publish, for what is still missing.
    pub drain_timeout: Duration,
}

/// The body of a publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// The order of a book, `bookId` being the number of the notification.
    BookOrder,
    /// The same JSON every time.
    Fixed(Bytes),
}

impl Body {
    /// The body of notification `sequence`, the first being 0.
    #[must_use]
    pub fn of(&self, sequence: u64) -> Bytes {
        match self {
            Self::BookOrder => Bytes::from(format!(
                r#"{{"bookId":{},"title":"The Pragmatic Programmer","quantity":1}}"#,
                sequence.saturating_add(1)
            )),
            Self::Fixed(json) => json.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn book_orders_are_numbered_from_one() {
        assert_eq!(
            Body::BookOrder.of(0),
            r#"{"bookId":1,"title":"The Pragmatic Programmer","quantity":1}"#
        );
    }
}
