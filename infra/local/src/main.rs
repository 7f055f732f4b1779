//! The whole pipeline on one machine: API Gateway, Lambda, SQS and DynamoDB
//! stand-ins around the same functions that run on AWS.
//!
//! `fanout-local` starts everything; `fanout-local function NAME` is how it
//! starts itself again as one of the functions.

mod cli;
mod file_limit;
mod stack;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::cli::{Arguments, Command};
use crate::stack::Stack;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match arguments.command {
        Some(Command::Function { name }) => run_function(&name),
        None => run_stack(&arguments.options),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A function has one event at a time to handle: one thread is enough.
fn run_function(name: &str) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime
        .block_on(fanout_functions::run(name))
        .map_err(|error| anyhow::anyhow!("function {name}: {error}"))
}

fn run_stack(options: &cli::Options) -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            EnvFilter::try_new(format!("dynoxide=error,{}", options.log)).context("--log")?,
        )
        .init();
    let sockets = file_limit::raise(options.max_sockets)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let stack = Stack::start(options).await?;
        print(&stack.welcome(sockets))?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        eprintln!("stopping; once more to stop at once");
        tokio::select! {
            () = stack.stop() => Ok(()),
            _ = interrupt.recv() => anyhow::bail!("stopped before everything had ended"),
        }
    })
}

/// Prints what scripts wait for; whoever does not read it has closed the pipe,
/// and the stack runs all the same.
fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
