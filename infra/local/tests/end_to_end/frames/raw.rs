//! A WebSocket client that sends whatever bytes it is told to.
//!
//! The frames are those of RFC 6455, section 5.2.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stack::PATIENCE;

pub(super) const FIN: u8 = 0x80;
pub(super) const CONTINUATION: u8 = 0x0;
pub(super) const TEXT: u8 = 0x1;
pub(super) const BINARY: u8 = 0x2;
pub(super) const CLOSE: u8 = 0x8;
pub(super) const PING: u8 = 0x9;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// One open socket.
pub(super) struct RawSocket {
    stream: BufReader<TcpStream>,
}

/// What the server sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    Text(Vec<u8>),
    /// A close frame with this code.
    Close(u16),
    Other(u8),
}

impl RawSocket {
    pub(super) async fn connect(url: &str) -> Self {
        let rest = url.strip_prefix("ws://").unwrap();
        let (address, path) = rest.split_once('/').unwrap();
        let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
        let request = format!(
            "GET /{path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = Vec::new();
        while !response.ends_with(b"\r\n\r\n") {
            let byte = timeout(PATIENCE, stream.read_u8()).await;
            response.push(byte.expect("no handshake in time").unwrap());
        }
        let response = String::from_utf8(response).unwrap();
        assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
        Self { stream }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Returns the next frame, which must be short and whole.
    pub(super) async fn next(&mut self) -> Received {
        let next = timeout(PATIENCE, self.read()).await;
        next.expect("nothing arrived in time")
    }

    async fn read(&mut self) -> Received {
        let first = self.stream.read_u8().await.unwrap();
        let length = match self.stream.read_u8().await.unwrap() {
            126 => self.stream.read_u16().await.unwrap(),
            length => length.into(),
        };
        let mut payload = vec![0; length.into()];
        self.stream.read_exact(&mut payload).await.unwrap();
        match (first & FIN, first & !FIN) {
            (FIN, TEXT) => Received::Text(payload),
            (FIN, CLOSE) => {
                let code = payload.first_chunk().expect("a close code");
                Received::Close(u16::from_be_bytes(*code))
            }
            _ => Received::Other(first),
        }
    }
}

/// Writes one masked frame. `first` is the first byte: its bits and opcode.
pub(super) fn write_frame(to: &mut Vec<u8>, first: u8, payload: &[u8]) {
    write_header(to, first, payload.len(), true);
    let mask = MASK.iter().cycle();
    to.extend(payload.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
}

/// Writes the header of a frame, with a mask or without.
pub(super) fn write_header(to: &mut Vec<u8>, first: u8, length: usize, is_masked: bool) {
    to.push(first);
    let mask_bit = if is_masked { 0x80 } else { 0 };
    if let Ok(length @ ..126) = u8::try_from(length) {
        to.push(mask_bit + length);
    } else if let Ok(length) = u16::try_from(length) {
        to.push(mask_bit + 126);
        to.extend(length.to_be_bytes());
    } else {
        to.push(mask_bit + 127);
        to.extend(u64::try_from(length).unwrap().to_be_bytes());
    }
    if is_masked {
        to.extend(MASK);
    }
}

/// Writes a text message in up to so many frames, cut wherever; returns in how
/// many.
pub(super) fn write_text(to: &mut Vec<u8>, text: &[u8], pieces: usize) -> usize {
    let size = text.len().div_ceil(pieces).max(1);
    let mut chunks: Vec<_> = text.chunks(size).collect();
    if chunks.is_empty() {
        chunks.push(&[]);
    }
    for (n, chunk) in chunks.iter().enumerate() {
        let opcode = if n == 0 { TEXT } else { CONTINUATION };
        let fin = if n + 1 == chunks.len() { FIN } else { 0 };
        write_frame(to, fin | opcode, chunk);
    }
    chunks.len()
}
