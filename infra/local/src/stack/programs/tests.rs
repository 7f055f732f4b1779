use std::io::Write as _;
use std::time::{Duration, SystemTime};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

const SCRIPT: &str = "#!/bin/sh\necho started\n";

/// Writes a package of one program.
fn package(path: &Path, name: &str, mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut zip = ZipWriter::new(File::create(path).unwrap());
    let options = SimpleFileOptions::default().unix_permissions(mode);
    zip.start_file(name, options).unwrap();
    zip.write_all(SCRIPT.as_bytes()).unwrap();
    zip.finish().unwrap();
}

fn programs(directory: &TempDir) -> Programs {
    Programs::of(Some(directory.path())).unwrap()
}

#[test]
fn without_a_directory_this_executable_is_every_function() {
    let program = Programs::of(None).unwrap().program("worker").unwrap();
    assert_eq!(program.path, std::env::current_exe().unwrap());
    assert_eq!(program.args, ["function", "worker"]);
}

#[test]
fn a_package_is_unpacked_once_runs_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let zip = directory.path().join("worker/bootstrap.zip");
    package(&zip, "bootstrap", 0o755);
    let programs = programs(&directory);
    let program = programs.program("worker").unwrap();
    assert_eq!(program.zip, Some(zip));
    assert_eq!(programs.program("worker").unwrap(), program);
    let ran = std::process::Command::new(&program.path).output().unwrap();
    assert_eq!(ran.stdout, b"started\n");
    drop(programs);
    assert!(!program.path.exists());
}

#[test]
fn what_was_built_last_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let zip = directory.path().join("worker/bootstrap.zip");
    package(&zip, "bootstrap", 0o755);
    let built = directory.path().join("worker/bootstrap");
    fs::write(&built, SCRIPT).unwrap();
    let an_hour = Duration::from_hours(1);
    let packed_at = File::open(&zip).unwrap();
    #[expect(clippy::disallowed_methods, reason = "files have the real time of day")]
    let now = SystemTime::now();
    packed_at.set_modified(now - an_hour).unwrap();
    let program = programs(&directory).program("worker").unwrap();
    assert_eq!(program.path, built.canonicalize().unwrap());
    packed_at.set_modified(now + an_hour).unwrap();
    let program = programs(&directory).program("worker").unwrap();
    assert_eq!(program.zip, Some(zip));
}

#[test]
fn what_lambda_could_not_start_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for (function, name, mode, problem) in [
        ("connect", "bootstrap", 0o644, "bootstrap has mode 100644"),
        ("message", "message", 0o755, "not found"),
    ] {
        let zip = directory.path().join(function).join("bootstrap.zip");
        package(&zip, name, mode);
        let error = programs(&directory).program(function).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.starts_with("cannot unpack "), "{error}");
        assert!(error.contains(problem), "{error}");
    }
    let missing = programs(&directory).program("publish").unwrap_err();
    let missing = missing.to_string();
    assert!(missing.ends_with("nor publish/bootstrap.zip"), "{missing}");
}
