//! A gateway that answers as a request's path says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::super::*;

/// What a gateway speaks.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Speaks {
    /// HTTP/1.1 without TLS.
    Plain,
    /// HTTP/1.1 over TLS.
    Http1,
    /// HTTP/2 over TLS.
    Http2,
    /// Closes whatever connects.
    Nothing,
}

pub(super) struct Gateway {
    endpoint: Endpoint,
    roots: RootCertStore,
    state: Arc<State>,
    _accepting: JoinSet<()>,
}

struct State {
    speaks: Speaks,
    tls: TlsAcceptor,
    connections: AtomicUsize,
    serving: Mutex<JoinSet<()>>,
    held: watch::Sender<usize>,
    released: Semaphore,
    handshakes_go: watch::Sender<bool>,
    goodbyes: watch::Sender<u32>,
}

impl Gateway {
    pub(super) async fn start(speaks: Speaks) -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der()).into();
        let mut tls = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        tls.alpn_protocols = match speaks {
            Speaks::Http2 => vec![b"h2".to_vec()],
            _ => vec![b"http/1.1".to_vec()],
        };
        let state = Arc::new(State {
            speaks,
            tls: TlsAcceptor::from(Arc::new(tls)),
            connections: AtomicUsize::new(0),
            serving: Mutex::default(),
            held: watch::Sender::default(),
            released: Semaphore::new(0),
            handshakes_go: watch::Sender::new(true),
            goodbyes: watch::Sender::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = match speaks {
            Speaks::Plain | Speaks::Nothing => "http",
            Speaks::Http1 | Speaks::Http2 => "https",
        };
        let port = listener.local_addr().unwrap().port();
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, Arc::clone(&state)));
        Self {
            endpoint: format!("{scheme}://localhost:{port}").parse().unwrap(),
            roots: trusting(cert.der()),
            state,
            _accepting: accepting,
        }
    }

    pub(super) fn pool(&self, max_in_flight: usize) -> Pool {
        self.pool_that_trusts(self.roots.clone(), max_in_flight)
    }

    pub(super) fn pool_that_trusts_nobody(&self) -> Pool {
        self.pool_that_trusts(RootCertStore::empty(), 1)
    }

    fn pool_that_trusts(&self, roots: RootCertStore, max_in_flight: usize) -> Pool {
        let tls = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Pool::through(connect::connector_with(tls), &self.endpoint, max_in_flight)
    }

    /// How many connections there have been.
    pub(super) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    pub(super) async fn until_connected(&self, connections: usize) {
        while self.connections() < connections {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until so many requests wait to be released.
    pub(super) async fn until_held(&self, requests: usize) {
        let mut held = self.state.held.subscribe();
        held.wait_for(|held| *held >= requests).await.unwrap();
    }

    /// Answers all who wait, and will.
    pub(super) fn release(&self) {
        self.state.released.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    pub(super) fn hold_handshakes(&self) {
        self.state.handshakes_go.send_replace(false);
    }

    pub(super) fn let_handshakes_go(&self) {
        self.state.handshakes_go.send_replace(true);
    }

    /// Drops all connections, whatever they are at.
    pub(super) async fn cut_all(&self) {
        self.state.serving.lock().await.shutdown().await;
    }

    /// Announces the end of all connections, and waits for it.
    pub(super) async fn say_goodbye(&self) {
        self.state.goodbyes.send_modify(|goodbyes| *goodbyes += 1);
        self.until_all_closed().await;
    }

    pub(super) async fn until_all_closed(&self) {
        let mut serving = self.state.serving.lock().await;
        while serving.join_next().await.is_some() {}
    }
}

fn trusting(certificate: &CertificateDer<'static>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    roots
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        state.connections.fetch_add(1, Ordering::SeqCst);
        if state.speaks != Speaks::Nothing {
            let serving = serve(socket, Arc::clone(&state));
            state.serving.lock().await.spawn(serving);
        }
    }
}

async fn serve(socket: TcpStream, state: Arc<State>) {
    let mut goodbyes = state.goodbyes.subscribe();
    let service = service_fn(|request| answer(request, &state));
    if state.speaks == Speaks::Plain {
        let http1 = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
        drop(http1.await);
        return;
    }
    let mut handshakes_go = state.handshakes_go.subscribe();
    handshakes_go.wait_for(|go| *go).await.unwrap();
    let Ok(socket) = state.tls.accept(socket).await else {
        return;
    };
    let io = TokioIo::new(socket);
    if state.speaks == Speaks::Http1 {
        drop(http1::Builder::new().serve_connection(io, service).await);
        return;
    }
    let state = Arc::clone(&state);
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        async move { answer(request, &state).await }
    });
    let http2 = http2::Builder::new(TokioExecutor::new()).serve_connection(io, service);
    let mut http2 = std::pin::pin!(http2);
    tokio::select! {
        ended = &mut http2 => drop(ended),
        _ = goodbyes.changed() => {
            http2.as_mut().graceful_shutdown();
            drop(http2.await);
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    state: &State,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let how = request.uri().path().trim_start_matches('/').to_owned();
    let asked = http_body_util::BodyExt::collect(request.into_body()).await?;
    let mut answer = Response::new(Full::default());
    match how.as_str() {
        "nothing" => {}
        "held" => {
            let _held = Held::by(state);
            drop(state.released.acquire().await);
        }
        "error" => {
            *answer.status_mut() = StatusCode::GONE;
            *answer.body_mut() = Full::from("{\"code\":\"GoneException\"}");
        }
        "size" => *answer.body_mut() = Full::from(asked.to_bytes().len().to_string()),
        "long" => *answer.body_mut() = Full::from(vec![b'x'; 100_000]),
        "last" => {
            let close = HeaderValue::from_static("close");
            answer.headers_mut().insert(header::CONNECTION, close);
        }
        other => panic!("nobody knows {other:?}"),
    }
    Ok(answer)
}

/// Counts a request that waits, as long as it does.
struct Held<'a>(&'a State);

impl<'a> Held<'a> {
    fn by(state: &'a State) -> Self {
        state.held.send_modify(|held| *held += 1);
        Self(state)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.held.send_modify(|held| *held -= 1);
    }
}
