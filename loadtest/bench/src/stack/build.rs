//! Executables of this repository.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Context as _;
use serde_json::Value;
use tokio::process::Command;

/// How a package is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Dev,
    Release,
}

impl Profile {
    /// That of this executable, as far as it can tell.
    pub(crate) const OF_THIS: Self = if cfg!(debug_assertions) {
        Self::Dev
    } else {
        Self::Release
    };

    fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Release => "release",
        }
    }
}

/// Builds a package and returns the executable of the same name.
///
/// # Errors
/// It cannot be built.
pub(crate) async fn build(package: &str, profile: Profile) -> anyhow::Result<PathBuf> {
    let output = Command::new("cargo")
        .args(["build", "--profile", profile.name(), "--package", package])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot run cargo")?;
    anyhow::ensure!(output.status.success(), "{package} cannot be built");
    let messages = String::from_utf8_lossy(&output.stdout);
    executable_in(&messages, package)
        .with_context(|| format!("cargo does not say where {package} is"))
}

/// The executable that cargo's messages name.
fn executable_in(messages: &str, package: &str) -> Option<PathBuf> {
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut named = messages
        .filter(|message| message.pointer("/target/name").and_then(Value::as_str) == Some(package));
    named.find_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_names_the_executable_among_other_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"serde"},"executable":null}
not JSON
{"reason":"compiler-artifact","target":{"name":"fanout-local"},"executable":"/t/release/fanout-local"}
{"reason":"build-finished","success":true}"#;
        let found = executable_in(messages, "fanout-local");
        assert_eq!(found, Some(PathBuf::from("/t/release/fanout-local")));
        assert_eq!(executable_in("", "fanout-local"), None);
    }
}
