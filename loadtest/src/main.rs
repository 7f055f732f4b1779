//! The `fanout-loadtest` command.

use std::{
    io::{IsTerminal, Write, stderr, stdout},
    process::ExitCode,
};

use clap::{Parser, error::ErrorKind};
use fanout_loadtest::{
    causes::with_causes,
    cli::{Cli, Command, OutputFormat, RunArgs, one_line},
    exit::{Outcome, usage},
    run::{RunError, run},
    settings::Settings,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(Cli {
            command: Command::Run(args),
        }) => run_to_exit_code(args),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => error.exit(),
            _ => {
                eprintln!("{}", one_line(&error));
                usage()
            }
        },
    }
}

#[tokio::main]
async fn run_to_exit_code(args: RunArgs) -> ExitCode {
    let format = args.output_format;
    let settings = Settings::from(args);
    let interrupt = CancellationToken::new();
    let ran = tokio::select! {
        ran = run(&settings, &interrupt, stderr().is_terminal()) => ran,
        () = interrupted_twice(&interrupt) => return Outcome::Interrupted.exit_code(),
    };
    match ran {
        Ok(report) => {
            let text = match format {
                OutputFormat::Text => report.to_text(),
                OutputFormat::Json => report.to_json(),
            };
            // Nobody is left to tell if stdout is closed.
            let _closed = writeln!(stdout(), "{text}");
            report.outcome.exit_code()
        }
        Err(error) => {
            eprintln!("error: {}", with_causes(&error));
            match error {
                RunError::Limit(_) => usage(),
                RunError::Reach { .. } | RunError::Publish { .. } => {
                    Outcome::Unreachable.exit_code()
                }
            }
        }
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
