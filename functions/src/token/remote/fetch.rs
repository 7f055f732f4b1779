//! Fetching a document over HTTP.

use std::error::Error;
use std::iter::successors;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use tower_service::Service as _;

use crate::token::NoKey;

/// How long a fetch may take: a handshake waits for it.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The largest document, in bytes: hundreds of keys.
const MAX_BYTES: usize = 256 * 1024;

/// Fetches the document at one URL.
///
/// Each time over a connection of its own: fetches are minutes apart, and the
/// environment may be frozen in between.
#[derive(Debug)]
pub(super) struct Fetcher {
    url: Uri,
    connector: HttpsConnector<HttpConnector>,
}

type BoxError = Box<dyn Error + Send + Sync>;

/// Why there are no keys to be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    TimedOut,
    #[error("cannot connect: {}", cause_of(.0.as_ref()))]
    Connect(BoxError),
    #[error("cannot ask: {0}")]
    Ask(#[from] hyper::Error),
    #[error("answered {0}")]
    Status(StatusCode),
    /// The answer broke off, or is larger than [`MAX_BYTES`].
    #[error("cannot read the answer: {0}")]
    Body(BoxError),
    #[error(transparent)]
    NoKey(#[from] NoKey),
}

/// What an error came from in the end, which says most.
fn cause_of<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let causes = successors(error.source(), |&cause| cause.source());
    causes.last().unwrap_or(error)
}

impl Fetcher {
    /// # Errors
    /// The URL is `https`, and this system trusts no certificates.
    pub(super) fn new(url: Uri) -> std::io::Result<Self> {
        let tls = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(std::io::Error::other)?;
        // Settings allow other schemes than this one for loopback alone.
        let tls = if url.scheme_str() == Some("https") {
            tls.with_native_roots()?
        } else {
            tls.with_root_certificates(RootCertStore::empty())
        };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.with_no_client_auth())
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self { url, connector })
    }

    /// Fetches the document. Redirects are not followed.
    pub(super) async fn fetch(&self) -> Result<Bytes, FetchError> {
        let fetched = tokio::time::timeout(TIMEOUT, async {
            let connecting = self.connector.clone().call(self.url.clone());
            let io = connecting.await.map_err(FetchError::Connect)?;
            let (sender, connection) = http1::handshake(io).await?;
            let exchange = pin!(self.exchange(sender));
            match select(exchange, Box::pin(connection)).await {
                Either::Left((document, _)) => document,
                // What came before it was closed is still to be had.
                Either::Right((_, exchange)) => exchange.await,
            }
        });
        fetched.await.map_err(|_| FetchError::TimedOut)?
    }

    async fn exchange(
        &self,
        mut sender: http1::SendRequest<Empty<Bytes>>,
    ) -> Result<Bytes, FetchError> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.path();
        if let Some(host) = self.host() {
            request.headers_mut().insert(header::HOST, host);
        }
        let answer = sender.send_request(request).await?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status()));
        }
        let body = Limited::new(answer.into_body(), MAX_BYTES).collect().await;
        body.map(http_body_util::Collected::to_bytes)
            .map_err(FetchError::Body)
    }

    /// What is asked for, as a server wants it.
    fn path(&self) -> Uri {
        let path = self.url.path_and_query().cloned();
        path.map_or_else(Uri::default, Uri::from)
    }

    fn host(&self) -> Option<HeaderValue> {
        let authority = self.url.authority()?.as_str();
        // Whoever the server is, no credentials of a URL are for this header.
        let (_, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        HeaderValue::from_str(host).ok()
    }
}
