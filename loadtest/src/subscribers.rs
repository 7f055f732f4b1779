//! Opens the subscribers at a ramp, reads what they receive, closes them.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{sleep_until, timeout},
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};
use tokio_util::sync::CancellationToken;

use crate::{
    causes::with_causes,
    connect::{ConnectError, Endpoint, Socket},
    frame::{Frame, scan},
    parking::Arrival,
    recorder::Recorder,
    recording::Recording,
    subscriber_set::SubscriberIndex,
    units::Rate,
};

/// Connects under way at once. A ramp that the server cannot keep up with
/// slows down here instead of piling up half-open sockets.
pub const MAX_CONNECTING: u32 = 256;

/// The sockets of a run. Dropping it drops them without a close handshake.
#[derive(Debug)]
pub struct Subscribers {
    tasks: JoinSet<()>,
    connecting: Arc<Semaphore>,
    closing: CancellationToken,
    endpoint: Endpoint,
    recording: Arc<Recording>,
}

impl Subscribers {
    /// Opens the first subscriber and nothing else, so that a wrong address is
    /// told at once.
    ///
    /// # Errors
    /// Why it could not connect.
    pub async fn open_first(
        endpoint: Endpoint,
        recording: Arc<Recording>,
    ) -> Result<Self, ConnectError> {
        let first = SubscriberIndex(0);
        let socket = connect(&endpoint, &recording, first).await?;
        let mut subscribers = Self {
            tasks: JoinSet::new(),
            connecting: Arc::new(Semaphore::new(
                usize::try_from(MAX_CONNECTING).unwrap_or(usize::MAX),
            )),
            closing: CancellationToken::new(),
            endpoint,
            recording,
        };
        let recording = Arc::clone(&subscribers.recording);
        let closing = subscribers.closing.clone();
        subscribers
            .tasks
            .spawn(async move { listen(socket, first, &recording, &closing).await });
        Ok(subscribers)
    }

    /// Opens the subscribers 1 to `count - 1` at the ramp and waits until each
    /// is open or given up; which, the recording tells.
    ///
    /// # Cancel safety
    /// Those begun go on; no more are begun.
    pub async fn open_rest(&mut self, count: u32, ramp: Rate) {
        let clock = self.recording.clock();
        let start = clock.now();
        for index in 1..count {
            sleep_until(clock.instant(start + ramp.offset(index.into()))).await;
            let Ok(permit) = Arc::clone(&self.connecting).acquire_owned().await else {
                return;
            };
            let subscriber = SubscriberIndex(index);
            let endpoint = self.endpoint.clone();
            let recording = Arc::clone(&self.recording);
            let closing = self.closing.clone();
            self.tasks.spawn(async move {
                // Boxed, so that the handshake's state is not kept with the socket.
                let opening = Box::pin(connect(&endpoint, &recording, subscriber));
                let opened = tokio::select! {
                    opened = opening => opened,
                    () = closing.cancelled() => return,
                };
                drop(permit);
                match opened {
                    Ok(socket) => listen(socket, subscriber, &recording, &closing).await,
                    Err(error) => recording.with(|r| r.connect_failed(|| with_causes(&error))),
                }
            });
        }
        // Every permit is back once nobody is connecting.
        let _all_settled = self.connecting.acquire_many(MAX_CONNECTING).await;
    }

    /// Closes every socket with a close handshake, for as long as `within`,
    /// and drops those that have not answered by then.
    pub async fn close(mut self, within: Duration) {
        self.closing.cancel();
        let all_closed = async { while self.tasks.join_next().await.is_some() {} };
        // Too late: what is left is dropped with `self`.
        let _elapsed = timeout(within, all_closed).await;
    }
}

async fn connect(
    endpoint: &Endpoint,
    recording: &Recording,
    subscriber: SubscriberIndex,
) -> Result<Socket, ConnectError> {
    let on_retry =
        |error: &ConnectError| recording.with(|r| r.connect_retried(|| with_causes(error)));
    let (socket, took) = endpoint.connect(recording.clock(), on_retry).await?;
    recording.with(|r| r.opened(subscriber, took));
    Ok(socket)
}

/// Records what arrives until either side closes.
async fn listen(
    mut socket: Socket,
    subscriber: SubscriberIndex,
    recording: &Recording,
    closing: &CancellationToken,
) {
    loop {
        let message = tokio::select! {
            message = socket.next() => message,
            () = closing.cancelled() => return close(socket).await,
        };
        let at = recording.now();
        match message {
            Some(Ok(Message::Text(text))) => match scan(&text) {
                Frame::Notification { id } => {
                    recording.with(|r| r.arrived(&id, Arrival { subscriber, at }));
                }
                Frame::Other => recording.with(Recorder::other_frame),
            },
            Some(Ok(Message::Binary(_))) => recording.with(Recorder::other_frame),
            // Pings are answered, and closes echoed, by the next read.
            Some(Ok(
                Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_),
            )) => {}
            Some(Err(_)) | None => return recording.with(|r| r.closed(subscriber)),
        }
    }
}

async fn close(mut socket: Socket) {
    let normal = CloseFrame {
        code: CloseCode::Normal,
        reason: "".into(),
    };
    if socket.close(Some(normal)).await.is_ok() {
        // Reads until the server has answered the close; bounded by the caller.
        while let Some(Ok(_)) = socket.next().await {}
    }
}
