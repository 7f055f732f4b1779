//! The processes: one that answers, and one for each run.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::client::{Cost, Run};
use super::{Client, Transport};

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

    /// A file for what a tool writes.
    pub(super) fn scratch(&self) -> PathBuf {
        self.directory.path().join("scratch")
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
    let executable = std::env::current_exe()?;
    let (output, _) = run_to_end(executable.as_ref(), &[], client, run, &[], identity).await?;
    serde_json::from_str(&output).context("the run did not say what it took")
}

/// Runs a client under a tool, and returns what the tool said.
pub(super) async fn run_under(
    tool: &[&str],
    client: Client,
    run: &Run,
    identity: &Identity,
) -> anyhow::Result<String> {
    let [program, arguments @ ..] = tool else {
        bail!("no tool was named");
    };
    let executable = std::env::current_exe()?;
    let executable = executable.to_string_lossy();
    let arguments: Vec<_> = arguments.iter().copied().chain([&*executable]).collect();
    let (_, said) = run_to_end(
        Path::new(program),
        &arguments,
        client,
        run,
        &["--untimed"],
        identity,
    )
    .await?;
    Ok(said)
}

/// Returns what a run wrote to its two outputs.
async fn run_to_end(
    program: &Path,
    arguments: &[&str],
    client: Client,
    run: &Run,
    more: &[&str],
    identity: &Identity,
) -> anyhow::Result<(String, String)> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .args(["push-client", client.name()])
        .args(["--endpoint", &run.endpoint])
        .args(["--in-flight", &run.in_flight.to_string()])
        .args(["--pushes", &run.pushes.to_string()])
        .args(["--payload", &run.payload.to_string()])
        .args(more)
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env(
            "AWS_SECRET_ACCESS_KEY",
            "a secret of forty characters or nearly so",
        )
        .env("AWS_EC2_METADATA_DISABLED", "true")
        // What rustls-native-certs takes in place of the system's.
        .env("SSL_CERT_FILE", identity.certificate())
        .env_remove("AWS_SESSION_TOKEN")
        .kill_on_drop(true);
    if !identity.session_token.is_empty() {
        command.env("AWS_SESSION_TOKEN", &identity.session_token);
    }
    let ended = command.output().await?;
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    ensure!(ended.status.success(), "{}: {said}", ended.status);
    Ok((String::from_utf8(ended.stdout)?, said))
}
