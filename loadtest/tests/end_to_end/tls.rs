//! Over TLS, with a certificate that nobody else has signed.

use std::sync::Arc;

use fanout_loadtest::{
    connect::ConnectError,
    exit::Outcome,
    report::Report,
    run::{RunError, run},
    schedule::Schedule,
    settings::Settings,
    tls::Trust,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};
use tokio_util::sync::CancellationToken;

use crate::server::{Plan, Server};

/// Takes TLS off before a server.
struct Terminated {
    ws: String,
    http: String,
    /// The certificate, as PEM.
    certificate: String,
    _server: Server,
    _tasks: JoinSet<()>,
}

impl Terminated {
    async fn start() -> Self {
        let server = Server::start(Plan::default()).await;
        let names = vec!["localhost".to_owned()];
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let mut tasks = JoinSet::new();
        let mut urls = Vec::new();
        for (url, scheme) in [(&server.ws, "wss"), (&server.http, "https")] {
            let url: http::Uri = url.parse().unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            urls.push(format!("{scheme}://localhost:{port}{}", url.path()));
            let behind = url.authority().unwrap().to_string();
            tasks.spawn(terminate(listener, acceptor.clone(), behind));
        }
        Self {
            http: urls.pop().unwrap(),
            ws: urls.pop().unwrap(),
            certificate: cert.pem(),
            _server: server,
            _tasks: tasks,
        }
    }

    async fn run(&self, trust: Trust) -> Result<Report, RunError> {
        let publish = self.http.parse().unwrap();
        let settings = Settings {
            schedule: Schedule::counting("100/s".parse().unwrap(), 3),
            trust,
            ..Settings::new(self.ws.parse().unwrap(), Some(publish))
        };
        run(&settings, &CancellationToken::new(), false).await
    }
}

async fn terminate(listener: TcpListener, acceptor: TlsAcceptor, behind: String) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, behind) = (acceptor.clone(), behind.clone());
        connections.spawn(async move {
            // A probe connects and leaves; a doubter ends the handshake.
            if let Ok(mut outside) = acceptor.accept(stream).await {
                let mut inside = TcpStream::connect(behind).await.unwrap();
                copy_bidirectional(&mut outside, &mut inside).await.ok();
            }
        });
    }
}

#[tokio::test]
async fn a_certificate_in_the_ca_file_is_believed() {
    let server = Terminated::start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    std::fs::write(&path, &server.certificate).unwrap();
    let report = server.run(Trust::CaFile(path)).await.unwrap();
    assert_eq!(report.outcome, Outcome::Complete);
    assert_eq!(report.measurements.counts.received, 30);
}

#[tokio::test]
async fn any_certificate_is_believed_if_asked_to() {
    let server = Terminated::start().await;
    let report = server.run(Trust::Anybody).await.unwrap();
    assert_eq!(report.measurements.counts.received, 30);
}

#[tokio::test]
async fn a_certificate_of_somebody_else_is_refused() {
    let (server, other) = (Terminated::start().await, Terminated::start().await);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    std::fs::write(&path, &other.certificate).unwrap();
    let refused = server.run(Trust::CaFile(path)).await.unwrap_err();
    assert!(
        matches!(
            &refused,
            RunError::Reach {
                source: ConnectError::Tls(_),
                ..
            }
        ),
        "{refused:?}"
    );
}
