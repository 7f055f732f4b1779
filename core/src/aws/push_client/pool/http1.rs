//! One connection over HTTP/1.1.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};

use super::connect::Io;
use super::exchange::{self, Failure};

/// The largest head of an answer, in bytes, and what is held for reading it:
/// the gateway's have some 400.
const MOST_HEAD: usize = 4 * 1024;

/// A connection that carries one request at a time.
///
/// It moves on only while somebody waits for an answer. That it was closed while
/// it rested is found out before anything is written to it again.
pub(super) struct Http1 {
    sender: SendRequest<Full<Bytes>>,
    /// `None` once it is closed.
    connection: Option<Connection<Io, Full<Bytes>>>,
}

impl Http1 {
    pub(super) async fn open(io: Io) -> hyper::Result<Box<Self>> {
        let handshake = Builder::new()
            .read_buf_exact_size(Some(MOST_HEAD))
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
    ) -> Result<Response<Bytes>, Failure> {
        let answer = self.sender.try_send_request(request);
        let (head, body) = drive(&mut self.connection, answer).await?.into_parts();
        let body = drive(&mut self.connection, exchange::read(body)).await?;
        Ok(Response::from_parts(head, body))
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
