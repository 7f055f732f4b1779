//! What the canary prints: lines of JSON, which Lambda takes to its log.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Flight, Lost, metrics};
use crate::causes::with_causes;

/// The lines about a flight: one of metrics where a namespace is set, and one
/// that says which step failed where one did.
#[must_use]
pub fn lines(namespace: Option<&str>, at: Timestamp, flown: &Result<Flight, Lost>) -> Vec<Value> {
    let metrics = namespace.map(|namespace| metrics::line(namespace, at, flown));
    let lost = flown.as_ref().err().map(|lost| {
        json!({
            "timestamp": at.to_string(),
            "level": "ERROR",
            "message": "the canary was lost",
            "why": with_causes(lost),
        })
    });
    metrics.into_iter().chain(lost).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::socket::SocketError;

    fn at() -> Timestamp {
        Timestamp::from_second(1_700_000_000).unwrap()
    }

    #[test]
    fn the_step_that_failed_is_told_with_and_without_metrics() {
        let lost = Err(Lost::Open(SocketError::Closed { code: 1006 }));
        let why = json!({
            "timestamp": "2023-11-14T22:13:20Z",
            "level": "ERROR",
            "message": "the canary was lost",
            "why": "no socket could be opened: the socket was closed with code 1006",
        });
        assert_eq!(lines(None, at(), &lost), std::slice::from_ref(&why));
        let both = lines(Some("Fanout/prod"), at(), &lost);
        assert_eq!(both.len(), 2);
        assert_eq!(both[0]["CanaryFailed"], 1);
        assert_eq!(both[1], why);
    }

    #[test]
    fn a_flight_that_arrived_is_told_by_its_metrics_alone() {
        let flown = Ok(Flight {
            id: "7".to_owned(),
            accepted: Duration::ZERO,
            arrived: Duration::from_millis(70),
            closed: Duration::from_millis(90),
        });
        assert!(lines(None, at(), &flown).is_empty());
        let told = lines(Some("Fanout/prod"), at(), &flown);
        assert_eq!(told, [metrics::line("Fanout/prod", at(), &flown)]);
    }
}
