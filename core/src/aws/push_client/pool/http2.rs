//! One connection over HTTP/2.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::TrySendError;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinSet;

use super::super::endpoint::Endpoint;
use super::super::post::Post;
use super::connect::HyperIo;
use super::exchange::{Failure, MOST_BODY};

/// How many streams a connection carries before another one is opened: about
/// half of the 128 that gateways commonly allow, so that none waits for the end
/// of another.
const MOST_STREAMS: usize = 64;

/// The tasks that hand requests to connections. They end when this is dropped,
/// and with each of them its connection.
#[derive(Default)]
pub(super) struct Tasks(Mutex<JoinSet<()>>);

/// A connection that carries many requests.
pub(super) struct Http2 {
    sender: SendRequest<Full<Bytes>>,
    load: Arc<Load>,
}

/// Room for one request on a connection.
pub(super) struct Stream {
    sender: SendRequest<Full<Bytes>>,
    load: Arc<Load>,
    is_ended: bool,
}

#[derive(Default)]
struct Load {
    streams: AtomicUsize,
    /// A request was given up on, or lost: nobody may be there any more. What is
    /// in flight goes on.
    is_doubted: AtomicBool,
}

impl Http2 {
    pub(super) async fn open(io: HyperIo, tasks: &Tasks) -> hyper::Result<Self> {
        let handshake = Builder::new(TokioExecutor::new()).handshake(io);
        let (sender, connection) = handshake.await?;
        // Whoever waits for an answer is told of what went wrong.
        tasks.spawn(async { drop(connection.await) });
        Ok(Self {
            sender,
            load: Arc::default(),
        })
    }

    /// Whether requests may be sent on it at all.
    pub(super) fn is_usable(&self) -> bool {
        !self.sender.is_closed() && !self.load.is_doubted.load(Ordering::Relaxed)
    }

    pub(super) fn has_room(&self) -> bool {
        self.streams() < MOST_STREAMS
    }

    /// How many requests it carries.
    pub(super) fn streams(&self) -> usize {
        self.load.streams.load(Ordering::Relaxed)
    }

    pub(super) fn stream(&self) -> Stream {
        self.load.streams.fetch_add(1, Ordering::Relaxed);
        Stream {
            sender: self.sender.clone(),
            load: Arc::clone(&self.load),
            is_ended: false,
        }
    }
}

impl Stream {
    pub(super) async fn send(
        mut self,
        endpoint: &Endpoint,
        post: Post<'_>,
    ) -> Result<Response<Bytes>, Failure> {
        let answer = self.sender.try_send_request(request(endpoint, post)).await;
        let (head, body) = answer.map_err(unanswered)?.into_parts();
        let body = read(body).await?;
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
            self.load.is_doubted.store(true, Ordering::Relaxed);
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

fn request(endpoint: &Endpoint, post: Post<'_>) -> Request<Full<Bytes>> {
    let mut headers = HeaderMap::with_capacity(post.headers.len());
    let given = post.headers();
    headers.extend(given.map(|(name, value)| (name.clone(), value.clone())));
    let mut request = Request::new(Full::new(post.payload.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = endpoint.uri(post.path);
    *request.headers_mut() = headers;
    request
}

fn unanswered(error: TrySendError<Request<Full<Bytes>>>) -> Failure {
    let is_unsent = error.message().is_some();
    let fault = error.into_error().into();
    if is_unsent {
        Failure::Unsent(fault)
    } else {
        Failure::Lost(fault)
    }
}

/// Reads a body to its end, or as far as it is kept.
async fn read(mut body: Incoming) -> Result<Bytes, Failure> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let mut kept = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::Cut(error.into()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let room = MOST_BODY - kept.len();
        kept.extend_from_slice(data.get(..room).unwrap_or(&data));
        if data.len() > room {
            break;
        }
    }
    Ok(kept.freeze())
}
