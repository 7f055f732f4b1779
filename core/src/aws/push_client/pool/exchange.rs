//! What is the same for a request over either protocol.

use std::io;

use super::http1::Malformed;

/// How much of an answer's body is kept, in bytes: an error's is a line.
pub(super) const MOST_BODY: usize = 4 * 1024;

/// Why a request has no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The connection was closed before anything was written.
    Unsent(Fault),
    /// The request may have arrived.
    Lost(Fault),
    /// The head of an answer came, and no end.
    Cut(Fault),
}

/// What went wrong on a connection.
#[derive(Debug, thiserror::Error)]
pub(in crate::aws::push_client) enum Fault {
    /// The socket failed, or TLS.
    #[error("cannot read or write")]
    Io(#[from] io::Error),
    /// The gateway closed it.
    #[error("the connection was closed")]
    Closed,
    /// There was something to read before anything was asked.
    #[error("an answer to no request")]
    Unasked,
    /// What came over HTTP/1.1 is no answer.
    #[error(transparent)]
    Http1(#[from] Malformed),
    /// HTTP/2 failed.
    #[error(transparent)]
    Http2(#[from] h2::Error),
}
