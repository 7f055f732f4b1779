//! Sockets, and when an order arrived at each of them.

use std::time::Duration;

use anyhow::{Context as _, bail};
use fanout_loadtest::machine::monotonic_time;
use futures::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How long a handshake and an answer may take.
const OPEN_WITHIN: Duration = Duration::from_secs(30);
/// Arrivals that wait to be read.
const WAITING: usize = 1_024;

/// One order at one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    pub(super) order: u32,
    /// On the machine's monotonic clock.
    pub(super) at: Duration,
}

/// Open sockets of one stack. Dropped, they are closed.
pub(super) struct Subscribers {
    pub(super) connection_ids: Vec<String>,
    pub(super) arrivals: Receiver<Arrival>,
    _reading: JoinSet<()>,
}

impl Subscribers {
    /// Opens `count` sockets and asks each who it is.
    ///
    /// # Errors
    /// One of them does not open, or has no answer.
    pub(super) async fn open(url: &str, count: u16) -> anyhow::Result<Self> {
        let (to, arrivals) = channel(WAITING);
        let mut reading = JoinSet::new();
        let mut connection_ids = Vec::new();
        for _ in 0..count {
            let opening = timeout(OPEN_WITHIN, open(url));
            let (socket, id) = opening.await.context("a socket does not open")??;
            connection_ids.push(id);
            reading.spawn(read(socket, to.clone()));
        }
        Ok(Self {
            connection_ids,
            arrivals,
            _reading: reading,
        })
    }
}

async fn open(url: &str) -> anyhow::Result<(Socket, String)> {
    let (mut socket, _) = connect_async(url).await.context("cannot open a socket")?;
    let question = Message::text(r#"{"action":"whoami"}"#);
    socket.send(question).await?;
    while let Some(message) = socket.next().await {
        if let Message::Text(frame) = message?
            && let Some(id) = connection_id_in(&frame)
        {
            return Ok((socket, id));
        }
    }
    bail!("a socket was closed")
}

/// Reads until the socket ends or nobody wants to know any more.
async fn read(mut socket: Socket, to: Sender<Arrival>) {
    while let Some(Ok(message)) = socket.next().await {
        let at = monotonic_time();
        let Message::Text(frame) = message else {
            continue;
        };
        let Some(order) = order_in(&frame) else {
            continue;
        };
        if to.send(Arrival { order, at }).await.is_err() {
            return;
        }
    }
}

fn connection_id_in(frame: &str) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct WhoAmI {
        connection_id: String,
    }
    let answer: WhoAmI = serde_json::from_str(frame).ok()?;
    Some(answer.connection_id)
}

/// The number of the order that a frame tells of: its `bookId`, which stands in
/// an event's data, or in what was posted, which the empty functions pass on.
fn order_in(frame: &str) -> Option<u32> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Order {
        book_id: u32,
    }
    #[derive(Deserialize)]
    struct Event {
        data: Order,
    }
    let event = serde_json::from_str(frame).map(|Event { data }| data);
    let order = event.or_else(|_| serde_json::from_str(frame)).ok();
    order.map(|Order { book_id }| book_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_known_by_its_book() {
        for (frame, expected) in [
            (r#"{"id":"a","data":{"bookId":7,"title":"Emma"}}"#, Some(7)),
            (r#"{"bookId":8,"connectionIds":["a"]}"#, Some(8)),
            (r#"{"type":"pong"}"#, None),
            ("not JSON", None),
        ] {
            assert_eq!(order_in(frame), expected, "{frame}");
        }
    }

    #[test]
    fn only_the_answer_names_the_connection() {
        let answer = r#"{"type":"whoami","connectionId":"a=","topics":[]}"#;
        assert_eq!(connection_id_in(answer).as_deref(), Some("a="));
        assert_eq!(connection_id_in(r#"{"bookId":8}"#), None);
    }
}
