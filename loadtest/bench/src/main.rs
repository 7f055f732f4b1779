//! `fanout-bench`: what the pipeline costs, measured against what one would use
//! instead.
//!
//! `cargo run --release -p fanout-bench -- peers`

mod client;
mod complaints;
mod figures;
mod interrupt;
mod micros;
mod peers;
mod process;
mod spread;
mod stack;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "fanout-bench", about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compares the pipeline with the handlers that one would write instead.
    Peers(peers::Options),
}

fn main() -> anyhow::Result<()> {
    let command = Cli::parse().command;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match command {
        Command::Peers(options) => runtime.block_on(peers::compare(&options)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
