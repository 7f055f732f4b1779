//! Opens one subscriber's socket, again if it is refused for now.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use http::{StatusCode, Uri};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Error as WsError, client::IntoClientRequest, error::ProtocolError,
        protocol::WebSocketConfig,
    },
};

use crate::clock::Clock;

/// An open socket of a subscriber.
pub type Socket = WebSocketStream<TcpStream>;

/// How long one attempt may take. API Gateway keeps the handshake pending
/// until the `$connect` integration returns, which may take 29 s.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a refused connect is tried altogether.
pub const MAX_ATTEMPTS: u32 = 8;

const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// Memory per subscriber matters: the frames are small, and nothing is written
/// but pongs and one close.
const READ_BUFFER_BYTES: usize = 4 * 1024;
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// Where subscribers connect, its name resolved once.
#[derive(Debug, Clone)]
pub struct Endpoint {
    url: Uri,
    addresses: Arc<[SocketAddr]>,
}

impl Endpoint {
    /// Looks the host of a `ws://` URL up.
    ///
    /// # Errors
    /// [`ConnectError::Resolve`] if the name has no address.
    pub async fn resolve(url: Uri) -> Result<Self, ConnectError> {
        let addresses = resolve(&url).await?.into();
        Ok(Self { url, addresses })
    }

    /// Connects, and connects again as [`decide`] says. `on_retry` is told of
    /// every attempt that will be made again. Returns the socket and how long
    /// the attempt that succeeded took.
    ///
    /// # Errors
    /// Why the last attempt failed.
    pub async fn connect(
        &self,
        clock: Clock,
        mut on_retry: impl FnMut(&ConnectError),
    ) -> Result<(Socket, Duration), ConnectError> {
        let mut attempt = 1;
        loop {
            let started = clock.now();
            let error = match self.connect_once().await {
                Ok(socket) => return Ok((socket, clock.now().saturating_sub(started))),
                Err(error) => error,
            };
            match decide(attempt, &error, fastrand::f64()) {
                Decision::GiveUp => return Err(error),
                Decision::RetryAfter(backoff) => {
                    on_retry(&error);
                    tokio::time::sleep(backoff).await;
                    attempt += 1;
                }
            }
        }
    }

    async fn connect_once(&self) -> Result<Socket, ConnectError> {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        let attempt = async {
            let stream = TcpStream::connect(&*self.addresses).await?;
            stream.set_nodelay(true)?;
            let request = (&self.url).into_client_request()?;
            let (socket, _) = client_async_with_config(request, stream, Some(config)).await?;
            Ok(socket)
        };
        timeout(CONNECT_TIMEOUT, attempt)
            .await
            .unwrap_or(Err(ConnectError::TimedOut))
    }
}

/// Looks the host and port of a plain `ws://` or `http://` URL up.
///
/// # Errors
/// [`ConnectError::Resolve`] if the name has no address.
pub async fn resolve(url: &Uri) -> Result<Vec<SocketAddr>, ConnectError> {
    let host = url.host().unwrap_or_default();
    let bare_host = host.trim_start_matches('[').trim_end_matches(']');
    let found = lookup_host((bare_host, url.port_u16().unwrap_or(80))).await;
    let unresolved = |source| ConnectError::Resolve {
        host: host.to_owned(),
        source,
    };
    let addresses: Vec<_> = found.map_err(unresolved)?.collect();
    if addresses.is_empty() {
        return Err(unresolved(io::ErrorKind::NotFound.into()));
    }
    Ok(addresses)
}

/// What to do about a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Try again after this long.
    RetryAfter(Duration),
    /// The same attempt would fail again, or has failed often enough.
    GiveUp,
}

/// Decides about attempt number `attempt` (from 1) that ended in `error`: waits
/// twice as long every time, with between half and all of it picked by
/// `jitter` (0 to 1).
#[must_use]
pub fn decide(attempt: u32, error: &ConnectError, jitter: f64) -> Decision {
    if attempt >= MAX_ATTEMPTS || !error.is_transient() {
        return Decision::GiveUp;
    }
    let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
    let longest = FIRST_BACKOFF.saturating_mul(doubled).min(LONGEST_BACKOFF);
    Decision::RetryAfter(longest.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0))
}

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
            Self::Resolve { .. } | Self::OutOfPorts | Self::Handshake(_) => false,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(attempt: u32, error: impl Into<ConnectError>, jitter: f64, backoff_ms: Option<u64>) {
        let expected = backoff_ms.map_or(Decision::GiveUp, |ms| {
            Decision::RetryAfter(Duration::from_millis(ms))
        });
        assert_eq!(decide(attempt, &error.into(), jitter), expected);
    }

    fn refused(status: u16) -> ConnectError {
        ConnectError::Refused(StatusCode::from_u16(status).unwrap())
    }

    #[test]
    fn throttles_failing_servers_and_lost_connections_are_tried_again() {
        check(1, refused(429), 1.0, Some(100));
        check(1, refused(502), 1.0, Some(100));
        check(
            1,
            io::Error::from(io::ErrorKind::ConnectionReset),
            1.0,
            Some(100),
        );
        check(
            1,
            WsError::Protocol(ProtocolError::HandshakeIncomplete),
            1.0,
            Some(100),
        );
        check(1, ConnectError::TimedOut, 1.0, Some(100));
    }

    #[test]
    fn what_would_fail_again_is_given_up() {
        check(1, refused(403), 1.0, None);
        check(1, refused(404), 1.0, None);
        check(
            1,
            io::Error::from(io::ErrorKind::ConnectionRefused),
            1.0,
            None,
        );
        check(
            1,
            io::Error::from(io::ErrorKind::AddrNotAvailable),
            1.0,
            None,
        );
        check(
            1,
            WsError::Protocol(ProtocolError::WrongHttpVersion),
            1.0,
            None,
        );
    }

    #[test]
    fn backoff_doubles_up_to_a_bound_and_ends() {
        check(1, refused(429), 0.0, Some(50));
        check(3, refused(429), 1.0, Some(400));
        check(7, refused(429), 1.0, Some(5_000));
        check(8, refused(429), 1.0, None);
    }
}
