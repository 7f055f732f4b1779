//! The ledger of a notification, as a publisher reads it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a notification stands; `GET /notifications/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// The notification's id.
    pub id: String,
    /// `accepted`, `in_progress`, then `done`, `expired`, `cancelled` or
    /// `failed`.
    pub state: String,
    /// For how many connections it is, as far as its audience was read.
    pub targeted: u64,
    /// How many pushes the gateway accepted.
    pub accepted: u64,
    /// How many connections no longer existed.
    pub gone: u64,
    /// How many could not be reached.
    pub failed: u64,
    /// How many were not pushed to before it expired.
    pub expired: u64,
    /// How many were not pushed to before it was cancelled.
    pub cancelled: u64,
    /// How many are not settled yet.
    pub pending: u64,
    /// When it was asked to be cancelled, if it was (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_requested_at: Option<String>,
}

impl Ledger {
    /// Whether the counts make up `targeted`.
    ///
    /// The deployment computes `targeted` from them: this tells a document that
    /// is none of its ledgers, and not somebody who was counted twice or not at
    /// all. For that, listeners must be counted where they are.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        let counts = [
            self.accepted,
            self.gone,
            self.failed,
            self.expired,
            self.cancelled,
            self.pending,
        ];
        let sum = counts.into_iter().try_fold(0_u64, u64::checked_add);
        sum == Some(self.targeted)
    }

    /// Whether nothing more will become of the notification, unless what failed
    /// is taken out of the dead-letter queue.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        !matches!(self.state.as_str(), "accepted" | "in_progress")
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            state,
            targeted,
            accepted,
            gone,
            failed,
            expired,
            cancelled,
            pending,
            cancel_requested_at: _,
        } = self;
        write!(
            f,
            "notification {id}: {state}, {targeted} targeted = {accepted} accepted + {gone} gone \
             + {failed} failed + {expired} expired + {cancelled} cancelled + {pending} pending"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: &str = r#"{"id":"1","state":"in_progress","targeted":3,"accepted":2,"gone":0,
        "failed":0,"expired":0,"cancelled":0,"pending":1,"acceptedAt":"2026-11-21T08:19:30Z"}"#;

    #[test]
    fn everybody_is_counted_once() {
        let ledger: Ledger = serde_json::from_str(READ).unwrap();
        assert!(ledger.adds_up());
        assert!(
            !Ledger {
                gone: 1,
                ..ledger.clone()
            }
            .adds_up()
        );
        let overflowing = Ledger {
            gone: u64::MAX,
            ..ledger
        };
        assert!(!overflowing.adds_up());
    }

    #[test]
    fn a_ledger_is_open_until_nothing_more_comes() {
        let ledger: Ledger = serde_json::from_str(READ).unwrap();
        for (state, is_closed) in [
            ("accepted", false),
            ("in_progress", false),
            ("done", true),
            ("expired", true),
            ("cancelled", true),
            ("failed", true),
        ] {
            let state = state.to_owned();
            assert_eq!(
                Ledger {
                    state,
                    ..ledger.clone()
                }
                .is_closed(),
                is_closed
            );
        }
    }

    #[test]
    fn a_ledger_is_told_in_one_line() {
        let ledger: Ledger = serde_json::from_str(READ).unwrap();
        assert_eq!(
            ledger.to_string(),
            "notification 1: in_progress, 3 targeted = 2 accepted + 0 gone + 0 failed \
             + 0 expired + 0 cancelled + 1 pending"
        );
    }
}
