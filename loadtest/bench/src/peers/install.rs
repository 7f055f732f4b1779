//! The runtimes of other people's handlers, with what they need from a lock
//! file: under the folder that holds them, where git ignores it.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tokio::fs;
use tokio::process::Command;

use super::contestant::{Handler, Runtime};
use crate::stack::Stack;

/// A runtime that is ready to load handlers.
#[derive(Clone, Debug)]
pub(crate) struct Installed {
    program: PathBuf,
    /// Where its handlers are, and the script that runs them.
    folder: PathBuf,
    script: &'static str,
}

impl Installed {
    /// Installs what the handlers of a runtime need, if that was not done from
    /// the same lock file before.
    ///
    /// # Errors
    /// The runtime is missing, or its packages cannot be had.
    pub(crate) async fn of(runtime: Runtime) -> anyhow::Result<Self> {
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        match runtime {
            Runtime::Node => node(peers.join("node")).await,
            Runtime::Python => python(peers.join("python")).await,
        }
    }

    /// The command that runs a handler with a stack, and nothing of this
    /// environment that might configure an SDK.
    pub(crate) fn command(&self, handler: Handler, stack: &Stack) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args([self.script, handler.module])
            .current_dir(&self.folder)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .envs(stack.environment());
        command
    }
}

async fn node(folder: PathBuf) -> anyhow::Result<Installed> {
    run("node", &["--version"], &folder).await?;
    let lock = folder.join("package-lock.json");
    let stamp = folder.join("node_modules/.installed-from");
    if !is_installed(&lock, &stamp).await? {
        eprintln!("installing the AWS SDK for JavaScript");
        run("npm", &["ci", "--no-audit", "--no-fund"], &folder).await?;
        fs::copy(&lock, &stamp).await?;
    }
    Ok(Installed {
        program: "node".into(),
        folder,
        script: "run.mjs",
    })
}

async fn python(folder: PathBuf) -> anyhow::Result<Installed> {
    let lock = folder.join("requirements.txt");
    let environment = folder.join(".venv");
    let stamp = environment.join(".installed-from");
    let program = environment.join("bin/python");
    if !is_installed(&lock, &stamp).await? {
        eprintln!("installing boto3");
        run("python3", &["-m", "venv", "--clear", ".venv"], &folder).await?;
        let pip = ["-m", "pip", "install", "--quiet", "--require-hashes"];
        let arguments = [&pip[..], &["--requirement", "requirements.txt"]].concat();
        run(&program, &arguments, &folder).await?;
        fs::copy(&lock, &stamp).await?;
    }
    Ok(Installed {
        program,
        folder,
        script: "run.py",
    })
}

/// Whether what the lock file says was installed, to the end.
async fn is_installed(lock: &Path, stamp: &Path) -> anyhow::Result<bool> {
    let wanted = fs::read(lock).await;
    let wanted = wanted.with_context(|| format!("cannot read {}", lock.display()))?;
    Ok(fs::read(stamp).await.is_ok_and(|found| found == wanted))
}

async fn run(program: impl AsRef<OsStr>, arguments: &[&str], folder: &Path) -> anyhow::Result<()> {
    let name = program.as_ref().display();
    let running = Command::new(&program)
        .args(arguments)
        .current_dir(folder)
        .kill_on_drop(true)
        .output();
    let output = match running.await {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!("{name} is not installed"),
        ran => ran.with_context(|| format!("cannot run {name}"))?,
    };
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{name} {}: {}", arguments.join(" "), errors.trim());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_is_missing_is_named() {
        let error = run("no-such-program", &[], Path::new("/")).await;
        let error = error.unwrap_err().to_string();
        assert_eq!(error, "no-such-program is not installed");
    }

    #[tokio::test]
    async fn a_program_that_fails_is_quoted() {
        let failing = ["-c", "echo broken >&2; exit 3"];
        let error = run("sh", &failing, Path::new("/")).await.unwrap_err();
        assert!(error.to_string().ends_with(": broken"), "{error}");
    }

    #[tokio::test]
    async fn an_interrupted_installation_is_none() {
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let missing = Path::new("/no-such-folder/.installed-from");
        assert!(!is_installed(&lock, missing).await.unwrap());
        assert!(is_installed(&lock, &lock).await.unwrap());
    }
}
