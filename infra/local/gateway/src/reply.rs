//! Answers in the forms that both fronts share.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;
use serde_json::json;

/// An answer of either front.
pub(crate) type Reply = Response<Full<Bytes>>;

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Reply {
    with_body(status, Bytes::new())
}

/// An answer with a body and no headers yet.
pub(crate) fn with_body(status: StatusCode, body: Bytes) -> Reply {
    let mut reply = Response::new(Full::new(body));
    *reply.status_mut() = status;
    reply
}

/// An answer with a JSON document.
pub(crate) fn json(status: StatusCode, document: &impl Serialize) -> Reply {
    let document = serde_json::to_vec(document).unwrap_or_default();
    let mut reply = with_body(status, document.into());
    set(&mut reply, header::CONTENT_TYPE, "application/json");
    reply
}

/// API Gateway's own answer: `{"message": …}`.
pub(crate) fn message(status: StatusCode, message: &str) -> Reply {
    json(status, &json!({ "message": message }))
}

/// Sets a header, unless the value cannot be one.
pub(crate) fn set(reply: &mut Reply, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        reply.headers_mut().insert(name, value);
    }
}
