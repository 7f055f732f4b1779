//! Segments of traces, sent to the daemon of X-Ray that stands beside every
//! function: best effort, and never in the way of what is traced.
//!
//! An invocation by a queue is a trace of its own. X-Ray links it to the traces
//! of the messages, by their `AWSTraceHeader`, so that a publisher's trace leads
//! to the worker's
//! (<https://docs.aws.amazon.com/xray/latest/devguide/xray-tracelinking.html>).
//! A segment of the worker's belongs under the function's own segment, which is
//! the invocation's, and not under the publisher's, which ended long before.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use fanout_core::trace::{Root, TraceHeader};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use tracing::{debug, warn};

/// What stands before every document
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html>).
const HEADER: &[u8] = b"{\"format\": \"json\", \"version\": 1}\n";

/// Sends segments, or drops them where there is no daemon.
#[derive(Debug, Default)]
pub struct Daemon {
    socket: Option<UdpSocket>,
}

/// A part of an invocation's work
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html#api-segmentdocuments-subsegments>).
#[derive(Clone, Debug, Serialize)]
pub struct Subsegment {
    /// What was done.
    pub name: &'static str,
    /// Its id, unique in the trace.
    #[serde(serialize_with = "as_hexadecimal")]
    pub id: u64,
    /// When it began.
    #[serde(serialize_with = "as_seconds")]
    pub start_time: Timestamp,
    /// When it ended.
    #[serde(serialize_with = "as_seconds")]
    pub end_time: Timestamp,
    /// `aws` for a call of a service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<&'static str>,
    /// Whether something went wrong here.
    pub fault: bool,
    /// Whether it was throttled.
    pub throttle: bool,
    /// What can be searched for.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub annotations: Map<String, Value>,
    /// What is shown.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// What was done as a part of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subsegments: Vec<Subsegment>,
}

/// A subsegment that is sent by itself says where it belongs.
#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    #[serde(serialize_with = "as_text")]
    trace_id: Root,
    #[serde(serialize_with = "as_hexadecimal")]
    parent_id: u64,
    #[serde(flatten)]
    subsegment: &'a Subsegment,
}

impl Daemon {
    /// Sends to the daemon at `address`.
    #[must_use]
    pub fn at(address: Option<SocketAddr>) -> Self {
        let socket = address.and_then(|address| {
            connect(address)
                .inspect_err(|error| warn!(%address, %error, "traces are not sent"))
                .ok()
        });
        Self { socket }
    }

    /// Sends a subsegment of the invocation that has this header, unless the
    /// trace is not sampled. What cannot be sent at once is dropped.
    pub fn send(&self, invocation: TraceHeader, subsegment: &Subsegment) {
        let (Some(socket), Some(parent_id)) = (&self.socket, invocation.parent()) else {
            return;
        };
        if invocation.is_sampled() != Some(true) {
            return;
        }
        let document = Document {
            r#type: "subsegment",
            trace_id: invocation.root(),
            parent_id,
            subsegment,
        };
        let mut datagram = HEADER.to_vec();
        let written = serde_json::to_writer(&mut datagram, &document).map_err(Into::into);
        if let Err(error) = written.and_then(|()| socket.send(&datagram)) {
            debug!(%error, "segment was dropped");
        }
    }
}

impl Subsegment {
    /// Makes a subsegment of so much time.
    #[must_use]
    pub fn new(name: &'static str, start_time: Timestamp, end_time: Timestamp) -> Self {
        Self {
            name,
            id: fastrand::u64(1..),
            start_time,
            end_time,
            namespace: None,
            fault: false,
            throttle: false,
            annotations: Map::new(),
            metadata: Map::new(),
            subsegments: Vec::new(),
        }
    }
}

fn connect(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn as_text<S: serde::Serializer>(root: &Root, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(root)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn as_hexadecimal<S: serde::Serializer>(id: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{id:016x}"))
}

/// Seconds since the epoch, with a fraction.
fn as_seconds<S: serde::Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    let milliseconds = u64::try_from(time.as_millisecond()).unwrap_or_default();
    serializer.serialize_f64(Duration::from_millis(milliseconds).as_secs_f64())
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";

    /// A daemon, and where what it is sent arrives.
    pub(crate) fn daemon() -> (Daemon, UdpSocket) {
        let arriving = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        arriving.set_nonblocking(true).unwrap();
        (Daemon::at(arriving.local_addr().ok()), arriving)
    }

    /// What has arrived, as documents. Loopback delivers before `send` returns.
    pub(crate) fn arrived(at: &UdpSocket) -> Vec<Value> {
        let mut documents = Vec::new();
        let mut datagram = vec![0; 65_536];
        while let Ok(bytes) = at.recv(&mut datagram) {
            let document = datagram[..bytes].strip_prefix(HEADER).unwrap();
            documents.push(serde_json::from_slice(document).unwrap());
        }
        documents
    }

    fn header(rest: &str) -> TraceHeader {
        format!("Root={ROOT}{rest}").parse().unwrap()
    }

    fn subsegment() -> Subsegment {
        let at = |milliseconds| Timestamp::from_millisecond(milliseconds).unwrap();
        Subsegment {
            id: 10,
            ..Subsegment::new("fan out", at(1_500), at(2_000))
        }
    }

    #[test]
    fn a_subsegment_says_where_it_belongs() {
        let (daemon, arriving) = daemon();
        let mut parent = subsegment();
        parent.subsegments.push(subsegment());
        daemon.send(header(";Parent=53995c3f42cd8ad8;Sampled=1"), &parent);
        let expected = json!({
            "type": "subsegment", "trace_id": ROOT, "parent_id": "53995c3f42cd8ad8",
            "name": "fan out", "id": "000000000000000a", "start_time": 1.5, "end_time": 2.0,
            "fault": false, "throttle": false,
            "subsegments": [{
                "name": "fan out", "id": "000000000000000a", "start_time": 1.5,
                "end_time": 2.0, "fault": false, "throttle": false,
            }],
        });
        assert_eq!(arrived(&arriving), [expected]);
    }

    #[test]
    fn nothing_is_sent_of_what_is_not_sampled_or_has_no_parent() {
        let (daemon, arriving) = daemon();
        for rest in [
            "",
            ";Parent=53995c3f42cd8ad8;Sampled=0",
            ";Parent=53995c3f42cd8ad8",
            ";Sampled=1",
        ] {
            daemon.send(header(rest), &subsegment());
        }
        assert_eq!(arrived(&arriving), [Value::Null; 0]);
    }

    #[test]
    fn a_daemon_that_is_not_there_is_no_error() {
        let sampled = header(";Parent=53995c3f42cd8ad8;Sampled=1");
        Daemon::default().send(sampled, &subsegment());
        let (daemon, arriving) = daemon();
        drop(arriving);
        for _ in 0..3 {
            daemon.send(sampled, &subsegment());
        }
    }
}
