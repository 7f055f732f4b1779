//! How every connection is made, of HTTP and of a WebSocket: TCP, and TLS by
//! rustls on ring.

use std::io;
use std::time::Duration;

use http::Uri;
use hyper_rustls::{
    ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream,
};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;

/// Makes connections to `http` and `https` URLs.
pub type Connector = HttpsConnector<HttpConnector>;

/// A connection, with or without TLS.
pub type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// How long a TCP connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes the connector to some URLs. Over TLS it believes the certificates that
/// the system trusts; `SSL_CERT_FILE` names others.
///
/// # Errors
/// One of the URLs is over TLS, and this system trusts no certificates.
pub fn connector(urls: &[&Uri]) -> io::Result<Connector> {
    let tls = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let tls = if urls.iter().any(|url| is_tls(url)) {
        tls.with_native_roots()?
    } else {
        tls.with_root_certificates(RootCertStore::empty())
    };
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(tls.with_no_client_auth())
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp))
}

/// Whether a URL is of a scheme over TLS.
#[must_use]
pub fn is_tls(url: &Uri) -> bool {
    matches!(url.scheme_str(), Some("wss" | "https"))
}
