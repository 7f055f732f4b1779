//! `fanout-bench`: what the parts of the pipeline cost, measured against what
//! they are made of, and against what one would write instead.
//!
//! `cargo run --release -p fanout-bench -- push`, or `peers`.

mod client;
mod complaints;
mod figures;
mod interrupt;
mod micros;
mod peers;
mod process;
mod push;
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
    /// Compares what pushes: the AWS SDK, this project's client, and the same
    /// connections without a signature.
    Push(push::Options),
    /// Answers every push, until its standard input ends.
    #[command(hide = true)]
    PushSink(push::sink::Options),
    /// Pushes, and says what that took.
    #[command(hide = true)]
    PushClient(push::client::Options),
}

fn main() -> anyhow::Result<()> {
    let command = Cli::parse().command;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match command {
        Command::Peers(options) => runtime.block_on(peers::compare(&options)),
        Command::Push(options) => runtime.block_on(push::compare(&options)),
        Command::PushSink(options) => runtime.block_on(push::sink::serve(&options)),
        Command::PushClient(options) => runtime.block_on(push::client::run(&options)),
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
