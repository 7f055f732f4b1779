//! The `fanout-ops` command.

use std::process::ExitCode;

use clap::Parser as _;
use fanout_ops::causes::with_causes;
use fanout_ops::cli::{Cli, Ending};

#[tokio::main]
async fn main() -> ExitCode {
    // Boxed: the doctor remembers much while it waits.
    match Box::pin(Cli::parse().command.run()).await {
        Ok(Ending::Good) => ExitCode::SUCCESS,
        Ok(Ending::Bad) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {}", with_causes(&error));
            ExitCode::from(2)
        }
    }
}
