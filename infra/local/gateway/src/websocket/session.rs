//! One open socket, from the end of its handshake to its close.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::sleep_until;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::dispatch::Dispatcher;
use super::wire::{Happened, Over, Wire};
use crate::connections::outbox::{CloseRequest, Payload};
use crate::connections::{Connection, Sink};
use crate::gateway::Shared;
use crate::integration::Integration;

/// How a connection ended, as the `$disconnect` event says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// The WebSocket close code; 1005 for none, 1006 for no close at all.
    pub(super) code: u16,
    pub(super) reason: Cow<'static, str>,
}

impl Ended {
    pub(super) fn new(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }

    /// The client vanished.
    pub(super) fn abnormal() -> Self {
        Self::new(1006, "")
    }

    fn going_away() -> Self {
        Self::new(1001, "Going away")
    }

    fn of(over: Over) -> Self {
        match over {
            Over::Requested(CloseRequest::Deleted) => Self::new(1000, ""),
            Over::Requested(CloseRequest::ShuttingDown) => Self::going_away(),
            Over::ByClient(Some((code, reason))) => Self::new(code, reason),
            Over::ByClient(None) => Self::new(1005, "Client-side close frame status not set"),
            Over::Vanished => Self::abnormal(),
            Over::Binary => Self::new(1003, "Binary messages are not supported"),
            Over::TooLarge => Self::new(1009, "Message is too big"),
            Over::NotUtf8 => Self::new(1007, "Text is not UTF-8"),
            Over::Protocol => Self::new(1002, "Protocol error"),
        }
    }
}

/// What is left to do for the client's side of a socket that is over.
#[derive(Debug)]
pub(super) struct Farewell<S> {
    wire: Wire<S>,
    accepted: VecDeque<Payload>,
    frame: Option<CloseFrame>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Farewell<S> {
    /// Writes what was accepted, then the close frame, and waits a moment for
    /// the client to do its part.
    pub(super) async fn say(self) {
        self.wire.close(self.accepted, self.frame).await;
    }
}

/// Carries traffic both ways until the socket is over.
///
/// What the client sent goes to `dispatcher`, which may still be at work then.
/// Pushes find the connection gone as soon as this returns; the client is told
/// by the [`Farewell`], unless it has vanished.
pub(super) async fn run<I, S>(
    shared: &Shared<I>,
    connection: &Connection,
    mut wire: Wire<S>,
    dispatcher: &mut Dispatcher<I>,
) -> (Ended, Option<Farewell<S>>)
where
    I: Integration,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Sink::Socket(outbox) = &connection.sink;
    let opened = shared.clock.elapsed();
    let mut deadline = pin!(sleep_until(shared.clock.instant(opened)));
    let over = loop {
        let is_reading = dispatcher.has_room();
        tokio::select! {
            biased;
            () = deadline.as_mut() => match next_deadline(shared, connection, opened) {
                Some(next) => deadline.as_mut().reset(shared.clock.instant(next)),
                None => break None,
            },
            () = dispatcher.advance() => {}
            happened = wire.next(outbox, is_reading) => {
                connection.touch(shared.clock.elapsed());
                match happened {
                    Happened::Text(text) => dispatcher.accept(text),
                    Happened::Signal | Happened::Sent => {}
                    Happened::Over(over) => break Some(over),
                }
            }
        }
    };
    let accepted = shared.connections.retire(connection);
    let has_vanished = over == Some(Over::Vanished);
    let is_by_client = matches!(over, Some(Over::ByClient(_)));
    let ended = over.map_or_else(Ended::going_away, Ended::of);
    let frame = (!is_by_client).then(|| CloseFrame {
        code: ended.code.into(),
        reason: ended.reason.to_string().into(),
    });
    let farewell = (!has_vanished).then_some(Farewell {
        wire,
        accepted,
        frame,
    });
    (ended, farewell)
}

/// When the connection may have to be closed next, in the gateway's time;
/// `None` if it has to be now.
fn next_deadline<I>(
    shared: &Shared<I>,
    connection: &Connection,
    opened: Duration,
) -> Option<Duration> {
    let settings = &shared.settings;
    let idle = connection.last_active().max(opened) + settings.idle_timeout;
    let next = idle.min(opened + settings.max_connection_duration);
    (next > shared.clock.elapsed()).then_some(next)
}

#[cfg(test)]
mod tests;
