//! One of hyper's connections over HTTP/1.1.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};

use super::connections::{Io, read};

/// What is held for reading, in bytes: the least that gateways' heads fit into.
const READ_BUFFER: usize = 4 * 1024;

/// A connection that carries one request at a time, and moves on while somebody
/// waits for an answer: a task beside it would cost more.
pub(super) struct Http1 {
    sender: SendRequest<Full<Bytes>>,
    /// `None` once it is closed.
    connection: Option<Connection<Io, Full<Bytes>>>,
}

impl Http1 {
    pub(super) async fn open(io: Io) -> hyper::Result<Box<Self>> {
        let handshake = Builder::new()
            .read_buf_exact_size(Some(READ_BUFFER))
            .handshake(io);
        let (sender, connection) = handshake.await?;
        Ok(Box::new(Self {
            sender,
            connection: Some(connection),
        }))
    }

    /// Whether another request can be sent.
    pub(super) fn is_free(&self) -> bool {
        self.connection.is_some() && self.sender.is_ready()
    }

    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<StatusCode> {
        let answer = self.sender.send_request(request);
        let (head, body) = drive(&mut self.connection, answer).await?.into_parts();
        drive(&mut self.connection, read(body)).await?;
        Ok(head.status)
    }
}

/// Moves the connection on until what waits for it is done.
async fn drive<F: Future>(
    connection: &mut Option<Connection<Io, Full<Bytes>>>,
    waiting: F,
) -> F::Output {
    let mut waiting = pin!(waiting);
    poll_fn(|context| {
        // A connection that has ended is dropped, which tells whoever waits.
        if let Some(moving) = connection
            && let Poll::Ready(_told_to_whoever_waits) = Pin::new(moving).poll(context)
        {
            *connection = None;
        }
        // What is waited for comes from the connection alone, and is looked at
        // whenever that has moved: were it to wake as well, each answer would
        // wake its request twice.
        waiting
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
    })
    .await
}
