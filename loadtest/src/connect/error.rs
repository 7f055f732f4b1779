//! Why a socket could not be opened.

use std::io;

use http::StatusCode;
use tokio_tungstenite::tungstenite::{Error as WsError, error::ProtocolError};

use super::CONNECT_TIMEOUT;
use crate::tls::TlsError;

/// Why a socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The host has no address.
    #[error("cannot resolve {host}")]
    Resolve {
        /// The name that was looked up.
        host: String,
        /// Why the look-up failed.
        #[source]
        source: io::Error,
    },
    /// No address of the host can be reached from the source addresses.
    #[error("the host has no address of the same family as every --source-ip")]
    SourceFamily,
    /// A name or address that no certificate can be for.
    #[error("\"{0}\" is no name for a certificate")]
    ServerName(String),
    /// What TLS lacks on this machine.
    #[error(transparent)]
    Trust(#[from] TlsError),
    /// The TLS handshake failed.
    #[error("the TLS handshake failed")]
    Tls(#[source] io::Error),
    /// This machine has no local port left toward the address.
    #[error("no local port is left toward this address (net.ipv4.ip_local_port_range)")]
    OutOfPorts,
    /// No TCP connection, or it was lost in the handshake.
    #[error(transparent)]
    Io(io::Error),
    /// The server answered the handshake with this instead of 101.
    #[error("the server answered {0}")]
    Refused(StatusCode),
    /// Neither yes nor no within [`CONNECT_TIMEOUT`].
    #[error("no answer within {} s", CONNECT_TIMEOUT.as_secs())]
    TimedOut,
    /// What answered does not speak WebSocket.
    #[error("the handshake failed")]
    Handshake(#[source] Box<WsError>),
}

impl ConnectError {
    /// Whether another attempt may succeed: throttled, a failing server, a
    /// lost connection. A port that nobody listens on is not transient.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused(status) => {
                *status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
            }
            Self::Io(error) => matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::TimedOut
            ),
            Self::TimedOut => true,
            Self::Resolve { .. }
            | Self::SourceFamily
            | Self::ServerName(_)
            | Self::Trust(_)
            | Self::Tls(_)
            | Self::OutOfPorts
            | Self::Handshake(_) => false,
        }
    }

    /// Whether somebody is there and answers every attempt like this: the URL
    /// or the credentials are wrong.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Refused(_) => !self.is_transient(),
            Self::Handshake(_) | Self::Tls(_) => true,
            Self::Resolve { .. }
            | Self::SourceFamily
            | Self::ServerName(_)
            | Self::Trust(_)
            | Self::OutOfPorts
            | Self::Io(_)
            | Self::TimedOut => false,
        }
    }

    /// A connection that is lost while TLS is agreed on may do better the next
    /// time, a certificate may not.
    pub(super) fn of_tls(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidData => Self::Tls(error),
            _ => error.into(),
        }
    }
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrNotAvailable => Self::OutOfPorts,
            _ => Self::Io(error),
        }
    }
}

impl From<WsError> for ConnectError {
    fn from(error: WsError) -> Self {
        match error {
            WsError::Http(response) => Self::Refused(response.status()),
            WsError::Io(error) => error.into(),
            WsError::Protocol(ProtocolError::HandshakeIncomplete) => {
                Self::Io(io::ErrorKind::UnexpectedEof.into())
            }
            other => Self::Handshake(Box::new(other)),
        }
    }
}
