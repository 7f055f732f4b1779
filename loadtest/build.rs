//! Tells the report which compiler built the load test.

use std::{env, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    // A report without the compiler is better than no load test.
    let Ok(output) = Command::new(rustc).arg("--version").output() else {
        return;
    };
    if let Ok(version) = String::from_utf8(output.stdout) {
        println!("cargo::rustc-env=FANOUT_LOADTEST_RUSTC={}", version.trim());
    }
}
