//! `fanout-local cold-start`, on programs that are not the functions.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use crate::stack::command_alone;

/// Asks for an event as a function does, and gets none.
const FUNCTION: &str = "#!/bin/sh\n\
    exec curl -s \"http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next\"\n";

fn functions(names: &[&str]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in names {
        let program = directory.path().join(name);
        fs::write(&program, FUNCTION).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    }
    directory
}

async fn cold_start(directory: &TempDir) -> std::process::Output {
    let directory = directory.path().to_str().unwrap();
    let mut command = command_alone(&["cold-start", directory, "--starts", "2"]);
    command.output().await.unwrap()
}

#[tokio::test]
async fn every_function_and_a_canary_that_is_there_get_a_row() {
    let mut names = fanout_functions::NAMES.to_vec();
    names.push("canary");
    let measured = cold_start(&functions(&names)).await;
    let table = String::from_utf8(measured.stdout).unwrap();
    assert!(measured.status.success(), "{table}");
    assert!(table.starts_with("2 starts of each"), "{table}");
    let rows = table.lines().filter(|line| line.ends_with(" MiB |"));
    let rows: Vec<&str> = rows.map(|row| row.split(' ').nth(1).unwrap()).collect();
    assert_eq!(rows, names);
}

#[tokio::test]
async fn a_function_that_is_not_there_is_named() {
    let measured = cold_start(&functions(&["authorizer"])).await;
    assert!(!measured.status.success());
    let error = String::from_utf8(measured.stderr).unwrap();
    assert!(error.contains("there is neither connect nor"), "{error}");
}
