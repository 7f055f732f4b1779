//! A client of the WebSocket API.

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
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
        let address = url
            .strip_prefix("ws://")
            .and_then(|rest| rest.split('/').next());
        let tcp = TcpSocket::new_v4()?;
        if let Some(bytes) = receive_buffer {
            tcp.set_recv_buffer_size(bytes)?;
        }
        let stream = tcp.connect(address.unwrap().parse().unwrap()).await?;
        let (socket, _) = client_async(url, stream).await?;
        Ok(Self { socket })
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
