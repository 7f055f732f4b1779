//! A gateway on loopback, its functions, and clients for it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use fanout_local_gateway::{
    Gateway, HttpRoute, Integration, IntegrationError, Settings, WebSocketRoutes, bind,
};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::sync::CancellationToken;

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

type Outcome = Result<Value, IntegrationError>;
type Body = dyn Fn(Value) -> BoxFuture<'static, Outcome> + Send + Sync;

/// A signature, as far as the gateway looks.
pub(crate) const SIGNATURE: &str =
    "AWS4-HMAC-SHA256 Credential=AKIA/20261121/us-east-1/execute-api/aws4_request";

/// Functions by name. Every event they get can be read from the stage.
#[derive(Clone)]
pub(crate) struct Functions {
    bodies: Arc<Mutex<HashMap<String, Arc<Body>>>>,
    seen: mpsc::UnboundedSender<(String, Value)>,
}

impl Functions {
    /// Has `function` answer with whatever `body` makes of an event.
    pub(crate) fn play<F>(&self, function: &str, body: impl Fn(Value) -> F + Send + Sync + 'static)
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let body: Arc<Body> = Arc::new(move |event| body(event).boxed());
        let mut bodies = self.bodies.lock().unwrap();
        bodies.insert(function.to_owned(), body);
    }

    /// Has `function` always give the same answer.
    pub(crate) fn answer(&self, function: &str, outcome: Outcome) {
        self.play(function, move |_| std::future::ready(outcome.clone()));
    }
}

impl Integration for Functions {
    async fn invoke(
        &self,
        function: &str,
        event: Bytes,
        trace: Option<&str>,
    ) -> Result<Bytes, IntegrationError> {
        let event: Value = serde_json::from_slice(&event).unwrap();
        if let Some(trace) = trace {
            assert_eq!(event["headers"]["x-amzn-trace-id"], trace);
        }
        let _ = self.seen.send((function.to_owned(), event.clone()));
        let body = self.bodies.lock().unwrap().get(function).cloned();
        let outcome = match body {
            Some(body) => body(event).await?,
            None => json!({"statusCode": 200}),
        };
        Ok(outcome.to_string().into())
    }
}

/// A running gateway.
pub(crate) struct Stage {
    pub(crate) gateway: Gateway<Functions>,
    pub(crate) functions: Functions,
    pub(crate) http: SocketAddr,
    pub(crate) websocket: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) serving: Vec<JoinHandle<()>>,
    events: mpsc::UnboundedReceiver<(String, Value)>,
    client: Client<hyper_util::client::legacy::connect::HttpConnector, Full<Bytes>>,
}

/// Settings with every route of the pipeline.
pub(crate) fn settings() -> Settings {
    let name = |name: &str| Some(name.to_owned());
    Settings {
        http_routes: vec![HttpRoute {
            method: Some(http::Method::POST),
            path: "/orders/{id}".to_owned(),
            function: "publish".to_owned(),
        }],
        websocket_routes: WebSocketRoutes {
            authorizer: None,
            connect: name("connect"),
            disconnect: name("disconnect"),
            default: name("default"),
            custom: [("echo".to_owned(), "echo".to_owned())].into(),
            route_responses: ["echo".to_owned()].into(),
        },
        ..Settings::default()
    }
}

impl Stage {
    pub(crate) fn start(settings: Settings) -> Self {
        let (seen, events) = mpsc::unbounded_channel();
        let functions = Functions {
            bodies: Arc::default(),
            seen,
        };
        let gateway = Gateway::new(settings, functions.clone());
        let listener = || bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (http, websocket) = (listener(), listener());
        let addresses = [&http, &websocket].map(|listener| listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let serving = vec![
            tokio::spawn({
                let (gateway, shutdown) = (gateway.clone(), shutdown.clone());
                async move { gateway.serve_http(http, shutdown).await }
            }),
            tokio::spawn({
                let (gateway, shutdown) = (gateway.clone(), shutdown.clone());
                async move { gateway.serve_websocket(websocket, shutdown).await }
            }),
        ];
        Self {
            gateway,
            functions,
            http: addresses[0],
            websocket: addresses[1],
            shutdown,
            serving,
            events,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// The next event that a function got, which has to be `function`.
    pub(crate) async fn event(&mut self, function: &str) -> Value {
        let (name, event) = self.events.recv().await.unwrap();
        assert_eq!(name, function, "{event}");
        event
    }

    /// Opens a socket at `target`, such as `/prod?token=t`, with more headers.
    pub(crate) async fn try_connect(
        &self,
        target: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(Socket, Response<Option<Vec<u8>>>), Error> {
        let mut request = format!("ws://{}{target}", self.websocket)
            .into_client_request()
            .unwrap();
        for (name, value) in headers {
            let headers = request.headers_mut();
            headers.insert(*name, value.parse().unwrap());
        }
        connect_async(request).await
    }

    /// Opens a socket and says what its id is.
    pub(crate) async fn connect(&mut self) -> (Socket, String) {
        let (socket, _) = self.try_connect("/prod", &[]).await.unwrap();
        let event = self.event("connect").await;
        let id = event["requestContext"]["connectionId"].as_str().unwrap();
        (socket, id.to_owned())
    }

    /// The status and the JSON body with which a handshake is refused.
    pub(crate) async fn refusal(&self, target: &str) -> (u16, Bytes) {
        let refused = self.try_connect(target, &[]).await.map(|_| ());
        let Err(Error::Http(response)) = refused else {
            panic!("expected a refusal, got {refused:?}");
        };
        let status = response.status().as_u16();
        (status, response.into_body().unwrap_or_default().into())
    }

    /// Makes a management call, signed as far as the gateway looks.
    pub(crate) async fn call(&self, method: &str, id: &str, body: Bytes) -> Response<Bytes> {
        let id = id.replace('=', "%3D");
        let uri = format!("http://{}/prod/%40connections/{id}", self.websocket);
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("authorization", SIGNATURE);
        self.send(request.body(Full::new(body)).unwrap()).await
    }

    pub(crate) async fn push(&self, id: &str, text: &'static str) -> u16 {
        let reply = self.call("POST", id, text.into()).await;
        reply.status().as_u16()
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Response<Bytes> {
        let response = self.client.request(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Response::from_parts(head, body)
    }

    /// Shuts the gateway down and waits for the end of it.
    pub(crate) async fn end(self) {
        self.shutdown.cancel();
        for serving in self.serving {
            serving.await.unwrap();
        }
    }
}

/// The next message that is no ping or pong.
pub(crate) async fn next(socket: &mut Socket) -> Message {
    socket.next().await.unwrap().unwrap()
}

/// The next message, as JSON.
pub(crate) async fn next_json(socket: &mut Socket) -> Value {
    serde_json::from_str(next(socket).await.to_text().unwrap()).unwrap()
}

/// Reads on to the close frame, and says its code.
pub(crate) async fn close_code(socket: &mut Socket) -> u16 {
    loop {
        if let Message::Close(frame) = next(socket).await {
            return frame.unwrap().code.into();
        }
    }
}
