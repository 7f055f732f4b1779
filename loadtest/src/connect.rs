//! Opens one subscriber's socket, again if it is refused for now.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures::SinkExt;
use http::Uri;
use tokio::{
    net::{TcpSocket, TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

pub use self::error::ConnectError;
use self::{
    handshake::Handshake,
    retry::{Decision, decide},
    stream::Stream,
};
use crate::{clock::Clock, subscriber_set::SubscriberIndex, tls::Trust};

mod error;
pub mod handshake;
pub mod retry;
pub mod stream;

/// An open socket of a subscriber.
pub type Socket = WebSocketStream<Stream>;

/// How long one attempt may take. API Gateway keeps the handshake pending
/// until the `$connect` integration returns, which may take 29 s.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Memory per subscriber matters: the frames are small, and nothing is written
/// but pongs and one close.
const READ_BUFFER_BYTES: usize = 4 * 1024;
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// Where subscribers connect, its name resolved once, and from where.
#[derive(Clone)]
pub struct Endpoint {
    url: Uri,
    handshake: Arc<Handshake>,
    addresses: Arc<[SocketAddr]>,
    sources: Arc<[IpAddr]>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the tokens nor the TLS connector, which cannot be shown.
        let mut shown = f.debug_struct("Endpoint");
        shown.field("url", &self.url).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Looks the host of a `ws://` or `wss://` URL up. Subscribers connect from the
    /// `sources` in turn; from what the system picks if there are none.
    ///
    /// # Errors
    /// [`ConnectError::Resolve`] if the name has no address, and what TLS
    /// lacks.
    pub async fn resolve(
        url: Uri,
        handshake: Handshake,
        sources: &[IpAddr],
        trust: &Trust,
    ) -> Result<Self, ConnectError> {
        let found = resolve(&url).await?;
        let is_reachable = |address: &SocketAddr| {
            let same_family = |source: &IpAddr| source.is_ipv4() == address.is_ipv4();
            sources.iter().all(same_family)
        };
        let addresses: Arc<[_]> = found.into_iter().filter(is_reachable).collect();
        if addresses.is_empty() {
            return Err(ConnectError::SourceFamily);
        }
        let tls = if is_tls(&url) {
            let name = ServerName::try_from(bare_host(&url).to_owned())
                .map_err(|_| ConnectError::ServerName(bare_host(&url).to_owned()))?;
            Some((TlsConnector::from(trust.client_config()?), name))
        } else {
            None
        };
        Ok(Self {
            url,
            handshake: Arc::new(handshake),
            addresses,
            sources: sources.into(),
            tls,
        })
    }

    /// Connects, and connects again as [`decide`] says. `on_retry` is told of
    /// every attempt that will be made again. Returns the socket and how long
    /// the attempt that succeeded took.
    ///
    /// # Errors
    /// Why the last attempt failed.
    pub async fn connect(
        &self,
        subscriber: SubscriberIndex,
        clock: Clock,
        mut on_retry: impl FnMut(&ConnectError),
    ) -> Result<(Socket, Duration), ConnectError> {
        let mut attempt = 1;
        loop {
            let started = clock.now();
            let error = match self.connect_once(subscriber).await {
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

    async fn connect_once(&self, subscriber: SubscriberIndex) -> Result<Socket, ConnectError> {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        let attempt = async {
            let stream = self.open(subscriber).await?;
            let request = self.handshake.request(&self.url, subscriber)?;
            let (mut socket, _) = client_async_with_config(request, stream, Some(config)).await?;
            for greeting in self.handshake.greetings(subscriber) {
                socket.send(Message::text(greeting)).await?;
            }
            Ok(socket)
        };
        timeout(CONNECT_TIMEOUT, attempt)
            .await
            .unwrap_or(Err(ConnectError::TimedOut))
    }

    async fn open(&self, subscriber: SubscriberIndex) -> Result<Stream, ConnectError> {
        let source = self.source_of(subscriber);
        let mut refused = ConnectError::SourceFamily;
        for &address in &*self.addresses {
            match open_from(source, address).await {
                Ok(tcp) => return self.secure(tcp).await,
                Err(error) => refused = error.into(),
            }
        }
        Err(refused)
    }

    async fn secure(&self, tcp: TcpStream) -> Result<Stream, ConnectError> {
        tcp.set_nodelay(true)?;
        Ok(match &self.tls {
            None => Stream::Plain(tcp),
            Some((connector, name)) => {
                let connected = connector.connect(name.clone(), tcp).await;
                Stream::Tls(Box::new(connected.map_err(ConnectError::of_tls)?))
            }
        })
    }

    fn source_of(&self, SubscriberIndex(index): SubscriberIndex) -> Option<IpAddr> {
        let index = usize::try_from(index).ok()?;
        let turn = index.checked_rem(self.sources.len())?;
        self.sources.get(turn).copied()
    }
}

async fn open_from(source: Option<IpAddr>, address: SocketAddr) -> io::Result<TcpStream> {
    let Some(source) = source else {
        return TcpStream::connect(address).await;
    };
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.bind(SocketAddr::new(source, 0))?;
    socket.connect(address).await
}

/// Looks the host and port of a URL up.
///
/// # Errors
/// [`ConnectError::Resolve`] if the name has no address.
pub async fn resolve(url: &Uri) -> Result<Vec<SocketAddr>, ConnectError> {
    let host = bare_host(url);
    let port = if is_tls(url) { 443 } else { 80 };
    let found = lookup_host((host, url.port_u16().unwrap_or(port))).await;
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

/// Whether a URL is of a scheme over TLS.
#[must_use]
pub fn is_tls(url: &Uri) -> bool {
    matches!(url.scheme_str(), Some("wss" | "https"))
}

/// An IPv6 address is in brackets in a URL, and nowhere else.
fn bare_host(url: &Uri) -> &str {
    let host = url.host().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']')
}
