//! One connection over HTTP/2.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use h2::client::{Builder, SendRequest};
use h2::{Reason, RecvStream};
use http::{HeaderMap, Method, Request, Response, Version, header};
use jiff::Timestamp;
use tokio::task::JoinSet;

use super::super::endpoint::Endpoint;
use super::super::post::Post;
use super::connect::Io;
use super::exchange::{Failure, MOST_BODY};
use super::has_rested_too_long;

/// How many streams a connection carries before another one is opened: about
/// half of the 128 that gateways commonly allow, or as many as this one does, so
/// that none waits for the end of another.
const MOST_STREAMS: usize = 64;
/// The largest head of an answer that is read, in bytes: a gateway's has some
/// hundreds.
const MOST_HEAD: u32 = 16 * 1024;

/// The tasks that read and write on connections. They end when this is dropped,
/// and with each of them its connection.
#[derive(Default)]
pub(super) struct Tasks(Mutex<JoinSet<()>>);

/// A connection that carries many requests.
pub(super) struct Http2 {
    sender: SendRequest<Bytes>,
    load: Arc<Load>,
}

/// Room for one request on a connection.
pub(super) struct Stream {
    sender: SendRequest<Bytes>,
    load: Arc<Load>,
    is_ended: bool,
}

#[derive(Default)]
struct Load {
    streams: AtomicUsize,
    /// The connection has ended; or a request was given up on, or lost, so that
    /// nobody may be there any more. What is in flight goes on.
    is_doubted: AtomicBool,
    /// When the latest request was sent that was answered, in milliseconds of the
    /// epoch.
    used_at: AtomicI64,
}

/// Doubts a connection when it is dropped: however the task ended that had it.
struct DoubtAtEnd(Arc<Load>);

impl Http2 {
    pub(super) async fn open(io: Io, tasks: &Tasks, now: Timestamp) -> Result<Self, h2::Error> {
        let mut builder = Builder::new();
        builder
            .enable_push(false)
            .max_header_list_size(MOST_HEAD)
            // As long as the gateway has not said how many it allows.
            .initial_max_send_streams(MOST_STREAMS);
        let (sender, connection) = builder.handshake(io).await?;
        let load = Arc::new(Load::default());
        load.note_use(now);
        let doubt_at_end = DoubtAtEnd(Arc::clone(&load));
        tasks.spawn(async move {
            let _doubt_at_end = doubt_at_end;
            // Whoever waits for an answer is told of what went wrong.
            drop(connection.await);
        });
        Ok(Self { sender, load })
    }

    /// Whether requests may be sent on it at all.
    pub(super) fn is_usable(&self, now: Timestamp) -> bool {
        if self.load.is_doubted.load(Ordering::Relaxed) {
            return false;
        }
        let used_at = self.load.used_at.load(Ordering::Relaxed);
        let used_at = Timestamp::from_millisecond(used_at).unwrap_or_default();
        self.streams() > 0 || !has_rested_too_long(used_at, now)
    }

    pub(super) fn has_room(&self) -> bool {
        self.streams() < MOST_STREAMS.min(self.sender.current_max_send_streams())
    }

    /// How many requests it carries.
    pub(super) fn streams(&self) -> usize {
        self.load.streams.load(Ordering::Relaxed)
    }

    pub(super) fn stream(&self) -> Stream {
        let sender = self.sender.clone();
        self.load.streams.fetch_add(1, Ordering::Relaxed);
        Stream {
            sender,
            load: Arc::clone(&self.load),
            is_ended: false,
        }
    }
}

impl Load {
    fn doubt(&self) {
        self.is_doubted.store(true, Ordering::Relaxed);
    }

    fn note_use(&self, now: Timestamp) {
        self.used_at.store(now.as_millisecond(), Ordering::Relaxed);
    }
}

impl Drop for DoubtAtEnd {
    fn drop(&mut self) {
        self.0.doubt();
    }
}

impl Stream {
    pub(super) async fn send(
        mut self,
        endpoint: &Endpoint,
        post: Post<'_>,
        now: Timestamp,
    ) -> Result<Response<Bytes>, Failure> {
        let request = request(endpoint, post);
        let is_empty = post.payload.is_empty();
        let sent = self.sender.send_request(request, is_empty);
        let (answer, mut body) = sent.map_err(|error| Failure::Unsent(error.into()))?;
        if !is_empty {
            // What the gateway does not take yet waits with the connection, which is
            // a reference to the payload and no copy. What is wrong with a stream,
            // or was answered already, the answer tells.
            drop(body.send_data(post.payload.clone(), true));
        }
        drop(body);
        let answer = answer.await.map_err(|error| Failure::Lost(error.into()))?;
        let (head, body) = answer.into_parts();
        let body = read(body).await?;
        self.load.note_use(now);
        self.is_ended = true;
        Ok(Response::from_parts(head, body))
    }

    /// Leaves the room to others.
    pub(super) fn give_back(mut self) {
        self.is_ended = true;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.load.streams.fetch_sub(1, Ordering::Relaxed);
        if !self.is_ended {
            self.load.doubt();
        }
    }
}

impl Tasks {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}

fn request(endpoint: &Endpoint, post: Post<'_>) -> Request<()> {
    let mut headers = HeaderMap::with_capacity(post.headers.len() + 1);
    headers.insert(header::CONTENT_LENGTH, post.payload.len().into());
    let given = post.headers();
    headers.extend(given.map(|(name, value)| (name.clone(), value.clone())));
    let mut request = Request::new(());
    *request.version_mut() = Version::HTTP_2;
    *request.method_mut() = Method::POST;
    *request.uri_mut() = endpoint.uri(post.path);
    *request.headers_mut() = headers;
    request
}

/// Reads a body to its end, or as far as it is kept.
async fn read(mut body: RecvStream) -> Result<Bytes, Failure> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let mut kept = BytesMut::new();
    let cut = |error: h2::Error| Failure::Cut(error.into());
    while let Some(data) = body.data().await {
        let data = match data {
            Ok(data) => data,
            // All of an answer that came before the payload was sent, of which no
            // more is wanted
            // (<https://www.rfc-editor.org/rfc/rfc9113#section-8.1>). Some servers
            // do not say that it ended.
            Err(error) if error.is_reset() && error.reason() == Some(Reason::NO_ERROR) => break,
            Err(error) => return Err(cut(error)),
        };
        let room = MOST_BODY - kept.len();
        kept.extend_from_slice(data.get(..room).unwrap_or(&data));
        if data.len() > room {
            break;
        }
        // There is room for more to be sent.
        body.flow_control()
            .release_capacity(data.len())
            .map_err(cut)?;
    }
    Ok(kept.freeze())
}

#[cfg(test)]
mod tests;
