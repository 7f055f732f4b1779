//! What is the same for a request over either protocol.

use bytes::{Bytes, BytesMut};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::TrySendError;

/// How much of an answer's body is kept, in bytes: an error's is a line.
pub(super) const MOST_BODY: usize = 4 * 1024;

/// Why a request has no answer.
pub(super) enum Failure {
    /// The connection was closed before anything was written.
    Unsent(hyper::Error),
    /// The request may have arrived.
    Lost(hyper::Error),
    /// The head of an answer came, and no end.
    Cut(hyper::Error),
}

impl From<TrySendError<Request<Full<Bytes>>>> for Failure {
    fn from(error: TrySendError<Request<Full<Bytes>>>) -> Self {
        if error.message().is_some() {
            Self::Unsent(error.into_error())
        } else {
            Self::Lost(error.into_error())
        }
    }
}

/// Reads a body to its end, or as far as it is kept.
pub(super) async fn read(mut body: Incoming) -> Result<Bytes, Failure> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let mut kept = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(Failure::Cut)?.into_data() else {
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
