//! Posts notifications and reads their ledger.

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode, Uri,
    header::{CONTENT_TYPE, LOCATION, USER_AGENT},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::value::RawValue;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::rustls::ClientConfig;

use crate::{
    connect::{ConnectError, is_tls, resolve},
    identity::Identity,
    limits::MAX_UNANSWERED_PUBLISHES,
    mark::Mark,
    tls::{TlsError, Trust},
};

/// How long a publish may wait for its answer. API Gateway itself gives up
/// after 30 s.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest answer that is read.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// Posts to one URL over kept-alive HTTP/1.1 connections.
#[derive(Debug, Clone)]
pub struct Publisher {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    target: Uri,
    headers: HeaderMap,
    identity: Identity,
}

/// What the system under test answered to a publish that it accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The id under which every subscriber will see the notification.
    pub id: String,
    /// Where its ledger is, if the answer said so: a URL or a path.
    pub location: Option<String>,
}

impl Publisher {
    /// Posts with `headers` to `target`, an `http://` or `https://` URL.
    ///
    /// # Errors
    /// What TLS lacks for the latter.
    pub fn new(
        target: Uri,
        headers: &HeaderMap,
        identity: Identity,
        trust: &Trust,
    ) -> Result<Self, TlsError> {
        // Only where it is used: the system may have no certificates.
        let trust = if is_tls(&target) {
            trust
        } else {
            &Trust::Anybody
        };
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(ClientConfig::clone(&*trust.client_config()?))
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(MAX_UNANSWERED_PUBLISHES)
            .build(connector);
        Ok(Self {
            client,
            target,
            headers: with_defaults(headers),
            identity,
        })
    }

    /// Checks that somebody listens, without posting anything.
    ///
    /// # Errors
    /// Why there is no TCP connection.
    pub async fn probe(&self) -> Result<(), ConnectError> {
        let addresses = resolve(&self.target).await?;
        match timeout(ANSWER_TIMEOUT, TcpStream::connect(&*addresses)).await {
            Ok(connected) => connected.map(drop).map_err(ConnectError::from),
            Err(_) => Err(ConnectError::TimedOut),
        }
    }

    /// Posts a notification and reads its id from the answer, any success,
    /// where frames are told by it: for our own, `202` with `{"id":"…"}`.
    ///
    /// # Errors
    /// [`PublishError`]; the notification may have been accepted nonetheless.
    pub async fn publish(&self, mark: &Mark, body: Bytes) -> Result<Accepted, PublishError> {
        let (headers, answer) = self
            .exchange(Method::POST, self.target.clone(), body)
            .await?;
        let id = self.identity.of_publish(mark, &answer);
        let location = headers
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
            .map(ToOwned::to_owned);
        Ok(Accepted {
            id: id.ok_or(PublishError::NoId)?,
            location,
        })
    }

    /// Fetches the JSON document at `location`, a path or a URL on the host
    /// that is published to: no other host is sent our headers, which may hold
    /// credentials.
    ///
    /// # Errors
    /// [`PublishError`]: there is none, or it is not JSON.
    pub async fn ledger(&self, location: &str) -> Result<Box<RawValue>, PublishError> {
        let url = self.absolute(location)?;
        let (_, body) = self.exchange(Method::GET, url, Bytes::new()).await?;
        serde_json::from_slice(&body).map_err(PublishError::NotJson)
    }

    async fn exchange(
        &self,
        method: Method,
        url: Uri,
        body: Bytes,
    ) -> Result<(HeaderMap, Bytes), PublishError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = url;
        *request.headers_mut() = self.headers.clone();
        let exchange = async {
            let (head, body) = self.client.request(request).await?.into_parts();
            if !head.status.is_success() {
                return Err(PublishError::Refused(head.status));
            }
            let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
            Ok((head.headers, body.map_err(PublishError::Body)?.to_bytes()))
        };
        timeout(ANSWER_TIMEOUT, exchange)
            .await
            .unwrap_or(Err(PublishError::TimedOut))
    }

    fn absolute(&self, location: &str) -> Result<Uri, PublishError> {
        let url = location.parse::<Uri>().ok().and_then(|location| {
            let mut parts = self.target.clone().into_parts();
            let asked = location.into_parts();
            let is_elsewhere = asked.authority.is_some()
                && (asked.scheme != parts.scheme || asked.authority != parts.authority);
            parts.path_and_query = asked.path_and_query;
            (!is_elsewhere).then(|| Uri::from_parts(parts).ok())?
        });
        url.ok_or_else(|| PublishError::Location(location.to_owned()))
    }
}

fn with_defaults(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    headers
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/json"));
    headers
        .entry(USER_AGENT)
        .or_insert(HeaderValue::from_static(concat!(
            "fanout-loadtest/",
            env!("CARGO_PKG_VERSION")
        )));
    headers
}

/// Why a publish failed, or a ledger could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The server said no.
    #[error("the server answered {0}")]
    Refused(StatusCode),
    /// No connection, or it was lost.
    #[error("the request failed")]
    Transport(#[from] hyper_util::client::legacy::Error),
    /// The answer was cut off or is larger than a megabyte.
    #[error("the answer could not be read")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No answer within [`ANSWER_TIMEOUT`].
    #[error("no answer within {} s", ANSWER_TIMEOUT.as_secs())]
    TimedOut,
    /// The server accepted, but did not say under which id.
    #[error("the answer is not JSON with the notification's id")]
    NoId,
    /// The ledger is not JSON.
    #[error("the answer is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// The answer's `Location` leads elsewhere.
    #[error("the location \"{0}\" is not on the host that is published to")]
    Location(String),
}

impl PublishError {
    /// Whether every further publish would fail the same way: a wrong path, a
    /// missing permission, an answer in another shape.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Refused(status) => {
                status.is_redirection()
                    || status.is_client_error()
                        && *status != StatusCode::TOO_MANY_REQUESTS
                        && *status != StatusCode::REQUEST_TIMEOUT
            }
            Self::NoId => true,
            Self::Transport(_)
            | Self::Body(_)
            | Self::TimedOut
            | Self::NotJson(_)
            | Self::Location(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_location(location: &str, expected: Option<&str>) {
        let target = Uri::from_static("http://127.0.0.1:3000/orders?x=1");
        let publisher =
            Publisher::new(target, &HeaderMap::new(), Identity::Event, &Trust::System).unwrap();
        let url = publisher.absolute(location).ok().map(|url| url.to_string());
        assert_eq!(url.as_deref(), expected, "{location}");
    }

    #[test]
    fn location_is_on_the_host_that_is_published_to() {
        check_location(
            "/notifications/7",
            Some("http://127.0.0.1:3000/notifications/7"),
        );
        check_location("http://127.0.0.1:3000/7", Some("http://127.0.0.1:3000/7"));
        check_location("http://other/7", None);
        check_location("https://127.0.0.1:3000/7", None);
        check_location("not a url", None);
    }

    #[test]
    fn only_what_every_publish_would_hit_is_permanent() {
        let is_permanent = |status: u16| {
            PublishError::Refused(StatusCode::from_u16(status).unwrap()).is_permanent()
        };
        assert!([301, 400, 401, 403, 404, 413].into_iter().all(is_permanent));
        assert!(![408, 429, 500, 503].into_iter().any(is_permanent));
    }

    #[test]
    fn headers_given_win_over_the_defaults() {
        let mut given = HeaderMap::new();
        given.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        let headers = with_defaults(&given);
        assert_eq!(headers[CONTENT_TYPE], "text/plain");
        assert!(headers.contains_key(USER_AGENT));
    }
}
