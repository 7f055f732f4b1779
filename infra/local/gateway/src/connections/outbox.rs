//! The bounded queue between the management API and one socket's task.

use std::collections::VecDeque;
use std::mem;
use std::sync::Mutex;
use std::task::Context;

use bytes::Bytes;
use futures::task::AtomicWaker;

use crate::sync::lock;

/// A queue of payloads for one client. An empty queue holds no memory.
#[derive(Debug)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    reader: AtomicWaker,
    max_messages: usize,
    max_bytes: usize,
}

/// One message for a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) data: Bytes,
    /// Whether it goes out as text; what is no UTF-8 goes out as binary.
    pub(crate) is_text: bool,
}

/// Why a connection is to be closed from this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseRequest {
    /// `DeleteConnection` was called.
    Deleted,
    /// The gateway shuts down.
    ShuttingDown,
}

/// Why a payload was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The client reads too slowly: as much as may wait is waiting.
    Full,
    /// The connection is closed.
    Closed,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Payload>,
    queued_bytes: usize,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    Closing(CloseRequest),
    Closed,
}

impl Payload {
    pub(crate) fn new(data: Bytes) -> Self {
        Self {
            is_text: str::from_utf8(&data).is_ok(),
            data,
        }
    }
}

impl Outbox {
    /// Makes an open, empty queue with these bounds. One message is always
    /// taken, whatever its size.
    pub(crate) fn new(max_messages: usize, max_bytes: usize) -> Self {
        Self {
            state: Mutex::default(),
            reader: AtomicWaker::new(),
            max_messages: max_messages.max(1),
            max_bytes,
        }
    }

    /// Queues a payload behind those taken before it.
    pub(crate) fn offer(&self, payload: Payload) -> Result<(), Refused> {
        {
            let mut state = lock(&self.state);
            if state.phase != Phase::Open {
                return Err(Refused::Closed);
            }
            let bytes = state.queued_bytes.saturating_add(payload.data.len());
            let is_full = state.queue.len() >= self.max_messages || bytes > self.max_bytes;
            if is_full && !state.queue.is_empty() {
                return Err(Refused::Full);
            }
            state.queued_bytes = bytes;
            state.queue.push_back(payload);
        }
        self.reader.wake();
        Ok(())
    }

    /// Takes no more payloads and tells the reader why; `false` if it was
    /// closed already.
    pub(crate) fn close(&self, request: CloseRequest) -> bool {
        {
            let mut state = lock(&self.state);
            if state.phase != Phase::Open {
                return false;
            }
            state.phase = Phase::Closing(request);
        }
        self.reader.wake();
        true
    }

    pub(crate) fn is_open(&self) -> bool {
        lock(&self.state).phase == Phase::Open
    }

    /// Has the reader's task woken at the next offer or close.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        self.reader.register(cx.waker());
    }

    /// The reader's side: whether closing was asked for.
    pub(crate) fn close_request(&self) -> Option<CloseRequest> {
        match lock(&self.state).phase {
            Phase::Closing(request) => Some(request),
            Phase::Open | Phase::Closed => None,
        }
    }

    /// The reader's side: takes the oldest payload.
    pub(crate) fn take(&self) -> Option<Payload> {
        let mut state = lock(&self.state);
        let payload = state.queue.pop_front()?;
        state.queued_bytes = state.queued_bytes.saturating_sub(payload.data.len());
        if state.queue.is_empty() {
            state.queue = VecDeque::new();
        }
        Some(payload)
    }

    /// The reader's side: closes for good and takes what is left.
    pub(crate) fn seal(&self) -> VecDeque<Payload> {
        let mut state = lock(&self.state);
        state.phase = Phase::Closed;
        state.queued_bytes = 0;
        mem::take(&mut state.queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: impl Into<Bytes>) -> Payload {
        Payload::new(text.into())
    }

    fn payload(bytes: usize) -> Payload {
        text("x".repeat(bytes))
    }

    #[test]
    fn payloads_leave_in_the_order_they_came() {
        let outbox = Outbox::new(8, 1_000);
        for number in ["one", "two", "three"] {
            outbox.offer(text(number)).unwrap();
        }
        let order: Vec<_> = std::iter::from_fn(|| outbox.take()).collect();
        assert_eq!(order, ["one", "two", "three"].map(text));
    }

    #[test]
    fn a_queue_is_full_by_count_and_has_room_again_after_a_take() {
        let outbox = Outbox::new(2, 1_000);
        outbox.offer(payload(1)).unwrap();
        outbox.offer(payload(1)).unwrap();
        assert_eq!(outbox.offer(payload(1)), Err(Refused::Full));
        outbox.take().unwrap();
        assert_eq!(outbox.offer(payload(1)), Ok(()));
    }

    #[test]
    fn a_queue_is_full_by_bytes_and_has_room_again_after_a_take() {
        let outbox = Outbox::new(100, 10);
        outbox.offer(payload(6)).unwrap();
        assert_eq!(outbox.offer(payload(5)), Err(Refused::Full));
        assert_eq!(outbox.offer(payload(4)), Ok(()));
        outbox.take().unwrap();
        assert_eq!(outbox.offer(payload(6)), Ok(()));
    }

    #[test]
    fn a_message_over_the_bound_is_taken_when_nothing_waits() {
        let outbox = Outbox::new(100, 10);
        assert_eq!(outbox.offer(payload(50)), Ok(()));
        assert_eq!(outbox.offer(payload(1)), Err(Refused::Full));
    }

    #[test]
    fn a_closed_queue_takes_nothing_and_gives_up_what_it_held() {
        let outbox = Outbox::new(8, 1_000);
        outbox.offer(text("accepted")).unwrap();
        assert!(outbox.close(CloseRequest::Deleted));
        assert!(!outbox.close(CloseRequest::ShuttingDown));
        assert_eq!(outbox.close_request(), Some(CloseRequest::Deleted));
        assert_eq!(outbox.offer(payload(1)), Err(Refused::Closed));
        assert_eq!(outbox.seal(), [text("accepted")]);
        assert_eq!(outbox.close_request(), None);
    }

    #[test]
    fn only_what_is_utf8_goes_out_as_text() {
        assert!(Payload::new(Bytes::from_static("grün".as_bytes())).is_text);
        assert!(!Payload::new(Bytes::from_static(&[0xff, 0x00])).is_text);
    }
}
