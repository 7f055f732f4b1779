//! The stage whose connections are pushed to, and the addresses in it.

use std::str::FromStr;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Uri, uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::connection::ConnectionId;

/// All but what RFC 3986 calls unreserved: how the service's clients write a
/// label into a path.
const LABEL: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const CONNECTIONS: &str = "/@connections/";

/// A stage's address, such as
/// `https://{api}.execute-api.{region}.amazonaws.com/{stage}`, or that of a
/// custom domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
    /// Without a slash at its end: empty, or `/{stage}`.
    stage: String,
}

/// The path of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    whole: PathAndQuery,
    /// Where the connection's id begins.
    id_at: usize,
}

/// What an endpoint must be, and was not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the address of a stage, http or https, without a query: {0:?}")]
pub struct InvalidEndpoint(String);

impl Endpoint {
    /// Returns the value of the `Host` header: the port only where it is not
    /// the scheme's own.
    #[must_use]
    pub fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// Whether pushes travel over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Returns the path of a connection; `None` where its id can be no segment
    /// of a path.
    #[must_use]
    pub fn path_of(&self, id: &ConnectionId) -> Option<Path> {
        let id = id.as_str();
        if matches!(id, "" | "." | "..") {
            return None;
        }
        let pieces = || utf8_percent_encode(id, LABEL);
        let id_at = self.stage.len() + CONNECTIONS.len();
        let length: usize = pieces().map(str::len).sum();
        let mut whole = String::with_capacity(id_at + length);
        whole.push_str(&self.stage);
        whole.push_str(CONNECTIONS);
        whole.extend(pieces());
        let whole = PathAndQuery::from_maybe_shared(Bytes::from(whole)).ok()?;
        Some(Path { whole, id_at })
    }

    /// Returns the whole address of a path.
    #[must_use]
    pub fn uri(&self, path: &PathAndQuery) -> Uri {
        let mut parts = uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path.clone());
        // All three are there, which is all that is asked of parts.
        Uri::from_parts(parts).unwrap_or_default()
    }

    /// Returns where to connect.
    pub(super) fn origin(&self) -> Uri {
        self.uri(&PathAndQuery::from_static("/"))
    }

    /// Returns the path before an id as a signature has it: each segment
    /// encoded once more.
    pub(super) fn canonical_start(&self) -> String {
        let mut canonical = String::new();
        for segment in self.stage.split('/').skip(1).chain(["@connections", ""]) {
            canonical.push('/');
            canonical.extend(utf8_percent_encode(segment, LABEL));
        }
        canonical
    }
}

impl Path {
    /// Returns all of it, as a request has it.
    #[must_use]
    pub fn whole(&self) -> &PathAndQuery {
        &self.whole
    }

    /// Returns the connection's id as it is in the path.
    #[must_use]
    pub fn encoded_id(&self) -> &str {
        self.whole.as_str().get(self.id_at..).unwrap_or_default()
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(url: &str) -> Result<Self, InvalidEndpoint> {
        let invalid = || InvalidEndpoint(url.to_owned());
        let parts = url.parse::<Uri>().map_err(|_| invalid())?.into_parts();
        let scheme = parts.scheme.ok_or_else(invalid)?;
        let own_port = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => return Err(invalid()),
        };
        let given = parts.authority.ok_or_else(invalid)?;
        // A signature is over the host as it is sent, which is without the
        // scheme's own port.
        let authority = if given.port_u16() == Some(own_port) {
            given.host().parse().map_err(|_| invalid())?
        } else {
            given
        };
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| invalid())?;
        let path = parts.path_and_query.ok_or_else(invalid)?;
        let stage = path.path().trim_end_matches('/');
        // A signature is over the path without such segments, and a connection's
        // path has none of its own.
        let has_odd_segment = stage
            .split('/')
            .skip(1)
            .any(|segment| matches!(segment, "" | "." | ".."));
        let has_user = authority.as_str().contains('@');
        if has_odd_segment || has_user || path.query().is_some() {
            return Err(invalid());
        }
        Ok(Self {
            scheme,
            authority,
            host,
            stage: stage.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, id: &str, host: &str, path: &str, canonical_start: &str) {
        let endpoint: Endpoint = url.parse().unwrap();
        assert_eq!(endpoint.host(), host);
        let path_of_id = endpoint.path_of(&id.into()).unwrap();
        assert_eq!(path_of_id.whole(), path);
        let whole = format!("{}://{host}{path}", endpoint.scheme);
        assert_eq!(endpoint.uri(path_of_id.whole()), whole.as_str());
        assert_eq!(endpoint.canonical_start(), canonical_start);
        assert!(path.ends_with(path_of_id.encoded_id()));
    }

    #[test]
    fn a_connection_has_an_address_in_its_stage() {
        check(
            "https://abc.execute-api.eu-central-1.amazonaws.com/prod",
            "TXzPWdnOjoECGjA=",
            "abc.execute-api.eu-central-1.amazonaws.com",
            "/prod/@connections/TXzPWdnOjoECGjA%3D",
            "/prod/%40connections/",
        );
        check(
            "https://push.example.com",
            "a-b_c.d~",
            "push.example.com",
            "/@connections/a-b_c.d~",
            "/%40connections/",
        );
        check(
            "http://127.0.0.1:3001/a/%41/",
            "a/b ü",
            "127.0.0.1:3001",
            "/a/%41/@connections/a%2Fb%20%C3%BC",
            "/a/%2541/%40connections/",
        );
        check(
            "https://push.example.com:443/",
            "x",
            "push.example.com",
            "/@connections/x",
            "/%40connections/",
        );
    }

    #[test]
    fn what_is_no_segment_of_a_path_has_no_address() {
        let endpoint: Endpoint = "https://push.example.com/prod".parse().unwrap();
        for id in ["", ".", ".."] {
            assert_eq!(endpoint.path_of(&id.into()), None, "{id:?}");
        }
    }

    #[test]
    fn what_is_no_address_of_a_stage_is_refused() {
        for url in [
            "",
            "push.example.com/prod",
            "/prod",
            "ftp://push.example.com",
            "https://push.example.com/prod?a=b",
            "https://push.example.com//prod",
            "https://push.example.com/a/../b",
            "https://user@push.example.com",
        ] {
            assert!(url.parse::<Endpoint>().is_err(), "{url}");
        }
    }
}
