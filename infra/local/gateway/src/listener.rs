//! Accepting connections and seeing them to their end.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::reply::Reply;

/// How many handshakes the kernel may hold for us, as far as its own
/// `somaxconn` lets it.
const BACKLOG: u32 = 4_096;

/// What the kernel holds for one client that does not read. Left alone it
/// grows to megabytes on loopback, and a slow reader would not be noticed.
const SEND_BUFFER_BYTES: u32 = 64 * 1024;

/// How long a request's head may take, and an unused connection stay open:
/// longer than the 90 s that pooling clients keep one, so that it is they who
/// close it, and no request meets a connection that is just being closed.
const HEAD_TIMEOUT: Duration = Duration::from_mins(2);

/// The largest request head.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// How long to wait after the system refused to accept, for lack of file
/// descriptors most of all.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Refusals to accept that are no further apart are one episode, which is
/// reported when it begins.
const EPISODE_GAP: Duration = Duration::from_mins(1);

/// Listens at `address` with a backlog and with send buffers that suit many
/// thousands of sockets, each of which sends what it has at once: the end of a
/// long answer would wait for its beginning to be acknowledged, some 40 ms.
///
/// # Errors
///
/// When the address cannot be bound.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    // Accepted sockets inherit both.
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.set_nodelay(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Answers the requests of one of the two APIs.
pub(crate) trait Front: Clone + Send + Sync + 'static {
    /// Answers one request.
    fn answer(
        &self,
        peer: SocketAddr,
        request: Request<Incoming>,
    ) -> impl Future<Output = Reply> + Send;
}

/// The two moments of a shutdown, and the tasks that must be over at its end.
#[derive(Clone, Debug)]
pub(crate) struct Lifetime {
    /// Cancelled when nothing new is to be begun.
    pub(crate) closing: CancellationToken,
    /// Cancelled when what still runs is to be given up.
    pub(crate) abandoned: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Lifetime {
    pub(crate) fn new(shutdown: CancellationToken) -> Self {
        Self {
            closing: shutdown,
            abandoned: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Waits for the tasks to end: by themselves within `grace`, by force
    /// after it.
    pub(crate) async fn end(&self, grace: Duration) {
        self.tasks.close();
        let all = self.tasks.wait();
        if tokio::time::timeout(grace, all).await.is_err() {
            tracing::warn!(tasks = self.tasks.len(), "giving up unfinished work");
            self.abandoned.cancel();
            self.tasks.wait().await;
        }
    }
}

/// Accepts connections for `front` until the lifetime is closing.
pub(crate) async fn accept(listener: TcpListener, front: impl Front, lifetime: &Lifetime) {
    let mut closing = pin!(lifetime.closing.cancelled());
    let mut last_refused: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut closing => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = serve(stream, peer, front.clone(), lifetime.clone());
                lifetime.tasks.spawn(connection);
            }
            Err(error) => {
                let now = Instant::now();
                let last = last_refused.replace(now);
                if last.is_none_or(|last| now.duration_since(last) > EPISODE_GAP) {
                    tracing::warn!(%error, "cannot accept connections");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection until it ends, is upgraded or abandoned.
async fn serve(stream: TcpStream, peer: SocketAddr, front: impl Front, lifetime: Lifetime) {
    let service = service_fn(|request| {
        let front = front.clone();
        async move { Ok::<_, Infallible>(front.answer(peer, request).await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    let outcome = tokio::select! {
        biased;
        outcome = connection.as_mut() => outcome,
        () = lifetime.closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let rest = lifetime.abandoned.run_until_cancelled(connection);
            rest.await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "connection ended early");
    }
}
