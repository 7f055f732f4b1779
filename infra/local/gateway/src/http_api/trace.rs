//! The tracing header of a request.
//!
//! An HTTP API hands its function one in every event, the client's or one of
//! its own.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

const TRACE: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Returns the tracing header, and makes one where the client sent none with a
/// root.
pub(super) fn of(headers: &mut HeaderMap, now: Timestamp) -> String {
    let sent = headers.get(&TRACE).and_then(|sent| sent.to_str().ok());
    if let Some(sent) = sent.filter(|sent| sent.contains("Root=1-")) {
        return sent.to_owned();
    }
    let made = format!("Root={}", root(now));
    if let Ok(value) = HeaderValue::from_str(&made) {
        headers.insert(TRACE, value);
    }
    made
}

/// The time in seconds, and 96 random bits
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-traceids>).
fn root(now: Timestamp) -> String {
    let mut root = format!("1-{:08x}-", now.as_second());
    for _ in 0..3 {
        // Writing to memory cannot fail.
        let _ = write!(root, "{:08x}", fastrand::u32(..));
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";

    #[test]
    fn the_clients_trace_is_kept_and_others_get_one() {
        let now = Timestamp::from_second(0x6553_f100).unwrap();
        let mut headers = HeaderMap::from_iter([(TRACE, HeaderValue::from_static(SENT))]);
        assert_eq!(of(&mut headers, now), SENT);
        for sent in [None, Some("Sampled=1")] {
            let sent = sent.map(|sent| (TRACE, HeaderValue::from_static(sent)));
            let mut headers: HeaderMap = sent.into_iter().collect();
            let made = of(&mut headers, now);
            assert!(
                made.starts_with("Root=1-6553f100-") && made.len() == 40,
                "{made}"
            );
            assert_eq!(headers[TRACE], made);
        }
    }
}
