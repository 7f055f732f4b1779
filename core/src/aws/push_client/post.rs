//! What is sent: a payload, by `POST`.

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue};

/// A request, before it is known over which protocol it goes.
///
/// It can be written as it is: by their types, a path has no spaces, and a value
/// no end of a line.
#[derive(Clone, Copy)]
pub(super) struct Post<'a> {
    pub(super) path: &'a PathAndQuery,
    /// Headers beside the host and the payload's length, which are added. Those
    /// without a value are left out.
    pub(super) headers: &'a [(HeaderName, Option<&'a HeaderValue>)],
    pub(super) payload: &'a Bytes,
}

impl<'a> Post<'a> {
    /// Returns the headers that have a value.
    pub(super) fn headers(self) -> impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)> {
        let headers = self.headers.iter();
        headers.filter_map(|(name, value)| Some((name, (*value)?)))
    }
}
