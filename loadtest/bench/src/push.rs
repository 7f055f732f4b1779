//! What a push costs the process that pushes.
//!
//! Three clients push to the same sink, which is a process of its own. Each run
//! is a process too, so that its CPU and memory are its own; the clients take
//! turns, so that whatever else the machine does befalls all of them alike.

pub(crate) mod client;
mod count;
mod processes;
pub(crate) mod sink;
mod table;
mod unsigned;

use std::fmt;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use fanout_loadtest::machine::host::Host;

use self::client::Run;
pub(crate) use self::count::instructions;
use self::processes::{Identity, Sink};
use self::table::Measured;

/// How many pushes are in flight, in each of two series.
const IN_FLIGHT: [usize; 2] = [64, 512];

/// How to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// How often each client takes its turn; 0 leaves out CPU.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Pushes that are measured in a run.
    #[arg(long, default_value_t = 20_000)]
    pushes: usize,
    /// The size of what is pushed, in bytes.
    #[arg(long, default_value_t = 300)]
    payload: usize,
    /// The length of the session token, such as a function's; 0 for none.
    #[arg(long, default_value_t = 0)]
    session_token: usize,
    /// How long the sink waits before it answers, in milliseconds: as the
    /// gateway does, so that what is in flight is on the wire.
    #[arg(long, default_value_t = 5)]
    delay_ms: u64,
    /// Leaves out instructions, allocations and memory, which valgrind counts.
    #[arg(long)]
    no_counting: bool,
}

/// What pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Client {
    /// The AWS SDK.
    Sdk,
    /// This project's client.
    Own,
    /// The same connections, without a signature and whatever else.
    Unsigned,
}

impl Client {
    const ALL: [Self; 3] = [Self::Sdk, Self::Own, Self::Unsigned];

    fn name(self) -> &'static str {
        match self {
            Self::Sdk => "sdk",
            Self::Own => "own",
            Self::Unsigned => "unsigned",
        }
    }
}

/// What carries pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    /// HTTP/1.1 without TLS.
    Plain,
    /// HTTP/1.1 over TLS.
    Tls,
    /// HTTP/2 over TLS.
    H2,
}

impl Transport {
    const ALL: [Self; 3] = [Self::Plain, Self::Tls, Self::H2];

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls => "tls",
            Self::H2 => "h2",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "HTTP/1.1, plaintext",
            Self::Tls => "HTTP/1.1, TLS",
            Self::H2 => "HTTP/2, TLS",
        })
    }
}

/// Compares the clients, and prints what came of it.
pub(crate) async fn compare(options: &Options) -> anyhow::Result<()> {
    let identity = Identity::new(options.session_token)?;
    println!("{}\n", machine());
    println!(
        "{} pushes of {} bytes a run, answered after {} ms, {} rounds, session token of {} bytes\n",
        options.pushes, options.payload, options.delay_ms, options.rounds, options.session_token
    );
    if options.rounds > 0 {
        time(options, &identity).await?;
    }
    if !options.no_counting {
        count::print(options.payload, &identity).await?;
    }
    Ok(())
}

async fn time(options: &Options, identity: &Identity) -> anyhow::Result<()> {
    let delay = Duration::from_millis(options.delay_ms);
    let mut measured = Vec::new();
    for transport in Transport::ALL {
        let sink = Sink::start(transport, delay, identity).await?;
        for in_flight in IN_FLIGHT {
            let run = Run {
                endpoint: sink.endpoint.clone(),
                in_flight,
                pushes: options.pushes,
                payload: options.payload,
            };
            measured.push(take_turns(options.rounds, transport, &run, identity).await?);
        }
    }
    table::print_cpu(&measured);
    Ok(())
}

async fn take_turns(
    rounds: usize,
    transport: Transport,
    run: &Run,
    identity: &Identity,
) -> anyhow::Result<Measured> {
    let mut measured = Measured::new(transport, run.in_flight);
    for round in 0..rounds {
        for client in Client::ALL {
            let cost = processes::measure(client, run, identity)
                .await
                .with_context(|| format!("{client:?} over {transport}, round {round}"))?;
            measured.note(client, cost);
        }
        eprint!(".");
    }
    eprintln!(" {transport}, {} in flight", run.in_flight);
    Ok(measured)
}

fn machine() -> String {
    let host = Host::this();
    let unknown = || "unknown".to_owned();
    format!(
        "{}, {} threads, {}, {}",
        host.cpu_model.unwrap_or_else(unknown),
        host.cores.unwrap_or_default(),
        host.architecture,
        host.kernel.unwrap_or_else(unknown),
    )
}
