//! Benchmarks: each command runs one comparison and prints its table.

mod peers;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What a shell reports for a program that SIGINT ended.
const INTERRUPTED: u8 = 130;

/// Measures the pipeline beside what one would use instead.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compares the pipeline with the handlers that one would write instead
    Peers(peers::Options),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    let interrupt = CancellationToken::new();
    let ended = tokio::select! {
        ended = run(&command, &interrupt) => ended,
        () = interrupted_twice(&interrupt) => return INTERRUPTED.into(),
    };
    match ended {
        Ok(()) if interrupt.is_cancelled() => INTERRUPTED.into(),
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command; interrupted, it tells what it has measured until then.
async fn run(command: &Command, interrupt: &CancellationToken) -> anyhow::Result<()> {
    match command {
        Command::Peers(options) => peers::run(options, interrupt).await,
    }
}

/// Cancels at the first SIGINT or SIGTERM and returns at the second.
async fn interrupted_twice(interrupt: &CancellationToken) {
    let signals = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    );
    let (Ok(mut int), Ok(mut term)) = signals else {
        return std::future::pending().await;
    };
    for _ in 0..2 {
        tokio::select! {
            _ = int.recv() => {}
            _ = term.recv() => {}
        }
        if interrupt.is_cancelled() {
            return;
        }
        interrupt.cancel();
    }
}
