//! One WebSocket's frames: what the client sends, and what waits for it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, copy, sink};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame, Utf8Bytes};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::connections::outbox::{CloseRequest, Outbox, Payload};
use crate::settings::Settings;

/// What is read at once; allocated for as long as the socket is open.
const READ_BUFFER_BYTES: usize = 2 * 1024;

/// How much is gathered before it is written.
const WRITE_BUFFER_BYTES: usize = 4 * 1024;

/// Room for the answers to pings of a client that does not read them. One that
/// goes on pinging is cut off.
const PONG_ROOM_BYTES: usize = 16 * 1024;

/// How long a close may take: writing what was accepted before, and waiting
/// for the client to close its side. Closing with unread data would reset the
/// connection, and the client might lose the close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The frames of one socket.
///
/// The write buffer grows to the largest frame sent and stays so; a message
/// over the frame limit goes out in several frames.
#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: WebSocketStream<S>,
    /// What of a message over the frame limit has not been written yet.
    rest: Option<Unsent>,
    is_unflushed: bool,
    max_frame_bytes: usize,
}

/// What happened on a socket.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Happened {
    /// The client sent a message.
    Text(Utf8Bytes),
    /// The client sent a ping or a pong.
    Signal,
    /// Everything that waited for the client was handed to the kernel.
    Sent,
    /// The socket is over, or has to be closed.
    Over(Over),
}

/// Why a socket is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// The gateway itself asked for it.
    Requested(CloseRequest),
    /// The client closed it, with a code and a reason if it gave any.
    ByClient(Option<(u16, String)>),
    /// The client vanished without a close frame.
    Vanished,
    /// The client sent a binary message, which this API does not take.
    Binary,
    /// The client sent a frame or a message over the limit.
    TooLarge,
    /// The client sent text that is no UTF-8.
    NotUtf8,
    /// The client broke the protocol.
    Protocol,
}

#[derive(Debug)]
struct Unsent {
    payload: Payload,
    is_begun: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Takes over a connection after the handshake. `read` is what was read
    /// past the handshake's end.
    pub(super) async fn new(stream: S, read: Vec<u8>, settings: &Settings) -> Self {
        let max_frame_bytes = settings.max_frame_bytes.max(1);
        let max_write_buffer = WRITE_BUFFER_BYTES
            .saturating_add(max_frame_bytes)
            .saturating_add(PONG_ROOM_BYTES);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(WRITE_BUFFER_BYTES)
            .max_write_buffer_size(max_write_buffer)
            .max_frame_size(Some(max_frame_bytes))
            .max_message_size(Some(settings.max_message_bytes));
        let stream =
            WebSocketStream::from_partially_read(stream, read, Role::Server, Some(config)).await;
        Self {
            stream,
            rest: None,
            is_unflushed: false,
            max_frame_bytes,
        }
    }

    /// Writes what waits in the outbox and, if `is_reading`, reads, until
    /// something has happened.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self, outbox: &Outbox, is_reading: bool) -> Happened {
        poll_fn(|cx| self.poll_next(cx, outbox, is_reading)).await
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        outbox: &Outbox,
        is_reading: bool,
    ) -> Poll<Happened> {
        outbox.register(cx);
        if let Some(request) = outbox.close_request() {
            return Poll::Ready(Happened::Over(Over::Requested(request)));
        }
        while let Poll::Ready(ready) = self.stream.poll_ready_unpin(cx) {
            let Some(frame) = self.next_frame(outbox) else {
                break;
            };
            let sent = ready.and_then(|()| self.stream.start_send_unpin(Message::Frame(frame)));
            if let Err(error) = sent {
                return Poll::Ready(Happened::Over(Over::of(&error)));
            }
            self.is_unflushed = true;
        }
        if self.is_unflushed
            && let Poll::Ready(flushed) = self.stream.poll_flush_unpin(cx)
        {
            self.is_unflushed = false;
            return Poll::Ready(match flushed {
                Ok(()) => Happened::Sent,
                Err(error) => Happened::Over(Over::of(&error)),
            });
        }
        if is_reading && let Poll::Ready(read) = self.stream.poll_next_unpin(cx) {
            return Poll::Ready(Happened::from_read(read));
        }
        Poll::Pending
    }

    /// The next frame to write: the rest of a large message goes first.
    fn next_frame(&mut self, outbox: &Outbox) -> Option<Frame> {
        let fresh = || outbox.take().map(Unsent::new);
        let mut unsent = self.rest.take().or_else(fresh)?;
        let (frame, is_last) = unsent.next_frame(self.max_frame_bytes);
        self.rest = (!is_last).then_some(unsent);
        Some(frame)
    }

    /// Closes the socket: writes what was accepted before, then a close frame,
    /// and waits a moment for the client to do its part.
    ///
    /// Without a frame only the client's own close is answered.
    pub(super) async fn close(mut self, accepted: VecDeque<Payload>, frame: Option<CloseFrame>) {
        let farewell = async {
            if let Some(frame) = frame {
                self.send_all(accepted).await?;
                self.stream.send(Message::Close(Some(frame))).await?;
            } else {
                self.stream.flush().await?;
            }
            let stream = self.stream.get_mut();
            stream.shutdown().await?;
            copy(stream, &mut sink()).await?;
            Ok::<_, Error>(())
        };
        // The connection is given up either way.
        let _ = timeout(CLOSE_TIMEOUT, farewell).await;
    }

    async fn send_all(&mut self, accepted: VecDeque<Payload>) -> Result<(), Error> {
        let fresh = accepted.into_iter().map(Unsent::new);
        for mut unsent in self.rest.take().into_iter().chain(fresh) {
            let mut is_last = false;
            while !is_last {
                let frame;
                (frame, is_last) = unsent.next_frame(self.max_frame_bytes);
                self.stream.feed(Message::Frame(frame)).await?;
            }
        }
        Ok(())
    }
}

impl Unsent {
    fn new(payload: Payload) -> Self {
        Self {
            payload,
            is_begun: false,
        }
    }

    /// Cuts off the next frame, and says whether it is the last.
    fn next_frame(&mut self, max_frame_bytes: usize) -> (Frame, bool) {
        let data = &mut self.payload.data;
        let piece: Bytes = data.split_to(max_frame_bytes.min(data.len()));
        let kind = match (self.is_begun, self.payload.is_text) {
            (true, _) => Data::Continue,
            (false, true) => Data::Text,
            (false, false) => Data::Binary,
        };
        self.is_begun = true;
        let is_last = self.payload.data.is_empty();
        (Frame::message(piece, OpCode::Data(kind), is_last), is_last)
    }
}

impl Happened {
    fn from_read(read: Option<Result<Message, Error>>) -> Self {
        match read {
            Some(Ok(Message::Text(text))) => Self::Text(text),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Self::Signal,
            Some(Ok(Message::Binary(_))) => Self::Over(Over::Binary),
            Some(Ok(Message::Close(frame))) => {
                let given = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                Self::Over(Over::ByClient(given))
            }
            Some(Err(error)) => Self::Over(Over::of(&error)),
            None => Self::Over(Over::Vanished),
        }
    }
}

impl Over {
    fn of(error: &Error) -> Self {
        match error {
            Error::Capacity(_) => Self::TooLarge,
            Error::Utf8(_) => Self::NotUtf8,
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Vanished,
            Error::Protocol(_) => Self::Protocol,
            // The rest is the connection itself failing, and a client that
            // neither reads nor stops pinging.
            _ => Self::Vanished,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(bytes: usize, max_frame_bytes: usize) -> Vec<(OpCode, usize, bool)> {
        let mut unsent = Unsent::new(Payload::new("x".repeat(bytes).into()));
        let mut frames = Vec::new();
        loop {
            let (frame, is_last) = unsent.next_frame(max_frame_bytes);
            let header = frame.header();
            frames.push((header.opcode, frame.payload().len(), header.is_final));
            if is_last {
                return frames;
            }
        }
    }

    #[test]
    fn a_message_over_the_frame_limit_is_cut_into_frames() {
        let text = OpCode::Data(Data::Text);
        let more = OpCode::Data(Data::Continue);
        assert_eq!(frames(0, 10), [(text, 0, true)]);
        assert_eq!(frames(10, 10), [(text, 10, true)]);
        assert_eq!(frames(11, 10), [(text, 10, false), (more, 1, true)]);
        assert_eq!(
            frames(30, 10),
            [(text, 10, false), (more, 10, false), (more, 10, true)]
        );
    }
}
