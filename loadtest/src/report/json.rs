//! The report as one JSON object.

use serde_json::{Value, json};

use super::{Ledger, Report};

pub(super) fn value(report: &Report) -> Value {
    let settings = &report.settings;
    let measured = &report.measurements;
    let counts = &measured.counts;
    json!({
        "settings": {
            "ws": settings.ws.to_string(),
            "publish": settings.publish.as_ref().map(ToString::to_string),
            "subscribers": settings.subscribers,
            "ramp_per_second": settings.ramp.as_per_second(),
            "notifications": settings.schedule.sends(),
            "notifications_per_second": settings.schedule.rate().as_per_second(),
            "drain_timeout_ms": whole_ms(settings.drain_timeout),
        },
        "outcome": report.outcome,
        "run": report.run.map(|run| run.to_string()),
        "counts": counts,
        "missing": counts.missing(),
        "reach_basis_points": counts.reach_basis_points(),
        "latency_us": measured.latency_us,
        "service_time_us": measured.service_time_us,
        "connect_latency_us": measured.connect_latency_us,
        "fan_out_us": measured.fan_out_us,
        "busy_ms": measured.busy.map(whole_ms),
        "deliveries_per_second": measured.deliveries_per_second(),
        "latest_send_late_by_ms": whole_ms(measured.latest_send),
        "own_load": measured.recorded.own,
        "bottleneck": report.bottlenecks().next().map(|found| found.to_string()),
        "first_connect_error": measured.first_connect_error,
        "first_publish_error": measured.first_publish_error,
        "ledger": report.ledger.as_ref().map(ledger),
    })
}

fn ledger(ledger: &Ledger) -> Value {
    match ledger {
        Ledger::Record { location, record } => json!({"location": location, "record": record}),
        Ledger::Unavailable { location, reason } => {
            json!({"location": location, "unavailable": reason})
        }
    }
}

fn whole_ms(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
