//! The whole pipeline on one machine: API Gateway, Lambda, SQS and DynamoDB
//! stand-ins around the same functions that run on AWS.
//!
//! `fanout-local` starts everything; `fanout-local function NAME` is how it
//! starts itself again as one of the functions; `fanout-local token` is the
//! issuer of its tokens, and `fanout-local cold-start` a stopwatch.

mod cli;
mod file_limit;
mod stack;
mod token;

use std::convert::Infallible;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Parser as _;
use fanout_functions::settings::parse_filter;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::Level;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::cli::{Arguments, ColdStartOptions, Command};
use crate::stack::Stack;

/// How long the end waits for threads that are still at work.
const LAST_MOMENT: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match arguments.command {
        Some(Command::Function { name }) => run_function(&name),
        Some(Command::Token(options)) => print(&format!("{}\n", token::mint(&options))),
        Some(Command::ColdStart(options)) => measure_cold_starts(&options),
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

fn measure_cold_starts(options: &ColdStartOptions) -> anyhow::Result<()> {
    log_to_stderr("warn")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let measured = runtime.block_on(stack::cold_start::measure(options))?;
    print(&measured)
}

fn run_stack(options: &cli::Options) -> anyhow::Result<()> {
    log_to_stderr(&options.log)?;
    if !options.auth {
        eprintln!(
            "WARNING: authentication is OFF: anybody may listen and publish (--auth asks for tokens)"
        );
    }
    let max_sockets = file_limit::raise(options.max_sockets)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(serve(options, max_sockets));
    // Not by dropping it, which would wait for whatever blocks a thread.
    runtime.shutdown_timeout(LAST_MOMENT);
    ended
}

fn log_to_stderr(filter: &str) -> anyhow::Result<()> {
    let filter = parse_filter(&format!("dynoxide=error,{filter}")).context("--log")?;
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_max_level(Level::TRACE)
        .finish()
        .with(filter)
        .init();
    Ok(())
}

/// Runs the stack until a signal comes, or a function does not start; a second
/// signal does not wait for its end.
async fn serve(options: &cli::Options, max_sockets: usize) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let stack = Stack::start(options, max_sockets)?;
    let served = tokio::select! {
        () = signals.next() => {
            eprintln!("stopping; once more to stop at once");
            Ok(())
        }
        Err(error) = stay(&stack) => Err(error),
    };
    tokio::select! {
        () = stack.stop() => served,
        () = signals.next() => bail!("stopped before everything had ended"),
    }
}

/// Says that the stack is ready, once it is, for as long as this is waited for.
async fn stay(stack: &Stack) -> anyhow::Result<Infallible> {
    stack.warm().await?;
    let _outputs = stack.write_outputs()?;
    print(&stack.welcome())?;
    std::future::pending().await
}

/// The signals that ask for the end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
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
