//! Why a socket could not be opened, or did not do what was expected.

use std::time::Duration;

use http::StatusCode;
use tokio_tungstenite::tungstenite::Error as WebSocketError;

/// Why a socket could not be opened, or did not do what was expected.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// No connection came about.
    #[error("cannot connect")]
    Connect(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The handshake was answered with this in place of 101.
    #[error("the handshake was answered {status}: {text}")]
    Refused {
        /// The answer's status.
        status: StatusCode,
        /// The answer's body, as far as it is text.
        text: String,
    },
    /// What answered does not speak WebSocket, or the connection broke.
    #[error("the socket failed")]
    WebSocket(#[source] Box<WebSocketError>),
    /// What was waited for did not come.
    #[error("{what} did not come within {} s", after.as_secs())]
    TimedOut {
        /// What was waited for.
        what: &'static str,
        /// For how long.
        after: Duration,
    },
    /// The other side closed the socket.
    #[error("the socket was closed with code {code}")]
    Closed {
        /// The close frame's code; 1005 for none, 1006 for no close frame (RFC
        /// 6455, section 7.4.1).
        code: u16,
    },
    /// A frame that is no JSON text.
    #[error("a frame is not JSON: {0}")]
    NotJson(String),
}

impl From<WebSocketError> for SocketError {
    fn from(error: WebSocketError) -> Self {
        match error {
            WebSocketError::Http(answer) => Self::Refused {
                status: answer.status(),
                text: text_of(answer.body().as_deref().unwrap_or_default()),
            },
            other => Self::WebSocket(Box::new(other)),
        }
    }
}

/// As much of what was not understood as fits into a message.
pub(super) fn text_of(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().take(300).collect()
}
