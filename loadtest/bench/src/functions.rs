//! Programs that a stack runs in place of its own functions.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::Context as _;
use tempfile::TempDir;

/// Every function that a local stack starts.
pub(crate) const NAMES: [&str; 5] = ["connect", "disconnect", "message", "publish", "worker"];

/// A directory for a stack's `--functions`, deleted when this is dropped.
#[derive(Debug)]
pub(crate) struct Functions(TempDir);

impl Functions {
    /// Each function is the command that `command` has for its name.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub(crate) fn running(command: impl Fn(&str) -> Vec<String>) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir().context("cannot make a directory for the functions")?;
        for name in NAMES {
            let path = directory.path().join(name);
            let writing = || format!("cannot write {}", path.display());
            fs::write(&path, script(&command(name))).with_context(writing)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).with_context(writing)?;
        }
        Ok(Self(directory))
    }

    /// What a stack is to be told to run them.
    ///
    /// # Errors
    /// The path is not UTF-8.
    pub(crate) fn stack_options(&self) -> anyhow::Result<[String; 2]> {
        let path = self.0.path().to_str().context("the path is not UTF-8")?;
        Ok(["--functions", path].map(str::to_owned))
    }
}

/// Becomes a command.
fn script(words: &[String]) -> String {
    let quoted = words.iter().map(|word| word.replace('\'', r"'\''"));
    let quoted: Vec<_> = quoted.map(|word| format!("'{word}'")).collect();
    format!("#!/bin/sh\nexec {}\n", quoted.join(" "))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn every_function_becomes_its_command() {
        let command = |name: &str| ["echo", "it's", "", name].map(str::to_owned).to_vec();
        let functions = Functions::running(command).unwrap();
        let [option, directory] = functions.stack_options().unwrap();
        assert_eq!(option, "--functions");
        for name in NAMES {
            let said = Command::new(format!("{directory}/{name}"))
                .output()
                .unwrap();
            let said = String::from_utf8(said.stdout).unwrap();
            assert_eq!(said, format!("it's  {name}\n"));
        }
    }
}
