//! Metrics, in CloudWatch's embedded metric format: a JSON line on standard
//! output, of which CloudWatch Logs makes metrics without being asked
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//!
//! A line has no dimensions: its namespace is the deployment. Ids stand in it as
//! plain fields, to be searched for, and never make a metric of their own.

mod catalogue;

use std::io::Write as _;
use std::sync::Arc;
#[cfg(test)]
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fanout_core::clock::Clock;
use fanout_core::distribution::Distribution;
use serde_json::{Map, Value, json};

pub use self::catalogue::{Metric, Unit};

/// Writes lines of metrics, or nothing where there is no namespace for them.
#[derive(Clone, Debug)]
pub struct Metrics {
    namespace: Option<Arc<str>>,
    clock: Clock,
    sink: Sink,
}

/// Where lines go.
#[derive(Clone, Debug)]
enum Sink {
    Stdout,
    #[cfg(test)]
    Memory(Arc<Mutex<Vec<String>>>),
}

/// What one invocation has to say. Nothing is written of one that is empty.
#[derive(Clone, Debug, Default)]
pub struct Line {
    metrics: Vec<(Metric, Value)>,
    fields: Map<String, Value>,
}

impl Metrics {
    /// Writes to standard output, under `namespace`.
    #[must_use]
    pub fn new(namespace: Option<String>, clock: Clock) -> Self {
        Self {
            namespace: namespace.map(Arc::from),
            clock,
            sink: Sink::Stdout,
        }
    }

    /// Writes one line. Metrics are not worth failing for: where standard
    /// output is closed, it is lost.
    pub fn write(&self, line: Line) {
        let Some(namespace) = self.namespace.as_deref() else {
            return;
        };
        if line.metrics.is_empty() {
            return;
        }
        let timestamp = self.clock.now().as_millisecond();
        let mut text = line.document(namespace, timestamp).to_string();
        text.push('\n');
        match &self.sink {
            Sink::Stdout => {
                let _ = std::io::stdout().lock().write_all(text.as_bytes());
            }
            #[cfg(test)]
            Sink::Memory(lines) => {
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                lines.push(text);
            }
        }
    }
}

impl Line {
    /// Adds a count.
    pub fn count(&mut self, metric: Metric, count: u64) {
        self.metrics.push((metric, json!(count)));
    }

    /// Adds a single span of time.
    pub fn span(&mut self, metric: Metric, span: Duration) {
        self.metrics.push((metric, in_unit(span, metric.unit())));
    }

    /// Adds spans of time, by the values that stand for them, if there are any.
    pub fn spans(&mut self, metric: Metric, spans: &Distribution) {
        let values = spans.values().into_iter();
        let values: Vec<_> = values.map(|span| in_unit(span, metric.unit())).collect();
        if !values.is_empty() {
            self.metrics.push((metric, values.into()));
        }
    }

    /// Adds a plain field.
    pub fn field(&mut self, name: &str, value: &(impl ToString + ?Sized)) {
        self.fields
            .insert(name.to_owned(), value.to_string().into());
    }

    fn document(self, namespace: &str, timestamp: i64) -> Value {
        let definitions: Vec<_> = self
            .metrics
            .iter()
            .map(|(metric, _)| json!({"Name": metric.name(), "Unit": metric.unit().name()}))
            .collect();
        let mut document = json!({
            "_aws": {
                "Timestamp": timestamp,
                "CloudWatchMetrics": [{
                    "Namespace": namespace,
                    "Dimensions": [[]],
                    "Metrics": definitions,
                }],
            },
        });
        if let Value::Object(members) = &mut document {
            members.extend(self.fields);
            let values = self.metrics.into_iter();
            members.extend(values.map(|(metric, value)| (metric.name().to_owned(), value)));
        }
        document
    }
}

/// To the microsecond, or the millisecond where seconds are told.
fn in_unit(span: Duration, unit: Unit) -> Value {
    let seconds = span.as_secs_f64();
    let value = match unit {
        Unit::Milliseconds => (seconds * 1e6).round() / 1e3,
        Unit::Seconds | Unit::Count => (seconds * 1e3).round() / 1e3,
    };
    json!(value)
}

#[cfg(test)]
pub(crate) mod tests;
