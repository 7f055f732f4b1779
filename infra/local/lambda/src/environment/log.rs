//! A process's output as log lines of the host.

use serde_json::{Map, Value};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tracing::Level;

/// The longest line that is passed on whole, in bytes; what is longer comes in
/// pieces.
const MAX_LINE_BYTES: u64 = 64 * 1024;

/// Re-emits each line of `output` under the target `lambda`, until it ends: at
/// its own level, or at `plain` where the line is mere text.
pub(crate) async fn pass_on(
    output: impl AsyncRead + Unpin,
    plain: Level,
    function: String,
    environment: u64,
) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = (&mut output).take(MAX_LINE_BYTES);
        match bounded.read_until(b'\n', &mut line).await {
            // The end of the output, in one way or the other.
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if !text.is_empty() {
            emit(&function, environment, text, plain);
        }
    }
}

fn emit(function: &str, environment: u64, line: &str, plain: Level) {
    let (level, text) = readable(line, plain);
    // The level is part of an event's static description: one for each.
    macro_rules! emit_at {
        ($level:expr) => {
            tracing::event!(target: "lambda", $level, function, environment, "{text}")
        };
    }
    match level {
        Level::ERROR => emit_at!(Level::ERROR),
        Level::WARN => emit_at!(Level::WARN),
        Level::INFO => emit_at!(Level::INFO),
        Level::DEBUG => emit_at!(Level::DEBUG),
        Level::TRACE => emit_at!(Level::TRACE),
    }
}

/// Makes `target: message key=value …` of a line that `tracing-subscriber`'s
/// JSON format wrote, with the fields of its innermost span behind its own;
/// leaves any other line as it is, at `plain`, and metrics in the embedded
/// format, which here nobody reads, at DEBUG.
fn readable(line: &str, plain: Level) -> (Level, String) {
    let Ok(Value::Object(mut event)) = serde_json::from_str(line) else {
        return (plain, line.to_owned());
    };
    if event.contains_key("_aws") {
        return (Level::DEBUG, line.to_owned());
    }
    let level = event.get("level").and_then(Value::as_str);
    let Some(level) = level.and_then(|level| level.parse().ok()) else {
        return (plain, line.to_owned());
    };
    let span = match event.remove("span") {
        Some(Value::Object(span)) => span,
        _ => Map::new(),
    };
    let mut words = Vec::new();
    if let Some(target) = event.get("target").and_then(Value::as_str) {
        words.push(format!("{target}:"));
    }
    let fields = match event.remove("fields") {
        Some(Value::Object(fields)) => fields,
        // The flattened form has the fields beside the rest.
        _ => without_envelope(event),
    };
    if let Some(message) = fields.get("message") {
        let text = message.as_str().map(str::to_owned);
        words.push(text.unwrap_or_else(|| message.to_string()));
    }
    let others = fields.iter().filter(|(name, _)| *name != "message");
    words.extend(others.map(|(name, value)| format!("{name}={value}")));
    // The runtime's span is around everything, and says what the host knows.
    let is_runtimes = span.contains_key("requestId");
    let inherited = span
        .iter()
        .filter(|(name, _)| !is_runtimes && *name != "name" && !fields.contains_key(name.as_str()));
    words.extend(inherited.map(|(name, value)| format!("{name}={value}")));
    (level, words.join(" "))
}

fn without_envelope(mut event: Map<String, Value>) -> Map<String, Value> {
    for name in [
        "timestamp",
        "level",
        "target",
        "span",
        "spans",
        "threadId",
        "threadName",
    ] {
        event.remove(name);
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, level: Level, text: &str) {
        assert_eq!(readable(line, Level::INFO), (level, text.to_owned()));
    }

    #[test]
    fn json_lines_become_readable_and_keep_their_level() {
        check(
            r#"{"timestamp":"2026-11-21T07:00:00Z","level":"WARN","fields":{"message":"push throttled","attempt":2,"connection_id":"a="},"target":"fanout","span":{"name":"invoke"}}"#,
            Level::WARN,
            r#"fanout: push throttled attempt=2 connection_id="a=""#,
        );
        check(
            r#"{"timestamp":"2026-11-21T07:00:00Z","level":"ERROR","message":"flattened","wait_ms":5,"target":"fanout"}"#,
            Level::ERROR,
            "fanout: flattened wait_ms=5",
        );
        check(
            r#"{"level":"DEBUG","fields":{"message":"bare"}}"#,
            Level::DEBUG,
            "bare",
        );
    }

    #[test]
    fn a_line_has_what_its_span_says_and_it_does_not() {
        check(
            r#"{"level":"INFO","fields":{"message":"ended","part":"root"},"target":"t","span":{"name":"task","part":"root","trace_id":"1-a-b"},"spans":[]}"#,
            Level::INFO,
            r#"t: ended part="root" trace_id="1-a-b""#,
        );
        check(
            r#"{"level":"INFO","fields":{"message":"ended"},"span":{"name":"Lambda runtime invoke","requestId":"1"}}"#,
            Level::INFO,
            "ended",
        );
    }

    #[test]
    fn metrics_are_for_who_looks_closely() {
        for metrics in [
            r#"{"_aws":{"Timestamp":0,"CloudWatchMetrics":[]},"Pushes":3}"#,
            r#"{"_aws":7,"level":"ERROR"}"#,
        ] {
            check(metrics, Level::DEBUG, metrics);
        }
    }

    #[test]
    fn other_lines_stay_as_they_are() {
        let panicked = "thread 'main' panicked";
        for plain in [Level::INFO, Level::WARN] {
            assert_eq!(readable(panicked, plain), (plain, panicked.to_owned()));
        }
        check(r#"{"level":"loud"}"#, Level::INFO, r#"{"level":"loud"}"#);
        check("{}", Level::INFO, "{}");
        check("[1]", Level::INFO, "[1]");
    }
}
