//! The `fanout-loadtest` command.

use std::{
    convert::Infallible,
    error::Error,
    fmt::Display,
    io::{IsTerminal, Write, stderr, stdout},
    process::ExitCode,
};

use clap::{Parser, error::ErrorKind};
use fanout_loadtest::{
    causes::with_causes,
    cli::{Cli, Command, RunArgs, one_line},
    exit::{Outcome, refused, usage},
    interrupt::interrupted_twice,
    merge::MergeArgs,
    report::Report,
    reporting::ReportingArgs,
    run::{RunError, run},
    settings::Settings,
};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(Cli { command }) => match command {
            Command::Run(args) => run_to_exit_code(*args),
            Command::Merge(args) => merge_to_exit_code(&args),
            Command::Compare(args) => show(args.compare()),
            Command::Plan(args) => show(Ok::<_, Infallible>(args.write())),
        },
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
    let reporting = args.reporting.clone();
    if let Err(error) = reporting.check() {
        return wrong_usage(&error);
    }
    let settings = match Settings::try_from(args) {
        Ok(settings) => settings,
        Err(error) => return wrong_usage(&error),
    };
    let interrupt = CancellationToken::new();
    let ran = tokio::select! {
        ran = run(&settings, &interrupt, stderr().is_terminal()) => ran,
        () = interrupted_twice(&interrupt) => return Outcome::Interrupted.exit_code(),
    };
    match ran {
        Ok(report) => published(&report, &reporting),
        Err(error) => {
            eprintln!("error: {}", with_causes(&error));
            exit_code_of(&error)
        }
    }
}

fn merge_to_exit_code(args: &MergeArgs) -> ExitCode {
    if let Err(error) = args.reporting.check() {
        return wrong_usage(&error);
    }
    match args.merge() {
        Ok(report) => published(&report, &args.reporting),
        Err(error) => wrong_usage(&error),
    }
}

fn published(report: &Report, reporting: &ReportingArgs) -> ExitCode {
    let written = reporting.write(report);
    written.unwrap_or_else(|error| wrong_usage(&error))
}

/// Writes what a command without a run found out.
fn show<E: Error>(found: Result<impl Display, E>) -> ExitCode {
    match found {
        Ok(found) => {
            // Nobody is left to tell if stdout is closed.
            let _closed = writeln!(stdout(), "{found}");
            ExitCode::SUCCESS
        }
        Err(error) => wrong_usage(&error),
    }
}

fn wrong_usage(error: &dyn Error) -> ExitCode {
    eprintln!("error: {}", with_causes(error));
    usage()
}

fn exit_code_of(error: &RunError) -> ExitCode {
    match error {
        RunError::Limit(_) | RunError::ForeignClock => usage(),
        RunError::Reach { source, .. } if source.is_refusal() => refused(),
        RunError::Reach { .. } => Outcome::Unreachable.exit_code(),
        RunError::Publish { .. } | RunError::Simulated { .. } => refused(),
    }
}
