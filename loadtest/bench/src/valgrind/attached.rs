//! Processes that run under callgrind for as long as they like, and are asked now
//! and then what they have done.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use super::{Profile, VALGRIND};

/// Speaks to a process that valgrind runs.
const VGDB: &str = "vgdb";
/// The variables that both name the pipes after by which they speak. A stack's
/// functions have none of them.
const NAMING: [&str; 4] = ["LOGNAME", "USER", "HOST", "HOSTNAME"];

/// How long a process may take to write down what it did.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);

/// Where such processes leave their profiles and are spoken to, deleted when this
/// is dropped.
#[derive(Debug)]
pub(crate) struct Attached {
    valgrind: PathBuf,
    vgdb: PathBuf,
    directory: TempDir,
}

impl Attached {
    /// Nobody yet.
    ///
    /// # Errors
    /// Valgrind is not installed, or there is no place for profiles.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir().context("cannot make a directory for profiles")?;
        let attached = Self {
            valgrind: find(VALGRIND)?,
            vgdb: find(VGDB)?,
            directory,
        };
        fs::create_dir(attached.profiles())?;
        Ok(attached)
    }

    /// What runs a program so that it is counted.
    ///
    /// # Errors
    /// A path is not UTF-8.
    pub(crate) fn command(&self, program: &[&str]) -> anyhow::Result<Vec<String>> {
        let valgrind = text(&self.valgrind)?;
        // valgrind puts the process's id for `%p`.
        let out_file = format!("--callgrind-out-file={}/%p", text(&self.profiles())?);
        let words = [
            valgrind,
            "-q",
            "--tool=callgrind",
            &out_file,
            &self.prefix()?,
        ];
        let words = words.iter().chain(program);
        Ok(words.map(|word| (*word).to_owned()).collect())
    }

    /// What these processes have done since they were last asked, or started.
    ///
    /// # Errors
    /// One of them does not run under valgrind, or does not answer.
    pub(crate) async fn take(
        &self,
        pids: impl IntoIterator<Item = u32>,
    ) -> anyhow::Result<Profile> {
        let mut sum = Profile::default();
        for pid in pids {
            let mut asking = Command::new(&self.vgdb);
            // Writes a profile and begins another
            // (<https://valgrind.org/docs/manual/cl-manual.html>).
            asking.args([&format!("--pid={pid}"), &self.prefix()?, "dump"]);
            for variable in NAMING {
                asking.env_remove(variable);
            }
            let asked = timeout(ANSWER_WITHIN, asking.kill_on_drop(true).output()).await;
            let asked = asked.with_context(|| format!("{VGDB} of {pid} is not answered"))?;
            let asked = asked.context(VGDB)?;
            let said = String::from_utf8_lossy(&asked.stderr);
            ensure!(asked.status.success(), "{VGDB} of {pid}: {said}");
            let mut profiles = 0;
            for entry in fs::read_dir(self.profiles())? {
                let path = entry?.path();
                sum += Profile::read(&fs::read_to_string(&path)?);
                fs::remove_file(path)?;
                profiles += 1;
            }
            ensure!(profiles > 0, "{VGDB} of {pid} left no profile: {said}");
        }
        Ok(sum)
    }

    fn profiles(&self) -> PathBuf {
        self.directory.path().join("profiles")
    }

    /// Where the pipes are. Processes that are killed leave theirs behind.
    fn prefix(&self) -> anyhow::Result<String> {
        let pipes = self.directory.path().join(VGDB);
        Ok(format!("--vgdb-prefix={}", text(&pipes)?))
    }
}

/// Finds an executable where this process would. The functions have a path of their
/// own.
fn find(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = std::env::split_paths(&path).map(|directory| directory.join(name));
    let mut found = candidates.filter_map(|candidate| candidate.canonicalize().ok());
    match found.find(|found| found.is_file()) {
        Some(found) => Ok(found),
        None => bail!("{name} is not in the PATH; install valgrind"),
    }
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("the path is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executable_is_found_or_told_of() {
        assert!(find("sh").unwrap().is_absolute());
        let error = find("no-such-executable").unwrap_err().to_string();
        assert!(error.contains("no-such-executable"), "{error}");
    }
}
