//! The canary's metrics, in `CloudWatch`'s embedded metric format
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Flight, Lost};

/// One line of metrics: `CanaryFailed`, and `CanaryLatency` (from the POST to
/// the frame, milliseconds) where the notification arrived.
#[must_use]
pub fn line(namespace: &str, at: Timestamp, flown: &Result<Flight, Lost>) -> Value {
    let mut metrics = vec![json!({"Name": "CanaryFailed", "Unit": "Count"})];
    if flown.is_ok() {
        metrics.push(json!({"Name": "CanaryLatency", "Unit": "Milliseconds"}));
    }
    let mut line = json!({
        "_aws": {
            "Timestamp": at.as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": namespace,
                "Dimensions": [[]],
                "Metrics": metrics,
            }],
        },
        "CanaryFailed": u8::from(flown.is_err()),
    });
    if let (Ok(flight), Some(members)) = (flown, line.as_object_mut()) {
        let latency = u64::try_from(flight.arrived.as_millis()).unwrap_or(u64::MAX);
        members.insert("CanaryLatency".to_owned(), latency.into());
        members.insert("notification_id".to_owned(), flight.id.as_str().into());
    }
    line
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
    fn a_canary_that_arrived_tells_its_latency() {
        let flight = Flight {
            id: "7".to_owned(),
            accepted: Duration::from_millis(20),
            arrived: Duration::from_millis(70),
            closed: Duration::from_millis(90),
        };
        assert_eq!(
            line("Fanout/prod", at(), &Ok(flight)),
            json!({
                "_aws": {
                    "Timestamp": 1_700_000_000_000_u64,
                    "CloudWatchMetrics": [{
                        "Namespace": "Fanout/prod",
                        "Dimensions": [[]],
                        "Metrics": [
                            {"Name": "CanaryFailed", "Unit": "Count"},
                            {"Name": "CanaryLatency", "Unit": "Milliseconds"},
                        ],
                    }],
                },
                "CanaryFailed": 0,
                "CanaryLatency": 70,
                "notification_id": "7",
            })
        );
    }

    #[test]
    fn a_canary_that_was_lost_has_no_latency() {
        let lost = Err(Lost::Open(SocketError::Closed { code: 1006 }));
        let line = line("Fanout/prod", at(), &lost);
        assert_eq!(line["CanaryFailed"], 1);
        assert!(line.get("CanaryLatency").is_none());
        let metrics = &line["_aws"]["CloudWatchMetrics"][0]["Metrics"];
        assert_eq!(metrics.as_array().unwrap().len(), 1);
    }

    #[test]
    fn the_committed_catalogue_has_the_canarys_metrics() {
        let committed = include_str!("../../../../functions/api/metrics.json");
        let committed: Vec<Value> = serde_json::from_str(committed).unwrap();
        let own = committed
            .iter()
            .filter(|metric| metric["functions"] == json!(["canary"]));
        let own: Vec<_> = own
            .map(|metric| json!({"Name": metric["name"], "Unit": metric["unit"]}))
            .collect();
        let flight = Flight {
            id: "7".to_owned(),
            accepted: Duration::ZERO,
            arrived: Duration::ZERO,
            closed: Duration::ZERO,
        };
        let line = line("Fanout/prod", at(), &Ok(flight));
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Metrics"], json!(own));
    }
}
