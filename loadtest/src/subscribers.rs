//! Opens the subscribers at a ramp, reads what they receive, closes them.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use futures::StreamExt;
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinSet,
    time::{sleep, sleep_until, timeout},
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};
use tokio_util::sync::CancellationToken;

use crate::{
    causes::with_causes,
    connect::{ConnectError, Endpoint, Socket},
    parking::Arrival,
    reading::Reading,
    recorder::Recorder,
    recording::Recording,
    slow_readers::SlowReaders,
    subscriber_set::SubscriberIndex,
    units::Rate,
};

/// Connects under way at once. A ramp that the server cannot keep up with
/// slows down here instead of piling up half-open sockets.
pub const MAX_CONNECTING: u32 = 256;

/// How long a close handshake may take before a reconnect.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The sockets of a run. Dropping it drops them without a close handshake.
#[derive(Debug)]
pub struct Subscribers {
    tasks: JoinSet<()>,
    connecting: Arc<Semaphore>,
    shared: Arc<Shared>,
}

/// What all subscribers have in common.
#[derive(Debug)]
pub struct Shared {
    /// Where they connect.
    pub endpoint: Endpoint,
    /// Where they tell what happens.
    pub recording: Arc<Recording>,
    /// What they make of a frame.
    pub reading: Reading,
    /// Who of them takes their time.
    pub slow_readers: Option<SlowReaders>,
    /// One for each subscriber that may be asked to reconnect.
    pub reconnects: Box<[Notify]>,
    /// Cancelled for all to close.
    pub closing: CancellationToken,
}

impl Subscribers {
    /// Opens the first subscriber and nothing else, so that a wrong address is
    /// told at once.
    ///
    /// # Errors
    /// Why it could not connect.
    pub async fn open_first(shared: Arc<Shared>) -> Result<Self, ConnectError> {
        let first = SubscriberIndex(0);
        let socket = shared.connect(first, Recorder::opened).await?;
        let permits = usize::try_from(MAX_CONNECTING).unwrap_or(usize::MAX);
        let mut subscribers = Self {
            tasks: JoinSet::new(),
            connecting: Arc::new(Semaphore::new(permits)),
            shared,
        };
        let shared = Arc::clone(&subscribers.shared);
        subscribers
            .tasks
            .spawn(async move { shared.stay(socket, first).await });
        Ok(subscribers)
    }

    /// Opens the subscribers 1 to `count - 1` at the ramp and waits until each
    /// is open or given up; which, the recording tells.
    ///
    /// # Cancel safety
    /// Those begun go on; no more are begun.
    pub async fn open_rest(&mut self, count: u32, ramp: Rate) {
        let clock = self.shared.recording.clock();
        let start = clock.now();
        for index in 1..count {
            sleep_until(clock.instant(start + ramp.offset(index.into()))).await;
            let Ok(permit) = Arc::clone(&self.connecting).acquire_owned().await else {
                return;
            };
            let subscriber = SubscriberIndex(index);
            let shared = Arc::clone(&self.shared);
            self.tasks.spawn(async move {
                let opened = shared.open(subscriber, Recorder::opened).await;
                drop(permit);
                if let Some(socket) = opened {
                    shared.stay(socket, subscriber).await;
                }
            });
        }
        // Every permit is back once nobody is connecting.
        let _all_settled = self.connecting.acquire_many(MAX_CONNECTING).await;
    }

    /// Asks one subscriber after the other to reconnect, so many per span of
    /// time, and never returns.
    pub async fn churn(&self, rate: Rate) -> Infallible {
        let clock = self.shared.recording.clock();
        let start = clock.now();
        let in_turn = self.shared.reconnects.iter().cycle();
        for (nth, subscriber) in (1..).zip(in_turn) {
            sleep_until(clock.instant(start + rate.offset(nth))).await;
            subscriber.notify_one();
        }
        std::future::pending().await
    }

    /// Closes every socket with a close handshake, for as long as `within`,
    /// and drops those that have not answered by then.
    pub async fn close(mut self, within: Duration) {
        self.shared.closing.cancel();
        let all_closed = async { while self.tasks.join_next().await.is_some() {} };
        // Too late: what is left is dropped with `self`.
        let _elapsed = timeout(within, all_closed).await;
    }
}

/// Why a socket is not listened to any more.
enum Ended {
    ByServer,
    ToReconnect(Box<Socket>),
    ToClose(Box<Socket>),
}

impl Shared {
    /// Listens, and reconnects when asked to, until either side closes.
    async fn stay(&self, mut socket: Socket, subscriber: SubscriberIndex) {
        loop {
            match self.listen(socket, subscriber).await {
                Ended::ByServer => return self.recording.with(|r| r.closed(subscriber)),
                Ended::ToClose(open) => return close(*open, |_| ()).await,
                Ended::ToReconnect(open) => {
                    self.recording.with(|r| r.left(subscriber));
                    // What is on its way still arrives.
                    let closed = close(*open, |message| self.receive(subscriber, message));
                    let _elapsed = timeout(CLOSE_TIMEOUT, Box::pin(closed)).await;
                    match self.open(subscriber, Recorder::reopened).await {
                        Some(reopened) => socket = reopened,
                        None => return,
                    }
                }
            }
        }
    }

    /// Records what arrives.
    async fn listen(&self, mut socket: Socket, subscriber: SubscriberIndex) -> Ended {
        let slow = self.slow_readers.filter(|slow| slow.contains(subscriber));
        let mut closing = pin!(self.closing.cancelled());
        let mut reconnect = pin!(self.asked_to_reconnect(subscriber));
        loop {
            let message = tokio::select! {
                message = socket.next() => message,
                () = &mut closing => return Ended::ToClose(Box::new(socket)),
                () = &mut reconnect => return Ended::ToReconnect(Box::new(socket)),
            };
            let Some(Ok(message)) = message else {
                return Ended::ByServer;
            };
            self.receive(subscriber, message);
            if let Some(slow) = slow {
                tokio::select! {
                    () = sleep(slow.pause) => {}
                    () = &mut closing => return Ended::ToClose(Box::new(socket)),
                }
            }
        }
    }

    fn receive(&self, subscriber: SubscriberIndex, message: Message) {
        let at = self.recording.now();
        let arrival = Arrival { subscriber, at };
        match message {
            Message::Text(text) => self.reading.frame(&text, arrival, &self.recording),
            Message::Binary(bytes) => match str::from_utf8(&bytes) {
                Ok(text) => self.reading.frame(text, arrival, &self.recording),
                Err(_) => self.recording.with(Recorder::other_frame),
            },
            // Pings are answered, and closes echoed, by the next read.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {}
        }
    }

    async fn asked_to_reconnect(&self, SubscriberIndex(index): SubscriberIndex) {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        match self.reconnects.get(index) {
            Some(asked) => asked.notified().await,
            None => std::future::pending().await,
        }
    }

    /// Connects, unless all are closing; a failure is recorded.
    async fn open(
        &self,
        subscriber: SubscriberIndex,
        tell: fn(&mut Recorder, SubscriberIndex, Duration),
    ) -> Option<Socket> {
        // Boxed, so that the handshake's state is not kept with the socket.
        let opening = Box::pin(self.connect(subscriber, tell));
        let opened = self.closing.run_until_cancelled(opening).await?;
        let failed = |error: &ConnectError| {
            self.recording
                .with(|r| r.connect_failed(|| with_causes(error)));
        };
        opened.inspect_err(failed).ok()
    }

    async fn connect(
        &self,
        subscriber: SubscriberIndex,
        tell: fn(&mut Recorder, SubscriberIndex, Duration),
    ) -> Result<Socket, ConnectError> {
        let recording = &self.recording;
        let on_retry =
            |error: &ConnectError| recording.with(|r| r.connect_retried(|| with_causes(error)));
        let connected = self
            .endpoint
            .connect(subscriber, recording.clock(), on_retry);
        let (socket, took) = connected.await?;
        recording.with(|r| tell(r, subscriber, took));
        Ok(socket)
    }
}

/// Closes with a close handshake, and tells what arrives until it is answered;
/// how long that may take is the caller's to bound.
async fn close(mut socket: Socket, receive: impl Fn(Message)) {
    let normal = CloseFrame {
        code: CloseCode::Normal,
        reason: "".into(),
    };
    if socket.close(Some(normal)).await.is_ok() {
        while let Some(Ok(message)) = socket.next().await {
            receive(message);
        }
    }
}
