//! The opening handshake on the wire (RFC 6455, section 4.2).

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request};
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::reply::{self, Reply};

/// A request that asks properly for a WebSocket.
#[derive(Debug)]
pub(super) struct Handshake {
    /// The client's `Sec-WebSocket-Key`.
    pub(super) key: HeaderValue,
    /// The connection, once the answer has been written.
    pub(super) upgrade: OnUpgrade,
}

/// Checks a request for a WebSocket; an error is the answer to it.
pub(super) fn check(head: &mut request::Parts) -> Result<Handshake, Box<Reply>> {
    let refuse = |status, text| Err(Box::new(reply::message(status, text)));
    if head.method != Method::GET {
        return refuse(StatusCode::FORBIDDEN, "Forbidden");
    }
    let headers = &head.headers;
    let is_upgrade = lists(headers, &header::CONNECTION, "upgrade")
        && lists(headers, &header::UPGRADE, "websocket")
        && lists(headers, &header::SEC_WEBSOCKET_VERSION, "13");
    let upgrade = head.extensions.remove::<OnUpgrade>();
    let Some(upgrade) = upgrade.filter(|_| is_upgrade) else {
        return Err(Box::new(upgrade_required()));
    };
    match headers.get(header::SEC_WEBSOCKET_KEY) {
        Some(key) => Ok(Handshake {
            key: key.clone(),
            upgrade,
        }),
        None => refuse(StatusCode::BAD_REQUEST, "Bad Request"),
    }
}

/// The answer that makes the connection a WebSocket.
pub(super) fn accept(key: &HeaderValue, subprotocol: Option<HeaderValue>) -> Reply {
    let mut reply = reply::empty(StatusCode::SWITCHING_PROTOCOLS);
    reply::set(&mut reply, header::CONNECTION, "upgrade");
    reply::set(&mut reply, header::UPGRADE, "websocket");
    let accept = derive_accept_key(key.as_bytes());
    reply::set(&mut reply, header::SEC_WEBSOCKET_ACCEPT, &accept);
    if let Some(subprotocol) = subprotocol {
        let headers = reply.headers_mut();
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    reply
}

fn upgrade_required() -> Reply {
    let mut reply = reply::message(StatusCode::UPGRADE_REQUIRED, "Upgrade Required");
    reply::set(&mut reply, header::UPGRADE, "websocket");
    reply::set(&mut reply, header::CONNECTION, "upgrade");
    reply::set(&mut reply, header::SEC_WEBSOCKET_VERSION, "13");
    reply
}

/// Whether a comma-separated header lists a token, in any letter case.
fn lists(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|listed| listed.trim().eq_ignore_ascii_case(token))
}
