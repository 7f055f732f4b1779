//! `fanout-bench`: what the pipeline costs, measured against what one would use
//! instead, and against what bounds it.
//!
//! `cargo run --release -p fanout-bench -- peers`, or `floor`, `scale`, `small`

mod broadcast;
mod client;
mod complaints;
mod figures;
mod floor;
mod goal;
mod harness;
mod hollow;
mod interrupt;
mod machine;
mod micros;
mod peers;
mod process;
mod scale;
mod small;
mod spread;
mod stack;
mod tasks;

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
    /// Measures how far above the account's quota large broadcasts are.
    Floor(floor::Options),
    /// Measures what a delivery costs as the audience grows.
    Scale(scale::Options),
    /// Measures small notifications beside empty functions on the same hops.
    Small(small::Options),
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
        Command::Floor(options) => runtime.block_on(floor::compare(&options)),
        Command::Scale(options) => runtime.block_on(scale::compare(&options)),
        Command::Small(options) => runtime.block_on(small::compare(&options)),
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
