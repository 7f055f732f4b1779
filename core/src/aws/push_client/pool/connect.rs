//! Opening a connection: TCP, TLS, and the protocol that the two ends agree on.

use std::io;

use http::Uri;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connection as _, HttpConnector};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tower_service::Service as _;

use super::http1::Http1;
use super::http2::{Http2, Tasks};

pub(super) type Connector = HttpsConnector<HttpConnector>;
/// A socket, to be read and written by tokio's traits.
pub(super) type Io = TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>;

/// Why a connection could not be opened.
#[derive(Debug, thiserror::Error)]
pub(in crate::aws::push_client) enum ConnectError {
    /// TCP or TLS failed.
    #[error("{0}")]
    Network(Box<dyn std::error::Error + Send + Sync>),
    /// HTTP failed before the first request.
    #[error(transparent)]
    Http(#[from] h2::Error),
}

/// A connection by what it speaks.
pub(super) enum Connected {
    Http1(Box<Http1>),
    Http2(Http2),
}

/// Makes what opens connections, and trusts whom this system trusts, as the
/// SDK's clients do.
pub(super) fn connector(is_https: bool) -> io::Result<Connector> {
    let tls = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let tls = if is_https {
        tls.with_native_roots()?
    } else {
        tls.with_root_certificates(RootCertStore::empty())
    };
    Ok(connector_with(tls.with_no_client_auth()))
}

pub(super) fn connector_with(mut tls: ClientConfig) -> Connector {
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    // A request is written whole: there is nothing to wait for.
    tcp.set_nodelay(true);
    HttpsConnector::from((tcp, tls))
}

/// Opens a connection.
pub(super) async fn connect(
    connector: &Connector,
    origin: &Uri,
    tasks: &Tasks,
    now: Timestamp,
) -> Result<Connected, ConnectError> {
    let connecting = connector.clone().call(origin.clone());
    let io = connecting.await.map_err(ConnectError::Network)?;
    let is_http2 = io.connected().is_negotiated_h2();
    let io = TokioIo::new(io);
    Ok(if is_http2 {
        Connected::Http2(Http2::open(io, tasks, now).await?)
    } else {
        Connected::Http1(Box::new(Http1::new(io)))
    })
}
