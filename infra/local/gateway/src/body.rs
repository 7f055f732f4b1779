//! Reading request bodies within a limit.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

/// How much of a body that nobody wants is read and thrown away.
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

/// Reads a whole body of at most `limit` bytes; of a larger one, a little more
/// than that.
pub(crate) async fn read(body: &mut Incoming, limit: usize) -> Result<Bytes, BodyError> {
    let mut whole = Bytes::new();
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame?.into_data() else {
            continue;
        };
        if whole.len().saturating_add(chunk.len()) > limit {
            return Err(BodyError::TooLarge { limit });
        }
        whole = append(whole, chunk);
    }
    Ok(whole)
}

/// Throws away what is left of a body, as far as that is worth it.
///
/// A connection whose request was not read to its end cannot be kept open, and
/// a client that writes the whole request before it reads would see a reset
/// instead of the answer.
pub(crate) async fn discard(body: &mut Incoming) {
    let mut discarded = 0_usize;
    while discarded <= MAX_DISCARDED_BYTES
        && let Some(Ok(frame)) = body.frame().await
    {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        discarded = discarded.saturating_add(bytes);
    }
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
