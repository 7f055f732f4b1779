//! Where an answer's body ends, and what is kept of it
//! (<https://www.rfc-editor.org/rfc/rfc9112#section-6>,
//! <https://www.rfc-editor.org/rfc/rfc9112#section-7>).

use bytes::{Buf as _, Bytes, BytesMut};
use httparse::Status;

use super::super::exchange::MOST_BODY;
use super::head::{MOST_HEAD, MOST_HEADERS, Malformed};

/// What tells where a body ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Framing {
    /// It has so many bytes.
    Length(u64),
    /// The last of its chunks is empty.
    Chunked,
    /// The end of the connection.
    UntilClose,
}

/// A body that is being read.
pub(super) struct Body {
    next: Next,
    kept: Vec<u8>,
}

/// How far a body was read.
pub(super) enum Progress {
    /// There is more to come.
    More,
    /// To its end.
    Ended,
    /// As far as it is kept.
    Enough,
}

/// What comes next.
#[derive(Clone, Copy)]
enum Next {
    /// So many bytes, and the end.
    Last(u64),
    /// The line before a chunk.
    ChunkSize,
    /// So many bytes of a chunk, and the end of a line.
    Chunk(u64),
    /// Headers behind the last chunk.
    Trailers,
    /// Bytes until the connection ends.
    Open,
}

impl Body {
    pub(super) fn framed(framing: Framing) -> Self {
        Self {
            next: match framing {
                Framing::Length(length) => Next::Last(length),
                Framing::Chunked => Next::ChunkSize,
                Framing::UntilClose => Next::Open,
            },
            kept: Vec::new(),
        }
    }

    /// Reads what came: all of it, but for the beginning of a line that did not
    /// come whole, and what is behind the end.
    pub(super) fn read(&mut self, came: &mut BytesMut) -> Result<Progress, Malformed> {
        loop {
            let read = match self.next {
                Next::Last(0) => return Ok(Progress::Ended),
                Next::Last(left) => self.keep(came, left).map(Next::Last),
                Next::Open => self.keep(came, u64::MAX).map(|_| Next::Open),
                Next::Chunk(0) => end_of_line(came)?,
                Next::Chunk(left) => self.keep(came, left).map(Next::Chunk),
                Next::ChunkSize => chunk_size(came)?,
                Next::Trailers => trailers(came)?,
            };
            match read {
                Some(next) => self.next = next,
                None if self.kept.len() > MOST_BODY => {
                    self.kept.truncate(MOST_BODY);
                    return Ok(Progress::Enough);
                }
                None => return Ok(Progress::More),
            }
        }
    }

    /// Whether the end of the connection is that of the body.
    pub(super) fn ends_with_connection(&self) -> bool {
        matches!(self.next, Next::Open)
    }

    /// Returns what was kept.
    pub(super) fn kept(self) -> Bytes {
        self.kept.into()
    }

    /// Keeps data, of which `left` bytes are still to come, and returns how many
    /// are after that; `None` if nothing came, or more than is kept.
    fn keep(&mut self, came: &mut BytesMut, left: u64) -> Option<u64> {
        let length = usize::try_from(left).map_or(came.len(), |left| left.min(came.len()));
        if length == 0 {
            return None;
        }
        // One byte more than is kept tells that there is more.
        let room = (MOST_BODY + 1).saturating_sub(self.kept.len()).min(length);
        self.kept.extend_from_slice(came.get(..room)?);
        came.advance(length);
        (self.kept.len() <= MOST_BODY).then_some(left - length as u64)
    }
}

fn end_of_line(came: &mut BytesMut) -> Result<Option<Next>, Malformed> {
    match came.as_ref() {
        [b'\r', b'\n', ..] => {
            came.advance(2);
            Ok(Some(Next::ChunkSize))
        }
        [] | [b'\r'] => Ok(None),
        _ => Err(Malformed::Chunk),
    }
}

fn chunk_size(came: &mut BytesMut) -> Result<Option<Next>, Malformed> {
    // The parser takes a line without a size for that of the last chunk.
    if came.first().is_some_and(|first| !first.is_ascii_hexdigit()) {
        return Err(Malformed::Chunk);
    }
    let parsed = httparse::parse_chunk_size(came).map_err(|_| Malformed::Chunk)?;
    let Some((length, size)) = whole(parsed, came.len())? else {
        return Ok(None);
    };
    // It leaves alone what an extension is made of, and some would take this for
    // two lines.
    let line_ends = came.iter().take(length).filter(|byte| **byte == b'\n');
    if line_ends.count() > 1 {
        return Err(Malformed::Chunk);
    }
    came.advance(length);
    Ok(Some(match size {
        0 => Next::Trailers,
        size => Next::Chunk(size),
    }))
}

fn trailers(came: &mut BytesMut) -> Result<Option<Next>, Malformed> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let parsed = httparse::parse_headers(came, &mut headers).map_err(Malformed::Head)?;
    let Some((length, _)) = whole(parsed, came.len())? else {
        return Ok(None);
    };
    came.advance(length);
    Ok(Some(Next::Last(0)))
}

/// Returns what was parsed and its length, unless not all of it came.
fn whole<T>(parsed: Status<(usize, T)>, came: usize) -> Result<Option<(usize, T)>, Malformed> {
    match parsed {
        Status::Complete(parsed) if parsed.0 <= MOST_HEAD => Ok(Some(parsed)),
        Status::Partial if came < MOST_HEAD => Ok(None),
        Status::Complete(_) | Status::Partial => Err(Malformed::Long),
    }
}
