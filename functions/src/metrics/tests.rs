use serde::{Deserialize, Serialize};

use super::*;

const COMMITTED: &str = include_str!("../../api/metrics.json");

/// CloudWatch's limits: metrics a line, values a metric, and a name's length.
const MOST_METRICS: usize = 100;
const MOST_VALUES: usize = 100;
const LONGEST_NAME: usize = 1_024;

/// Lines that were written, as they were.
#[derive(Clone, Debug)]
pub(crate) struct Written(Arc<Mutex<Vec<String>>>);

/// Metrics under the namespace `Test`, and what is written of them.
pub(crate) fn recording(clock: Clock) -> (Metrics, Written) {
    let lines = Arc::default();
    let metrics = Metrics {
        sink: Sink::Memory(Arc::clone(&lines)),
        ..Metrics::new(Some("Test".to_owned()), clock)
    };
    (metrics, Written(lines))
}

impl Written {
    /// Takes what was written since: documents that CloudWatch understands.
    pub(crate) fn take(&self) -> Vec<Value> {
        let lines = std::mem::take(&mut *self.0.lock().unwrap());
        lines.iter().map(|line| read(line)).collect()
    }

    /// Takes the only line, without what every line has.
    pub(crate) fn take_figures(&self) -> Value {
        let mut lines = self.take();
        assert_eq!(lines.len(), 1, "{lines:?}");
        let mut line = lines.remove(0);
        line.as_object_mut().unwrap().remove("_aws");
        line
    }
}

/// Reads a line as CloudWatch does, and checks it against its rules.
fn read(line: &str) -> Value {
    assert_eq!(line.matches('\n').count(), 1, "{line}");
    let document: Value = serde_json::from_str(line).unwrap();
    assert!(
        document["_aws"]["Timestamp"]
            .as_i64()
            .is_some_and(|time| time >= 0)
    );
    let [directive] = document["_aws"]["CloudWatchMetrics"]
        .as_array()
        .unwrap()
        .as_slice()
    else {
        panic!("{document}");
    };
    assert_eq!(directive["Namespace"], "Test");
    assert_eq!(directive["Dimensions"], json!([[]]));
    let metrics = directive["Metrics"].as_array().unwrap();
    assert!((1..=MOST_METRICS).contains(&metrics.len()), "{line}");
    let mut names = Vec::new();
    for metric in metrics {
        let name = metric["Name"].as_str().unwrap();
        assert!(
            (1..=LONGEST_NAME).contains(&name.len()) && !names.contains(&name),
            "{name}"
        );
        names.push(name);
        assert!(["Count", "Milliseconds", "Seconds"].contains(&metric["Unit"].as_str().unwrap()));
        match &document[name] {
            Value::Number(_) => {}
            Value::Array(values) => {
                assert!((1..=MOST_VALUES).contains(&values.len()), "{name}");
                assert!(values.iter().all(Value::is_number), "{name}");
            }
            other => panic!("{name}: {other}"),
        }
    }
    document
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    name: String,
    unit: String,
    functions: Vec<String>,
    description: String,
}

#[test]
fn the_committed_catalogue_is_the_one_of_the_code() {
    let own: Vec<_> = Metric::ALL
        .iter()
        .map(|metric| Entry {
            name: metric.name().to_owned(),
            unit: metric.unit().name().to_owned(),
            functions: metric.functions().iter().map(ToString::to_string).collect(),
            description: metric.description().to_owned(),
        })
        .collect();
    let committed: Vec<Entry> = serde_json::from_str(COMMITTED).unwrap();
    // Functions of other packages have theirs in it too.
    let are_same = own.iter().all(|metric| committed.contains(metric));
    let of_others = |entry: &&Entry| !own.iter().any(|metric| metric.name == entry.name);
    let of_these = |name: &String| crate::NAMES.contains(&name.as_str());
    let stale: Vec<_> = committed
        .iter()
        .filter(of_others)
        .filter(|entry| entry.functions.iter().any(of_these))
        .collect();
    assert!(
        are_same && stale.is_empty(),
        "functions/api/metrics.json must not have {stale:?}, and must say:\n{}",
        serde_json::to_string_pretty(&own).unwrap()
    );
}

#[tokio::test(start_paused = true)]
async fn a_line_is_one_document_with_its_metrics_and_fields() {
    let clock = Clock::starting_at(jiff::Timestamp::from_second(1_700_000_000).unwrap());
    let (metrics, written) = recording(clock);
    let mut line = Line::default();
    line.count(Metric::Pushes, 3);
    let mut latency = Distribution::default();
    for micros in [1_500, 12, 2_000_000] {
        latency.record(Duration::from_micros(micros));
    }
    line.spans(Metric::PushLatency, &latency);
    line.spans(Metric::AcceptedAge, &Distribution::default());
    line.span(Metric::UnfinishedAge, Duration::from_millis(90_500));
    line.field("notification_id", "n\n1");
    metrics.write(line);
    let expected = json!({
        "_aws": {"Timestamp": 1_700_000_000_000_i64, "CloudWatchMetrics": [{
            "Namespace": "Test",
            "Dimensions": [[]],
            "Metrics": [
                {"Name": "Pushes", "Unit": "Count"},
                {"Name": "PushLatency", "Unit": "Milliseconds"},
                {"Name": "UnfinishedAge", "Unit": "Seconds"},
            ],
        }]},
        "notification_id": "n\n1",
        "Pushes": 3, "PushLatency": [1.5, 0.012, 2000.0], "UnfinishedAge": 90.5,
    });
    assert_eq!(written.take(), [expected]);
}

#[tokio::test(start_paused = true)]
async fn the_largest_line_keeps_to_the_limits() {
    let (metrics, written) = recording(Clock::starting_at(jiff::Timestamp::UNIX_EPOCH));
    let mut many = Distribution::default();
    for n in 0..100_000 {
        many.record(Duration::from_micros(n * n));
    }
    let mut line = Line::default();
    for metric in Metric::ALL {
        match metric.unit() {
            Unit::Count => line.count(metric, u64::MAX),
            Unit::Milliseconds | Unit::Seconds => line.spans(metric, &many),
        }
    }
    metrics.write(line);
    let lines = written.take();
    assert_eq!(lines[0]["AcceptedAge"].as_array().unwrap().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_of_nothing_or_without_a_namespace() {
    let (metrics, written) = recording(Clock::System);
    metrics.write(Line::default());
    let off = Metrics {
        namespace: None,
        ..metrics
    };
    let mut line = Line::default();
    line.count(Metric::Pushes, 1);
    off.write(line);
    assert_eq!(written.take(), [Value::Null; 0]);
}
