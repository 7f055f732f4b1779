//! The processes: one that answers, and one for each run.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::client::{Cost, Run};
use super::{Client, Transport};
use crate::rerun::Rerun;

/// Who the sink says it is, and who the clients say they are.
pub(super) struct Identity {
    directory: TempDir,
    session_token: String,
}

impl Identity {
    pub(super) fn new(session_token: usize) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()])?;
        let identity = Self {
            directory,
            session_token: "IQoJb3JpZ2luX2VjEJr/"
                .chars()
                .cycle()
                .take(session_token)
                .collect(),
        };
        std::fs::write(identity.certificate(), cert.pem())?;
        std::fs::write(identity.key(), signing_key.serialize_pem())?;
        Ok(identity)
    }

    fn certificate(&self) -> PathBuf {
        self.directory.path().join("certificate.pem")
    }

    fn key(&self) -> PathBuf {
        self.directory.path().join("key.pem")
    }
}

/// A process that accepts every push; ended when this is dropped.
pub(super) struct Sink {
    /// The stage that it answers for.
    pub(super) endpoint: String,
    _process: Child,
}

impl Sink {
    pub(super) async fn start(
        transport: Transport,
        delay: Duration,
        identity: &Identity,
    ) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["push-sink", transport.name()])
            .arg("--certificate")
            .arg(identity.certificate())
            .arg("--key")
            .arg(identity.key())
            .args(["--delay-ms", &delay.as_millis().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = process.stdout.take().context("the sink has no output")?;
        let port = BufReader::new(output).lines().next_line().await?;
        let port = port.context("the sink ended before it listened")?;
        let scheme = match transport {
            Transport::Plain => "http",
            Transport::Tls | Transport::H2 => "https",
        };
        Ok(Self {
            endpoint: format!("{scheme}://localhost:{port}/prod"),
            _process: process,
        })
    }
}

/// Measures one run, in a process of its own.
pub(super) async fn measure(
    client: Client,
    run: &Run,
    identity: &Identity,
) -> anyhow::Result<Cost> {
    let said = pushing(client, run, identity).run().await?;
    serde_json::from_str(&said.stdout).context("the run did not say what it took")
}

/// A process that pushes.
pub(super) fn pushing(client: Client, run: &Run, identity: &Identity) -> Rerun {
    let arguments = [
        ["push-client", client.name()],
        ["--endpoint", &run.endpoint],
        ["--in-flight", &run.in_flight.to_string()],
        ["--pushes", &run.pushes.to_string()],
        ["--payload", &run.payload.to_string()],
    ];
    Rerun::with_arguments(arguments.as_flattened().iter().copied())
        .set("AWS_REGION", "eu-central-1")
        .set("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .set(
            "AWS_SECRET_ACCESS_KEY",
            "a secret of forty characters or nearly so",
        )
        // Empty, there is none.
        .set("AWS_SESSION_TOKEN", &identity.session_token)
        .set("AWS_EC2_METADATA_DISABLED", "true")
        // What rustls-native-certs takes in place of the system's.
        .set("SSL_CERT_FILE", identity.certificate())
}
