//! Fetching a document over HTTP.

use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use crate::token::NoKey;

/// How long a fetch may take: a handshake waits for it.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The largest document, in bytes: hundreds of keys.
const MAX_BYTES: usize = 256 * 1024;

/// Fetches the document at one URL.
#[derive(Debug)]
pub(super) struct Fetcher {
    url: Uri,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

/// Why there are no keys to be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    TimedOut,
    #[error("cannot ask: {0}")]
    Connect(#[from] hyper_util::client::legacy::Error),
    #[error("answered {0}")]
    Status(StatusCode),
    /// The answer broke off, or is larger than [`MAX_BYTES`].
    #[error("cannot read the answer: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    NoKey(#[from] NoKey),
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
        // No connection is kept: fetches are minutes apart, and the
        // environment may be frozen in between.
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(connector);
        Ok(Self { url, client })
    }

    /// Fetches the document. Redirects are not followed.
    pub(super) async fn fetch(&self) -> Result<Bytes, FetchError> {
        let fetched = tokio::time::timeout(TIMEOUT, async {
            let answer = self.client.get(self.url.clone()).await?;
            if answer.status() != StatusCode::OK {
                return Err(FetchError::Status(answer.status()));
            }
            let body = Limited::new(answer.into_body(), MAX_BYTES).collect().await;
            body.map(http_body_util::Collected::to_bytes)
                .map_err(FetchError::Body)
        });
        fetched.await.map_err(|_| FetchError::TimedOut)?
    }
}
