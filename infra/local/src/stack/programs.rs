//! Which programs run as the functions: this executable, or what was built for
//! Lambda.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tempfile::TempDir;
use zip::ZipArchive;

/// The name that Lambda starts a program by.
///
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html>
const BOOTSTRAP: &str = "bootstrap";

/// The programs of the functions. What was unpacked of them is deleted when this
/// is dropped.
#[derive(Debug)]
pub(crate) struct Programs {
    built: Option<Built>,
}

/// What to start as a function.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) args: Vec<String>,
    /// The package that it was unpacked from.
    pub(crate) zip: Option<PathBuf>,
}

#[derive(Debug)]
struct Built {
    directory: PathBuf,
    unpacked: TempDir,
}

impl Programs {
    /// Takes the functions' own programs from a directory, `DIR/NAME` or
    /// `DIR/NAME/bootstrap`, or the packages that `cargo lambda build` makes of
    /// them, `DIR/NAME/bootstrap.zip`. Without a directory the functions are
    /// those of this executable.
    ///
    /// # Errors
    /// There is no place for temporary files.
    pub(crate) fn of(directory: Option<&Path>) -> anyhow::Result<Self> {
        let built = directory.map(|directory| {
            let unpacked = tempfile::Builder::new().prefix("fanout-local-").tempdir();
            anyhow::Ok(Built {
                directory: directory.to_owned(),
                unpacked: unpacked.context("cannot make a directory to unpack functions into")?,
            })
        });
        Ok(Self {
            built: built.transpose()?,
        })
    }

    /// Finds the program of a function.
    ///
    /// # Errors
    /// It is not in the directory, or is packed in a way that Lambda would not
    /// start either.
    pub(crate) fn program(&self, function: &str) -> anyhow::Result<Program> {
        let Some(built) = &self.built else {
            let this = std::env::current_exe().context("cannot find this executable")?;
            return Ok(Program {
                path: this,
                args: vec!["function".to_owned(), function.to_owned()],
                zip: None,
            });
        };
        let found = built.newest(function).with_context(|| {
            let directory = built.directory.display();
            format!(
                "{directory}: there is neither {function} nor {function}/{BOOTSTRAP} nor \
                 {function}/{BOOTSTRAP}.zip"
            )
        })?;
        let path = if found
            .extension()
            .is_some_and(|extension| extension == "zip")
        {
            return built.unpack(function, found);
        } else {
            found.canonicalize()?
        };
        Ok(Program {
            path,
            args: Vec::new(),
            zip: None,
        })
    }

    /// Whether there is a program of this name. Of this executable it is not
    /// known.
    pub(crate) fn has(&self, function: &str) -> bool {
        let built = self.built.as_ref();
        built.is_some_and(|built| built.newest(function).is_some())
    }
}

impl Built {
    /// The file that was built last: a package and a program may lie side by
    /// side.
    fn newest(&self, function: &str) -> Option<PathBuf> {
        let own = self.directory.join(function);
        let zip = own.join(BOOTSTRAP).with_extension("zip");
        let candidates = [own.join(BOOTSTRAP), zip, own];
        let files = candidates.into_iter().filter(|path| path.is_file());
        files.max_by_key(|path| fs::metadata(path).and_then(|file| file.modified()).ok())
    }

    fn unpack(&self, function: &str, zip: PathBuf) -> anyhow::Result<Program> {
        let directory = self.unpacked.path().join(function);
        let path = directory.join(BOOTSTRAP);
        // Two functions may be of one program.
        if !path.is_file() {
            fs::create_dir_all(&directory)?;
            unpack(&zip, &path).with_context(|| format!("cannot unpack {}", zip.display()))?;
        }
        Ok(Program {
            path,
            args: Vec::new(),
            zip: Some(zip),
        })
    }
}

/// Unpacks the program of a package, which must be allowed to run.
fn unpack(zip: &Path, program: &Path) -> anyhow::Result<()> {
    let mut archive = ZipArchive::new(File::open(zip)?)?;
    let mut packed = archive.by_name(BOOTSTRAP)?;
    let mode = packed.unix_mode().unwrap_or_default();
    if mode & 0o111 != 0o111 {
        bail!("{BOOTSTRAP} has mode {mode:o}: Lambda could not start it");
    }
    let mut unpacked = File::create(program)?;
    io::copy(&mut packed, &mut unpacked)?;
    unpacked.set_permissions(Permissions::from_mode(0o755))?;
    Ok(())
}

#[cfg(test)]
mod tests;
