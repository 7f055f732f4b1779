//! The head of an answer, and what follows from it.

use std::mem::MaybeUninit;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use httparse::{Header, ParserConfig, Status};

use super::body::Framing;

/// The longest head of an answer, and the longest line or trailer within a body,
/// in bytes: the gateway's heads have some 400.
pub(super) const MOST_HEAD: usize = 4 * 1024;
pub(super) const MOST_HEADERS: usize = 100;

/// How what came is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::aws::push_client) enum Malformed {
    /// The head, or trailers.
    #[error("cannot parse headers")]
    Head(#[source] httparse::Error),
    /// A head, a chunk's line or trailers.
    #[error("headers, or a line, of more than {MOST_HEAD} bytes")]
    Long,
    /// There is no such status.
    #[error("status {0}")]
    Status(u16),
    /// To a protocol that nobody asked for.
    #[error("switched to another protocol")]
    Switched,
    /// A length is not a number, or there are several.
    #[error("not a content-length")]
    ContentLength,
    /// What is not said of an answer, or not in that order.
    #[error("not a transfer-encoding")]
    TransferEncoding,
    /// A chunk's line, or what is behind it.
    #[error("not a chunk")]
    Chunk,
}

/// What a head says.
pub(super) struct Head {
    pub(super) status: StatusCode,
    /// Those of a success are not kept.
    pub(super) headers: HeaderMap,
    pub(super) framing: Framing,
    /// Whether the connection stays open.
    pub(super) leaves_open: bool,
}

/// What is at the beginning of what came.
pub(super) enum Parsed {
    /// Not all of a head.
    Part,
    /// The head of an answer that another one follows.
    Interim { length: usize },
    /// The head of the answer.
    Final { head: Head, length: usize },
}

/// Parses the head at the beginning of what came.
pub(super) fn parse(came: &[u8]) -> Result<Parsed, Malformed> {
    let mut headers = [const { MaybeUninit::uninit() }; MOST_HEADERS];
    let mut answer = httparse::Response::new(&mut []);
    let parsed =
        ParserConfig::default().parse_response_with_uninit_headers(&mut answer, came, &mut headers);
    let length = match parsed.map_err(Malformed::Head)? {
        Status::Complete(length) if length <= MOST_HEAD => length,
        Status::Partial if came.len() < MOST_HEAD => return Ok(Parsed::Part),
        Status::Complete(_) | Status::Partial => return Err(Malformed::Long),
    };
    let code = answer.code.unwrap_or_default();
    let status = StatusCode::from_u16(code).map_err(|_| Malformed::Status(code))?;
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Malformed::Switched);
    }
    if status.is_informational() {
        return Ok(Parsed::Interim { length });
    }
    let is_http10 = answer.version == Some(0);
    let stays_open = stays_open(is_http10, answer.headers);
    let (framing, may_stay_open) = framing(status, is_http10, answer.headers)?;
    let headers = if status.is_success() {
        HeaderMap::new()
    } else {
        kept(answer.headers)?
    };
    let head = Head {
        status,
        headers,
        framing,
        leaves_open: stays_open && may_stay_open,
    };
    Ok(Parsed::Final { head, length })
}

/// <https://www.rfc-editor.org/rfc/rfc9112#section-9.3>
fn stays_open(is_http10: bool, headers: &[Header<'_>]) -> bool {
    let says = |option: &[u8]| {
        listed(headers, "connection").any(|listed| listed.eq_ignore_ascii_case(option))
    };
    !says(b"close") && (!is_http10 || says(b"keep-alive"))
}

/// Returns what tells the body's end, and whether the connection can go on behind
/// it (<https://www.rfc-editor.org/rfc/rfc9112#section-6.3>).
fn framing(
    status: StatusCode,
    is_http10: bool,
    headers: &[Header<'_>],
) -> Result<(Framing, bool), Malformed> {
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Ok((Framing::Length(0), true));
    }
    let mut lengths = listed(headers, "content-length");
    let mut is_chunked = None;
    for coding in listed(headers, "transfer-encoding") {
        // Nothing comes behind chunks, and HTTP/1.0 has none of it.
        if is_chunked == Some(true) || is_http10 {
            return Err(Malformed::TransferEncoding);
        }
        is_chunked = Some(coding.eq_ignore_ascii_case(b"chunked"));
    }
    if is_chunked == Some(true) {
        // Two who disagree on the end may be at it.
        return Ok((Framing::Chunked, lengths.next().is_none()));
    }
    let (Some(first), None) = (lengths.next(), is_chunked) else {
        return Ok((Framing::UntilClose, false));
    };
    let length = number(first)?;
    for other in lengths {
        if number(other)? != length {
            return Err(Malformed::ContentLength);
        }
    }
    Ok((Framing::Length(length), true))
}

/// Returns what a header lists, over all of its lines.
fn listed<'a>(headers: &'a [Header<'a>], name: &str) -> impl Iterator<Item = &'a [u8]> {
    let lines = headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name));
    lines
        .flat_map(|line| line.value.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

fn number(digits: &[u8]) -> Result<u64, Malformed> {
    let text = str::from_utf8(digits).map_err(|_| Malformed::ContentLength)?;
    // Elsewhere a number may have a sign.
    if text.starts_with('+') {
        return Err(Malformed::ContentLength);
    }
    text.parse().map_err(|_| Malformed::ContentLength)
}

fn kept(headers: &[Header<'_>]) -> Result<HeaderMap, Malformed> {
    let mut kept = HeaderMap::with_capacity(headers.len());
    for header in headers {
        let name = HeaderName::from_bytes(header.name.as_bytes());
        let name = name.map_err(|_| Malformed::Head(httparse::Error::HeaderName))?;
        let value = HeaderValue::from_bytes(header.value);
        let value = value.map_err(|_| Malformed::Head(httparse::Error::HeaderValue))?;
        kept.append(name, value);
    }
    Ok(kept)
}
