//! One of hyper's connections over HTTP/2.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinSet;

use super::connections::{Io, read};

/// How many streams a connection carries before another one is opened.
const MOST_STREAMS: usize = 64;

/// A connection that carries many requests, and ends when this is dropped.
pub(super) struct Http2 {
    sender: SendRequest<Full<Bytes>>,
    streams: Arc<AtomicUsize>,
    _moving: JoinSet<()>,
}

/// Room for one request on a connection.
pub(super) struct Stream {
    sender: SendRequest<Full<Bytes>>,
    streams: Arc<AtomicUsize>,
}

impl Http2 {
    pub(super) async fn open(io: Io) -> hyper::Result<Self> {
        let handshake = Builder::new(TokioExecutor::new()).handshake(io);
        let (sender, connection) = handshake.await?;
        let mut moving = JoinSet::new();
        // Whoever waits for an answer is told of what went wrong.
        moving.spawn(async { drop(connection.await) });
        Ok(Self {
            sender,
            streams: Arc::default(),
            _moving: moving,
        })
    }

    pub(super) fn has_room(&self) -> bool {
        self.streams() < MOST_STREAMS
    }

    /// How many requests it carries.
    pub(super) fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    pub(super) fn stream(&self) -> Stream {
        self.streams.fetch_add(1, Ordering::Relaxed);
        Stream {
            sender: self.sender.clone(),
            streams: Arc::clone(&self.streams),
        }
    }
}

impl Stream {
    pub(super) async fn send(mut self, request: Request<Full<Bytes>>) -> hyper::Result<StatusCode> {
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        read(body).await?;
        Ok(head.status)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.streams.fetch_sub(1, Ordering::Relaxed);
    }
}
