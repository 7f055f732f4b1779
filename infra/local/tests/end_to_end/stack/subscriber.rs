//! A client of the WebSocket API.

use futures::{SinkExt as _, StreamExt as _};
use http::header::SEC_WEBSOCKET_PROTOCOL;
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::PATIENCE;

/// One open socket.
pub(crate) struct Subscriber {
    socket: WebSocketStream<TcpStream>,
}

impl Subscriber {
    /// Opens a socket, for which the system may hold so much that has not been
    /// read.
    pub(super) async fn connect(url: &str, receive_buffer: Option<u32>) -> Result<Self, Error> {
        let stream = Self::dial(url, receive_buffer).await?;
        let (socket, _) = client_async(url, stream).await?;
        Ok(Self { socket })
    }

    /// Opens a socket with subprotocols; returns the one that was chosen too.
    pub(super) async fn connect_speaking(
        url: &str,
        subprotocols: &str,
    ) -> Result<(Self, Option<String>), Error> {
        let stream = Self::dial(url, None).await?;
        let mut request = url.into_client_request()?;
        let headers = request.headers_mut();
        headers.insert(SEC_WEBSOCKET_PROTOCOL, subprotocols.parse()?);
        let (socket, answer) = client_async(request, stream).await?;
        let chosen = answer.headers().get(SEC_WEBSOCKET_PROTOCOL);
        let chosen = chosen.map(|chosen| chosen.to_str().unwrap().to_owned());
        Ok((Self { socket }, chosen))
    }

    async fn dial(url: &str, receive_buffer: Option<u32>) -> Result<TcpStream, Error> {
        let address = url
            .strip_prefix("ws://")
            .and_then(|rest| rest.split('/').next());
        let tcp = TcpSocket::new_v4()?;
        if let Some(bytes) = receive_buffer {
            tcp.set_recv_buffer_size(bytes)?;
        }
        Ok(tcp.connect(address.unwrap().parse().unwrap()).await?)
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.send_message(Message::text(message.to_string())).await;
    }

    /// Sends any message, also one that is no JSON.
    pub(crate) async fn send_message(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Returns the next message.
    pub(crate) async fn next(&mut self) -> Message {
        let next = timeout(PATIENCE, self.socket.next()).await;
        next.expect("nothing arrived in time")
            .expect("the socket ended")
            .unwrap()
    }

    /// Returns the next frame, which must be JSON.
    pub(crate) async fn frame(&mut self) -> Value {
        let message = self.next().await;
        serde_json::from_str(message.to_text().unwrap()).unwrap()
    }

    /// Sends an action and returns its reply.
    pub(crate) async fn ask(&mut self, message: Value) -> Value {
        self.send(message).await;
        self.frame().await
    }

    /// Sends an action and returns its reply, which is no notification.
    pub(crate) async fn ask_past_notifications(&mut self, message: Value) -> Value {
        self.send(message).await;
        loop {
            let frame = self.frame().await;
            if frame.get("specversion").is_none() {
                return frame;
            }
        }
    }

    /// Returns how many frames are there already, by a ping that is answered
    /// after them.
    pub(crate) async fn count_arrived(&mut self) -> usize {
        self.send(json!({"action": "ping"})).await;
        let mut arrived = 0;
        while self.frame().await["type"] != "pong" {
            arrived += 1;
        }
        arrived
    }

    /// Vanishes without a closing handshake.
    pub(crate) fn vanish(self) {
        drop(self.socket);
    }
}
