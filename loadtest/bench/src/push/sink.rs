//! A gateway that accepts every push, as fast as it can.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use clap::Args;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::Transport;

/// What to answer over.
#[derive(Args)]
pub(crate) struct Options {
    transport: Transport,
    /// A PEM file.
    #[arg(long)]
    certificate: PathBuf,
    /// A PEM file.
    #[arg(long)]
    key: PathBuf,
    /// How long to wait before an answer.
    #[arg(long)]
    delay_ms: u64,
}

/// Prints its port, and answers until its standard input ends.
pub(crate) async fn serve(options: &Options) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let tls = TlsAcceptor::from(Arc::new(tls(options)?));
    println!("{}", listener.local_addr()?.port());
    let mut input = tokio::io::stdin();
    let mut connections = JoinSet::new();
    let mut ignored = [0; 64];
    loop {
        tokio::select! {
            read = input.read(&mut ignored) => if read? == 0 {
                return Ok(());
            },
            accepted = listener.accept() => {
                let (socket, _) = accepted?;
                socket.set_nodelay(true)?;
                let (transport, tls) = (options.transport, tls.clone());
                let delay = Duration::from_millis(options.delay_ms);
                connections.spawn(async move {
                    // A client that goes away ends its connection, and no more.
                    match transport {
                        Transport::Plain => drop(answer_http1(socket, delay).await),
                        Transport::Tls => if let Ok(socket) = tls.accept(socket).await {
                            drop(answer_http1(socket, delay).await);
                        },
                        Transport::H2 => if let Ok(socket) = tls.accept(socket).await {
                            drop(answer_http2(socket, delay).await);
                        },
                    }
                });
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

fn tls(options: &Options) -> anyhow::Result<ServerConfig> {
    let certificate = CertificateDer::from_pem_file(&options.certificate)
        .context("cannot read the certificate")?;
    let key = PrivateKeyDer::from_pem_file(&options.key).context("cannot read the key")?;
    let mut config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![match options.transport {
        Transport::H2 => b"h2".to_vec(),
        Transport::Plain | Transport::Tls => b"http/1.1".to_vec(),
    }];
    Ok(config)
}

async fn answer_http1<S>(socket: S, delay: Duration) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(|request| accept(request, delay));
    http1::Builder::new()
        .serve_connection(TokioIo::new(socket), service)
        .await
}

async fn answer_http2<S>(socket: S, delay: Duration) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(move |request| accept(request, delay));
    http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(socket), service)
        .await
}

/// Answers with the headers that the gateway gives, of about their size.
async fn accept(
    request: Request<Incoming>,
    delay: Duration,
) -> hyper::Result<Response<Empty<Bytes>>> {
    request.into_body().collect().await?;
    tokio::time::sleep(delay).await;
    let mut answer = Response::new(Empty::new());
    let headers = answer.headers_mut();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    let request_id = HeaderValue::from_static("5a8f6c2e-7d31-4b0f-9c58-1f2e3d4c5b6a");
    headers.insert("x-amzn-requestid", request_id);
    let api_id = HeaderValue::from_static("OjoECGjAliAEJ2g=");
    headers.insert("x-amz-apigw-id", api_id);
    Ok(answer)
}
