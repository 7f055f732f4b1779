//! hyper's connections, pooled as the project's own client pools its own, and
//! without what that does when something goes wrong.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connection as _, HttpConnector};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::crypto::ring;
use tower_service::Service as _;

use super::http1::Http1;
use super::http2::{Http2, Stream};

pub(super) type Io = MaybeHttpsStream<TokioIo<TcpStream>>;

/// How many connections are opened at a time, once it is known that each will
/// carry one request.
const OPENING_AT_ONCE: usize = 32;

/// What a connection speaks.
#[derive(Clone, Copy)]
pub(super) enum Speaks {
    Http1,
    Http2,
}

/// As many connections as it takes: over HTTP/1.1 one for each request in
/// flight.
pub(super) struct Connections {
    connector: HttpsConnector<HttpConnector>,
    origin: Uri,
    opening: Semaphore,
    open: Mutex<Open>,
}

/// What is open and has room.
#[derive(Default)]
struct Open {
    /// The latest used last.
    #[expect(
        clippy::vec_box,
        reason = "a connection is large, and every request takes one out and puts it back"
    )]
    idle: Vec<Box<Http1>>,
    shared: Vec<Http2>,
    is_http1_seen: bool,
}

/// Room for one request.
enum Room {
    Http1(Box<Http1>),
    Http2(Stream),
}

impl Connections {
    pub(super) fn to(origin: &str) -> anyhow::Result<Self> {
        let tls = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()?;
        let mut tls = tls.with_native_roots()?.with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Ok(Self {
            connector: HttpsConnector::from((tcp, tls)),
            origin: origin.parse()?,
            opening: Semaphore::new(1),
            open: Mutex::default(),
        })
    }

    /// Sends a request, made for what its connection speaks, and reads its
    /// answer to the end.
    pub(super) async fn send<F>(&self, request: F) -> anyhow::Result<StatusCode>
    where
        F: Fn(Speaks) -> Request<Full<Bytes>>,
    {
        match self.room().await? {
            Room::Http1(mut connection) => {
                let status = connection.send(request(Speaks::Http1)).await?;
                if connection.is_free() {
                    self.open().idle.push(connection);
                }
                Ok(status)
            }
            Room::Http2(stream) => Ok(stream.send(request(Speaks::Http2)).await?),
        }
    }

    async fn room(&self) -> anyhow::Result<Room> {
        if let Some(room) = self.open().take() {
            return Ok(room);
        }
        let _opening = self.opening.acquire().await?;
        if let Some(room) = self.open().take() {
            return Ok(room);
        }
        // Apart from the request's own future: it is large, and few requests
        // come to it.
        Box::pin(self.connect()).await
    }

    async fn connect(&self) -> anyhow::Result<Room> {
        let connecting = self.connector.clone().call(self.origin.clone());
        let io = connecting.await.map_err(anyhow::Error::from_boxed);
        let io = io.context("cannot connect")?;
        if io.connected().is_negotiated_h2() {
            let connection = Http2::open(io).await?;
            let stream = connection.stream();
            self.open().shared.push(connection);
            return Ok(Room::Http2(stream));
        }
        let connection = Http1::open(io).await?;
        let is_first = !std::mem::replace(&mut self.open().is_http1_seen, true);
        if is_first {
            self.opening.add_permits(OPENING_AT_ONCE - 1);
        }
        Ok(Room::Http1(connection))
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn take(&mut self) -> Option<Room> {
        let with_room = self.shared.iter().filter(|shared| shared.has_room());
        if let Some(shared) = with_room.min_by_key(|shared| shared.streams()) {
            return Some(Room::Http2(shared.stream()));
        }
        self.idle.pop().map(Room::Http1)
    }
}

/// Reads a body to its end.
pub(super) async fn read(mut body: Incoming) -> hyper::Result<()> {
    while !body.is_end_stream()
        && let Some(frame) = body.frame().await
    {
        frame?;
    }
    Ok(())
}
