//! Reading request bodies within a limit.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

/// How much of a body that is too large is read and thrown away. A client that
/// writes the whole request before it reads would otherwise see a reset
/// instead of the answer.
const MAX_DISCARDED_BYTES: usize = 1024 * 1024;

/// Why a body was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// It is larger than the limit.
    #[error("body is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The client went away in the middle of it.
    #[error("cannot read the body")]
    Broken(#[from] hyper::Error),
}

/// Reads a whole body of at most `limit` bytes.
pub(crate) async fn read(mut body: Incoming, limit: usize) -> Result<Bytes, BodyError> {
    let mut whole = Bytes::new();
    let mut seen = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame?.into_data() else {
            continue;
        };
        seen = seen.saturating_add(chunk.len());
        if seen <= limit {
            whole = append(whole, chunk);
        } else if seen > limit.saturating_add(MAX_DISCARDED_BYTES) {
            break;
        }
    }
    if seen > limit {
        return Err(BodyError::TooLarge { limit });
    }
    Ok(whole)
}

/// Joins two pieces; the usual single piece is not copied.
fn append(head: Bytes, tail: Bytes) -> Bytes {
    if head.is_empty() {
        return tail;
    }
    let mut joined = head.try_into_mut().unwrap_or_else(|shared| {
        let mut copy = BytesMut::with_capacity(shared.len() + tail.len());
        copy.extend_from_slice(&shared);
        copy
    });
    joined.extend_from_slice(&tail);
    joined.freeze()
}
