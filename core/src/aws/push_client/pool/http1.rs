//! One connection over HTTP/1.1 (<https://www.rfc-editor.org/rfc/rfc9112>).
//!
//! hyper's would hold 8 KiB for writing, and hand requests over in blocks of
//! another 9 KiB, for each push in flight. This one holds the head that it
//! sends, and as much of an answer as came and was not read.

mod answer;
mod body;
mod head;

use std::future::poll_fn;
use std::io::{self, IoSlice, Write as _};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Response};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::task::coop::unconstrained;

use self::answer::{Answer, Reader};
pub(in crate::aws::push_client) use self::head::Malformed;
use super::super::post::Post;
use super::connect::Io;
use super::exchange::{Failure, Fault};

/// How much is read at a time, in bytes, at the least: the gateway's answers
/// have some 400, and a read that was not filled need not be followed by one
/// that finds nothing.
const ROOM: usize = 1024;

/// A connection that carries one request at a time.
///
/// It moves on only while somebody waits for an answer. That it was closed while
/// it rested is found out before anything is written to it again.
pub(super) struct Http1<S = Io> {
    io: S,
    /// The head of the request.
    outgoing: Vec<u8>,
    /// What came, and was not read yet.
    incoming: BytesMut,
    is_free: bool,
}

/// How far a request was written.
enum Sending {
    /// So many bytes of it.
    To(usize),
    Done,
    /// A gateway that closes the connection may have answered before: what there
    /// is to read tells.
    Failed,
}

impl<S> Http1<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    pub(super) fn new(io: S) -> Self {
        Self {
            io,
            outgoing: Vec::new(),
            incoming: BytesMut::new(),
            is_free: true,
        }
    }

    /// Whether another request can be sent: the last one was sent whole, and
    /// its answer read to an end behind which there was nothing.
    pub(super) fn is_free(&self) -> bool {
        self.is_free
    }

    /// Sends a request, and reads its answer. The headers of a success are not
    /// kept, and of a body no more than
    /// [`MOST_BODY`](super::exchange::MOST_BODY) is read.
    ///
    /// # Cancel safety
    /// What is dropped leaves a connection that is not free.
    pub(super) async fn send(
        &mut self,
        host: &HeaderValue,
        post: Post<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        self.is_free = false;
        let at_rest = poll_fn(|context| Poll::Ready(self.fault_at_rest(context)));
        // Whatever is left of the task's budget: without any, a closed connection
        // looks like one where nothing came.
        if let Some(fault) = unconstrained(at_rest).await {
            return Err(Failure::Unsent(fault));
        }
        write_head(&mut self.outgoing, host, post);
        let (mut sending, mut reader) = (Sending::To(0), Reader::default());
        let answer = poll_fn(|context| {
            // Both, whatever comes of the first: a gateway may answer before it
            // has read all.
            self.move_on(context, post.payload, &mut sending);
            self.poll_answer(context, &mut reader)
        });
        let Answer {
            response,
            leaves_open,
        } = answer.await?;
        let is_sent = matches!(sending, Sending::Done);
        self.is_free = is_sent && leaves_open && self.incoming.is_empty();
        Ok(response)
    }

    /// Says why no request may follow what was here before.
    fn fault_at_rest(&mut self, context: &mut Context<'_>) -> Option<Fault> {
        match self.poll_fill(context) {
            Poll::Pending => None,
            Poll::Ready(Ok(0)) => Some(Fault::Closed),
            Poll::Ready(Ok(_)) => Some(Fault::Unasked),
            Poll::Ready(Err(error)) => Some(Fault::Io(error)),
        }
    }

    /// Writes as much of a request as is taken.
    fn move_on(&mut self, context: &mut Context<'_>, payload: &[u8], sending: &mut Sending) {
        if let Sending::To(written) = sending
            && let Poll::Ready(ended) = self.poll_write(context, payload, written)
        {
            *sending = match ended {
                Ok(()) => Sending::Done,
                Err(_) => Sending::Failed,
            };
        }
    }

    /// Writes head and payload at once, so that they share a packet and a record
    /// of TLS.
    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        payload: &[u8],
        written: &mut usize,
    ) -> Poll<io::Result<()>> {
        let head = self.outgoing.as_slice();
        let mut io = Pin::new(&mut self.io);
        while *written < head.len() + payload.len() {
            let payload_at = written.saturating_sub(head.len());
            let left = [
                IoSlice::new(head.get(*written..).unwrap_or_default()),
                IoSlice::new(payload.get(payload_at..).unwrap_or_default()),
            ];
            match ready!(io.as_mut().poll_write_vectored(context, &left))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => *written += more,
            }
        }
        io.poll_flush(context)
    }

    /// Reads until an answer is whole.
    fn poll_answer(
        &mut self,
        context: &mut Context<'_>,
        reader: &mut Reader,
    ) -> Poll<Result<Answer, Failure>> {
        loop {
            if let Some(answer) = reader.read(&mut self.incoming)? {
                return Poll::Ready(Ok(answer));
            }
            match ready!(self.poll_fill(context)) {
                Ok(0) => return Poll::Ready(reader.end(Fault::Closed)),
                Ok(_) => {}
                Err(error) => return Poll::Ready(reader.end(Fault::Io(error))),
            }
        }
    }

    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.incoming.reserve(ROOM);
        pin!(self.io.read_buf(&mut self.incoming)).poll(context)
    }
}

/// Writes the head of a request in place of the last one's.
fn write_head(head: &mut Vec<u8>, host: &HeaderValue, post: Post<'_>) {
    head.clear();
    head.extend_from_slice(b"POST ");
    head.extend_from_slice(post.path.as_str().as_bytes());
    head.extend_from_slice(b" HTTP/1.1\r\nhost: ");
    head.extend_from_slice(host.as_bytes());
    for (name, value) in post.headers() {
        head.extend_from_slice(b"\r\n");
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
    }
    // A vector takes whatever is written to it.
    write!(head, "\r\ncontent-length: {}\r\n\r\n", post.payload.len()).ok();
}

#[cfg(test)]
mod tests;
