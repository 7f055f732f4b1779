//! A system under test whose every loss, duplicate and delay is planned.

use std::{
    convert::Infallible,
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use fanout_loadtest::machine::monotonic_time;
use futures::{SinkExt, StreamExt};
use hdrhistogram::{
    Histogram,
    serialization::{Serializer, V2DeflateSerializer},
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc, oneshot},
    task::JoinSet,
};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request as WsRequest, Response as WsResponse},
    },
};

/// What goes wrong. A delivery is named by its publish and its socket, both
/// counted from 0.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    pub(crate) lost: Vec<(u64, usize)>,
    pub(crate) doubled: Vec<(u64, usize)>,
    /// The socket is closed in place of the delivery.
    pub(crate) closed: Vec<(u64, usize)>,
    /// So many connects are answered 429 first.
    pub(crate) refused_connects: usize,
    /// These publishes are answered 503.
    pub(crate) failed_publishes: Vec<u64>,
    /// A publish is answered only once every socket has read its frame.
    pub(crate) answers_after_frames: bool,
    /// Every delivery takes this long.
    pub(crate) delay: Duration,
    /// Deliveries to these sockets take so much longer.
    pub(crate) delayed: Vec<(usize, Duration)>,
    /// These deliveries are made after those of the next publish.
    pub(crate) held_back: Vec<(u64, usize)>,
    /// A reply to nobody's question goes before every delivery.
    pub(crate) chatters: bool,
    pub(crate) has_no_ledger: bool,
    /// How many of its simulated subscribers, four, each publish reaches, and
    /// how many twice; none are simulated if this is empty.
    pub(crate) simulated: Vec<(u64, u64)>,
}

/// Serves until it is dropped.
pub(crate) struct Server {
    pub(crate) ws: String,
    pub(crate) http: String,
    pub(crate) simulated: String,
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start(plan: Plan) -> Self {
        let ws = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = Arc::new(State {
            refusals_left: AtomicUsize::new(plan.refused_connects),
            plan,
            publishes: AtomicU64::new(0),
            sockets: Mutex::new(Vec::new()),
            sources: Mutex::new(Vec::new()),
            held_back: Mutex::new(Vec::new()),
            published: Notify::new(),
        });
        let (ws_url, http_url) = (
            format!("ws://{}/prod", ws.local_addr().unwrap()),
            format!("http://{}/orders", http.local_addr().unwrap()),
        );
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_ws(ws, Arc::clone(&state)));
        tasks.spawn(serve_http(http, Arc::clone(&state)));
        Self {
            ws: ws_url,
            simulated: http_url.replace("/orders", "/_local/simulated"),
            http: http_url,
            state,
            _tasks: tasks,
        }
    }

    /// Where the sockets came from.
    pub(crate) fn sources(&self) -> Vec<IpAddr> {
        self.state.sources.lock().unwrap().clone()
    }

    /// Returns once a publish has come in.
    pub(crate) async fn published(&self) {
        self.state.published.notified().await;
    }
}

struct State {
    plan: Plan,
    refusals_left: AtomicUsize,
    publishes: AtomicU64,
    sockets: Mutex<Vec<mpsc::UnboundedSender<Command>>>,
    sources: Mutex<Vec<IpAddr>>,
    /// Frames for later, and whose they are.
    held_back: Mutex<Vec<(usize, String)>>,
    published: Notify,
}

enum Command {
    Send(String),
    SendAfter(Duration, String),
    /// Answers once the client has read everything before it.
    Confirm(oneshot::Sender<()>),
    Close,
}

async fn serve_ws(listener: TcpListener, state: Arc<State>) {
    let mut sockets = JoinSet::new();
    while let Ok((stream, peer)) = listener.accept().await {
        state.sources.lock().unwrap().push(peer.ip());
        sockets.spawn(serve_socket(stream, Arc::clone(&state)));
    }
}

async fn serve_socket(stream: TcpStream, state: Arc<State>) {
    #[expect(
        clippy::result_large_err,
        reason = "the signature that tungstenite's callback has"
    )]
    let admit = |_: &WsRequest, response: WsResponse| -> Result<WsResponse, ErrorResponse> {
        let left = &state.refusals_left;
        let take = |left: usize| left.checked_sub(1);
        match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take) {
            Ok(_) => Err(Response::builder()
                .status(StatusCode::TOO_MANY_REQUESTS)
                .body(None)
                .unwrap()),
            Err(_) => Ok(response),
        }
    };
    let Ok(mut socket) = accept_hdr_async(stream, admit).await else {
        return;
    };
    let (commands, mut inbox) = mpsc::unbounded_channel();
    let (commands_again, mut later) = (commands.clone(), JoinSet::new());
    state.sockets.lock().unwrap().push(commands);
    let mut confirming = Vec::new();
    loop {
        tokio::select! {
            Some(command) = inbox.recv() => match command {
                // To a socket that is closed nothing is sent.
                Command::Send(text) => _ = socket.send(Message::text(text)).await,
                Command::SendAfter(delay, text) => {
                    let commands = commands_again.clone();
                    later.spawn(async move {
                        tokio::time::sleep(delay).await;
                        commands.send(Command::Send(text)).ok();
                    });
                }
                Command::Confirm(confirm) => {
                    confirming.push(confirm);
                    socket.send(Message::Ping(Bytes::new())).await.unwrap();
                }
                Command::Close => socket.close(None).await.unwrap(),
            },
            message = socket.next() => match message {
                Some(Ok(Message::Pong(_))) => {
                    for confirm in confirming.drain(..) {
                        confirm.send(()).ok();
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}

async fn serve_http(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(|request| answer(request, Arc::clone(&state)));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // A probe connects and leaves.
            connection.await.ok();
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<State>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = match (&method, path.strip_prefix("/notifications/")) {
        (&Method::POST, None) if path == "/orders" => {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            publish(&state, &body).await
        }
        (&Method::GET, Some(id)) if !state.plan.has_no_ledger => Response::new(Full::from(
            format!(r#"{{"id":"{id}","targeted":3,"accepted":3,"gone":0}}"#),
        )),
        (&Method::GET, None) if path == "/_local/simulated" && !state.plan.simulated.is_empty() => {
            simulated(&state, request.uri().query())
        }
        _ => status(StatusCode::NOT_FOUND),
    };
    Ok(response)
}

async fn publish(state: &State, body: &[u8]) -> Response<Full<Bytes>> {
    let plan = &state.plan;
    let publish = state.publishes.fetch_add(1, Ordering::SeqCst);
    state.published.notify_one();
    if plan.failed_publishes.contains(&publish) {
        return status(StatusCode::SERVICE_UNAVAILABLE);
    }
    let confirmations = deliver(state, publish, str::from_utf8(body).unwrap());
    if plan.answers_after_frames {
        for confirmation in confirmations {
            confirmation.await.unwrap();
        }
    }
    Response::builder()
        .status(StatusCode::ACCEPTED)
        .header("location", format!("/notifications/n-{publish}"))
        .body(Full::from(format!(r#"{{"id":"n-{publish}"}}"#)))
        .unwrap()
}

fn deliver(state: &State, publish: u64, data: &str) -> Vec<oneshot::Receiver<()>> {
    let plan = &state.plan;
    let frame = format!(
        r#"{{"specversion":"1.0","id":"n-{publish}","source":"/orders","type":"book.ordered","data":{data}}}"#
    );
    let mut confirmations = Vec::new();
    let held_back = std::mem::take(&mut *state.held_back.lock().unwrap());
    for (socket, commands) in state.sockets.lock().unwrap().iter().enumerate() {
        let delivery = (publish, socket);
        let send = |command| commands.send(command).ok();
        if plan.chatters {
            send(Command::Send(r#"{"type":"pong"}"#.to_owned()));
        }
        if plan.closed.contains(&delivery) {
            send(Command::Close);
            continue;
        }
        let delayed = plan.delayed.iter().find(|(slow, _)| *slow == socket);
        let delay = plan.delay + delayed.map_or(Duration::ZERO, |(_, delay)| *delay);
        if plan.held_back.contains(&delivery) {
            let mut held_back = state.held_back.lock().unwrap();
            held_back.push((socket, frame.clone()));
        } else if !delay.is_zero() {
            send(Command::SendAfter(delay, frame.clone()));
        } else if !plan.lost.contains(&delivery) {
            send(Command::Send(frame.clone()));
        }
        for (_, frame) in held_back.iter().filter(|(whose, _)| *whose == socket) {
            send(Command::Send(frame.clone()));
        }
        if plan.doubled.contains(&delivery) {
            send(Command::Send(frame.clone()));
        }
        if plan.answers_after_frames {
            let (confirm, confirmation) = oneshot::channel();
            send(Command::Confirm(confirm));
            confirmations.push(confirmation);
        }
    }
    confirmations
}

/// What the local stack's gateway says of its simulated subscribers.
fn simulated(state: &State, query: Option<&str>) -> Response<Full<Bytes>> {
    let published = state.publishes.load(Ordering::SeqCst);
    let of = |(publish, (reached, duplicates)): (u64, &(u64, u64))| {
        let mut offsets = Histogram::<u64>::new(3).unwrap();
        offsets.record_n(1_000, *reached).unwrap();
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&offsets, &mut bytes)
            .unwrap();
        json!({
            "id": format!("n-{publish}"),
            "reached": reached,
            "duplicates": duplicates,
            "firstAtUs": u64::try_from(monotonic_time().as_micros()).unwrap(),
            "offsetsUs": BASE64_STANDARD.encode(bytes),
        })
    };
    let plan = (0..published).zip(&state.plan.simulated);
    let notifications: Vec<_> = plan.map(of).collect();
    let id = query.and_then(|query| query.strip_prefix("notification="));
    let document = match id {
        Some(id) => notifications.into_iter().find(|one| one["id"] == id),
        None => Some(json!({"open": 4, "notifications": notifications})),
    };
    Response::new(Full::from(document.unwrap().to_string()))
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .body(Full::default())
        .unwrap()
}
