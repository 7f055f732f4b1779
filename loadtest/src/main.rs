//! The `fanout-loadtest` command.

use std::{
    error::Error,
    fs::File,
    io::{BufWriter, IsTerminal, Write, stderr, stdout},
    process::ExitCode,
};

use clap::{Parser, error::ErrorKind};
use fanout_loadtest::{
    causes::with_causes,
    cli::{Cli, Command, MergeArgs, OutputFormat, RunArgs, one_line},
    exit::{Outcome, refused, usage},
    hlog::{Header, Log},
    merge::{self, MergeError},
    report::Report,
    run::{RunError, run},
    settings::Settings,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(Cli { command }) => match command {
            Command::Run(args) => run_to_exit_code(*args),
            Command::Merge(args) => merge_to_exit_code(args),
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
    let (format, output) = (args.output_format, args.output.clone());
    // Before anything is measured that could not be written.
    let file = match output.map(File::create).transpose() {
        Ok(file) => file,
        Err(error) => return wrong_usage(&error),
    };
    let settings = match Settings::try_from(args) {
        Ok(settings) => settings,
        Err(error) => return wrong_usage(&error),
    };
    let interrupt = CancellationToken::new();
    let ran = tokio::select! {
        ran = run(&settings, &interrupt, stderr().is_terminal()) => ran,
        () = interrupted_twice(&interrupt) => return Outcome::Interrupted.exit_code(),
    };
    let report = match ran {
        Ok(report) => report,
        Err(error) => {
            eprintln!("error: {}", with_causes(&error));
            return exit_code_of(&error);
        }
    };
    show(&report, format);
    if let Some(file) = file {
        let log = Log::new(Header::from(&report), &report.measurements.recorded);
        let mut file = BufWriter::new(file);
        if let Err(error) = log.write(&mut file).and_then(|()| file.flush()) {
            return wrong_usage(&error);
        }
    }
    report.outcome.exit_code()
}

fn merge_to_exit_code(args: MergeArgs) -> ExitCode {
    let merged = || -> Result<Report, MergeError> {
        let logs: Vec<_> = args
            .logs
            .into_iter()
            .map(merge::read)
            .collect::<Result<_, _>>()?;
        merge::merge(&logs, args.force)
    };
    match merged() {
        Ok(report) => {
            show(&report, args.output_format);
            report.outcome.exit_code()
        }
        Err(error) => wrong_usage(&error),
    }
}

fn show(report: &Report, format: OutputFormat) {
    let text = match format {
        OutputFormat::Text => report.to_text(),
        OutputFormat::Json => report.to_json(),
    };
    // Nobody is left to tell if stdout is closed.
    let _closed = writeln!(stdout(), "{text}");
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
