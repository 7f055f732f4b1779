//! One answer, out of what comes.

use bytes::{Buf as _, Bytes, BytesMut};
use http::Response;

use super::super::exchange::{Failure, Fault};
use super::body::{Body, Progress};
use super::head::{self, Head, Malformed, Parsed};

/// Reads an answer that may be cut anywhere.
#[derive(Default)]
pub(super) struct Reader(Option<(Head, Body)>);

/// An answer that came to its end, or as far as it is kept.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) response: Response<Bytes>,
    /// Whether another one may follow it.
    pub(super) leaves_open: bool,
}

impl Reader {
    /// Reads what came, and returns the answer once it is whole. What is left
    /// then belongs to no answer.
    pub(super) fn read(&mut self, came: &mut BytesMut) -> Result<Option<Answer>, Failure> {
        if self.0.is_none() {
            let head = read_head(came).map_err(|error| Failure::Lost(error.into()))?;
            self.0 = head.map(|head| {
                let body = Body::framed(head.framing);
                (head, body)
            });
        }
        let Some((_, body)) = &mut self.0 else {
            return Ok(None);
        };
        let progress = body.read(came);
        Ok(
            match progress.map_err(|error| Failure::Cut(error.into()))? {
                Progress::More => None,
                Progress::Ended => self.take(true),
                Progress::Enough => self.take(false),
            },
        )
    }

    /// Says what an answer comes to behind which there is nothing to read.
    pub(super) fn end(&mut self, fault: Fault) -> Result<Answer, Failure> {
        match (&self.0, fault) {
            (None, fault) => Err(Failure::Lost(fault)),
            (Some((_, body)), Fault::Closed) if body.ends_with_connection() => {
                self.take(false).ok_or(Failure::Cut(Fault::Closed))
            }
            (Some(_), fault) => Err(Failure::Cut(fault)),
        }
    }

    fn take(&mut self, is_at_end: bool) -> Option<Answer> {
        let (head, body) = self.0.take()?;
        let mut response = Response::new(body.kept());
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        Some(Answer {
            response,
            leaves_open: head.leaves_open && is_at_end,
        })
    }
}

/// Reads the head of the final answer: those of interim ones are passed over.
fn read_head(came: &mut BytesMut) -> Result<Option<Head>, Malformed> {
    loop {
        match head::parse(came)? {
            Parsed::Part => return Ok(None),
            Parsed::Interim { length } => came.advance(length),
            Parsed::Final { head, length } => {
                came.advance(length);
                return Ok(Some(head));
            }
        }
    }
}

#[cfg(test)]
mod tests;
