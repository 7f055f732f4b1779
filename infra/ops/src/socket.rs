//! One subscriber's socket, spoken to as `wscat` would.

mod error;

use std::collections::VecDeque;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{HeaderValue, Uri};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use tower_service::Service as _;

pub use self::error::SocketError;
use self::error::text_of;
use crate::connector::{Connector, Stream, is_tls};

/// What may stand in a query as it is (RFC 3986, section 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// How many notifications are kept that nobody has asked for yet; what came
/// first goes first. Strangers publish too.
const MAX_KEPT: usize = 1_000;

/// How a socket asks to be opened.
#[derive(Clone, Debug, Default)]
pub struct Handshake {
    /// Query parameters, not escaped.
    pub query: Vec<(String, String)>,
    /// The subprotocols that are offered.
    pub subprotocols: Option<String>,
}

/// An open socket.
///
/// Whatever it waits for, it waits for as long as its patience lasts.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<TokioIo<Stream>>,
    notifications: VecDeque<Value>,
    subprotocol: Option<String>,
    patience: Duration,
}

impl Socket {
    /// Opens a socket at a `ws` or `wss` URL.
    ///
    /// # Errors
    /// [`SocketError`]: no connection, or a refusal.
    pub async fn open(
        connector: &Connector,
        url: &Uri,
        handshake: &Handshake,
        patience: Duration,
    ) -> Result<Self, SocketError> {
        let opening = async {
            let mut request = with_query(url, &handshake.query).into_client_request()?;
            if let Some(offered) = &handshake.subprotocols {
                let offered = HeaderValue::from_str(offered).map_err(http::Error::from);
                let offered = offered.map_err(WebSocketError::from)?;
                request
                    .headers_mut()
                    .insert(SEC_WEBSOCKET_PROTOCOL, offered);
            }
            let connected = connector.clone().call(over_http(url)).await;
            let stream = connected.map_err(SocketError::Connect)?;
            let (stream, answer) = client_async(request, TokioIo::new(stream)).await?;
            let subprotocol = answer.headers().get(SEC_WEBSOCKET_PROTOCOL);
            Ok(Self {
                stream,
                notifications: VecDeque::new(),
                subprotocol: subprotocol
                    .map(|chosen| String::from_utf8_lossy(chosen.as_bytes()).into_owned()),
                patience,
            })
        };
        let opened = timeout(patience, opening).await;
        opened.unwrap_or(Err(SocketError::TimedOut {
            what: "an answer to the handshake",
            after: patience,
        }))
    }

    /// The subprotocol that was chosen.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Sends a text as it is.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn send(&mut self, text: impl Into<String>) -> Result<(), SocketError> {
        Ok(self.stream.send(Message::text(text.into())).await?)
    }

    /// Sends an action and returns its reply: the next frame that is no
    /// notification.
    ///
    /// # Errors
    /// There is none, in time.
    pub async fn ask(&mut self, action: &Value) -> Result<Value, SocketError> {
        self.send(action.to_string()).await?;
        self.reply().await
    }

    /// Returns the next frame that is no notification.
    ///
    /// # Errors
    /// There is none, in time.
    pub async fn reply(&mut self) -> Result<Value, SocketError> {
        let deadline = Instant::now() + self.patience;
        loop {
            let frame = self.frame(deadline, "a reply").await?;
            if !is_notification(&frame) {
                return Ok(frame);
            }
            self.keep(frame);
        }
    }

    /// Returns the next notification with this id. Those with another are kept.
    ///
    /// # Errors
    /// There is none, in time.
    pub async fn notification(&mut self, id: &str) -> Result<Value, SocketError> {
        let kept = self.notifications.iter();
        if let Some(position) = kept.into_iter().position(|kept| has_id(kept, id))
            && let Some(kept) = self.notifications.remove(position)
        {
            return Ok(kept);
        }
        let deadline = Instant::now() + self.patience;
        loop {
            let frame = self.frame(deadline, "the notification").await?;
            if is_notification(&frame) && has_id(&frame, id) {
                return Ok(frame);
            }
            self.keep(frame);
        }
    }

    /// Counts the notifications with this id that have arrived and were not
    /// returned yet, by a ping that is answered after them.
    ///
    /// # Errors
    /// The ping is not answered.
    pub async fn count(&mut self, id: &str) -> Result<usize, SocketError> {
        self.ask(&json!({"action": "ping"})).await?;
        let arrived = self.notifications.iter();
        Ok(arrived.filter(|kept| has_id(kept, id)).count())
    }

    /// Waits until the other side closes the socket, and returns the code of its
    /// close frame.
    ///
    /// # Errors
    /// It does not, in time.
    pub async fn closed(&mut self) -> Result<u16, SocketError> {
        let deadline = Instant::now() + self.patience;
        loop {
            match self.frame(deadline, "the close").await {
                Ok(frame) => self.keep(frame),
                Err(SocketError::Closed { code }) => return Ok(code),
                Err(error) => return Err(error),
            }
        }
    }

    /// Closes the socket, and waits for the other side to do so too.
    ///
    /// # Errors
    /// It does not, in time.
    pub async fn close(mut self) -> Result<(), SocketError> {
        self.stream.close(None).await?;
        self.closed().await.map(drop)
    }

    async fn frame(&mut self, deadline: Instant, what: &'static str) -> Result<Value, SocketError> {
        loop {
            let next = timeout_at(deadline, self.stream.next()).await;
            let next = next.map_err(|_| SocketError::TimedOut {
                what,
                after: self.patience,
            })?;
            let message = match next {
                None => return Err(SocketError::Closed { code: 1006 }),
                Some(Err(WebSocketError::ConnectionClosed)) => {
                    return Err(SocketError::Closed { code: 1005 });
                }
                Some(message) => message?,
            };
            match message {
                Message::Text(text) => {
                    let frame = serde_json::from_str(text.as_str());
                    return frame.map_err(|_| SocketError::NotJson(text_of(text.as_bytes())));
                }
                Message::Binary(bytes) => return Err(SocketError::NotJson(text_of(&bytes))),
                Message::Close(frame) => {
                    let code = frame.map_or(1005, |CloseFrame { code, .. }| code.into());
                    return Err(SocketError::Closed { code });
                }
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// Keeps a notification until it is asked for.
    fn keep(&mut self, frame: Value) {
        if self.notifications.len() >= MAX_KEPT {
            self.notifications.pop_front();
        }
        self.notifications.push_back(frame);
    }
}

fn is_notification(frame: &Value) -> bool {
    frame.get("specversion").is_some()
}

fn has_id(frame: &Value, id: &str) -> bool {
    frame.get("id").and_then(Value::as_str) == Some(id)
}

fn with_query(url: &Uri, query: &[(String, String)]) -> String {
    let mut url = url.to_string();
    for (name, value) in query {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.extend(utf8_percent_encode(name, ESCAPED));
        url.push('=');
        url.extend(utf8_percent_encode(value, ESCAPED));
    }
    url
}

/// The URL at which to connect, which is told by `http` and `https`.
fn over_http(url: &Uri) -> Uri {
    let scheme = if is_tls(url) { "https" } else { "http" };
    let authority = url.authority().map_or("", |authority| authority.as_str());
    let http = Uri::builder().scheme(scheme).authority(authority);
    http.path_and_query("/").build().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_escaped_and_appended() {
        let query = [("topics", "a/b,c"), ("token", "x=")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            with_query(&Uri::from_static("ws://h:1/p?x=1"), &query),
            "ws://h:1/p?x=1&topics=a%2Fb%2Cc&token=x%3D"
        );
        assert_eq!(with_query(&Uri::from_static("ws://h/p"), &[]), "ws://h/p");
    }

    #[test]
    fn a_socket_is_connected_to_as_its_scheme_says() {
        assert_eq!(over_http(&Uri::from_static("ws://h:1/p")), "http://h:1/");
        assert_eq!(over_http(&Uri::from_static("wss://h/p")), "https://h/");
    }
}
