//! `fanout-bench`: what the pipeline and its parts cost, measured against what
//! they are made of, what one would write instead, and what bounds them.
//!
//! `cargo run --release -p fanout-bench -- push`, or `peers`, `floor`, `scale`,
//! `small`, `counts`.

mod broadcast;
mod client;
mod complaints;
mod counts;
mod figures;
mod floor;
mod functions;
mod goal;
mod harness;
mod hollow;
mod interrupt;
mod machine;
mod micros;
mod peers;
mod process;
mod push;
mod rerun;
mod scale;
mod small;
mod spread;
mod stack;
mod tasks;
mod valgrind;

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
    /// Measures how far above the account's quota large broadcasts are.
    Floor(floor::Options),
    /// Measures what a delivery costs as the audience grows.
    Scale(scale::Options),
    /// Measures small notifications beside empty functions on the same hops.
    Small(small::Options),
    /// Counts work that does not depend on how fast the machine is, and fails where
    /// it is more than it should be.
    Counts(counts::Options),
    /// Is the engine alone, to be counted.
    #[command(hide = true)]
    Engine(counts::engine::Options),
    /// Is one of the empty functions, which a local stack runs.
    #[command(hide = true)]
    Hollow(hollow::Options),
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
        Command::Floor(options) => runtime.block_on(floor::compare(&options)),
        Command::Scale(options) => runtime.block_on(scale::compare(&options)),
        Command::Small(options) => runtime.block_on(small::compare(&options)),
        Command::Counts(options) => runtime.block_on(counts::check(&options)),
        Command::Engine(options) => runtime.block_on(counts::engine::run(&options)),
        Command::Hollow(options) => runtime.block_on(hollow::run(&options)),
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
