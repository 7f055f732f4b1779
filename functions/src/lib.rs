//! The Lambda functions of the notification fan-out.
//!
//! Each function is a module: a handler that is generic over the ports of
//! `fanout_core` and tested over them in memory, and a `run` that reads the
//! settings, makes the AWS clients once, and hands events to the handler until
//! the execution environment is shut down. The binaries in `src/bin` only call
//! `run`.

pub mod authorizer;
pub mod connect;
pub mod disconnect;
pub mod message;
pub mod metrics;
pub mod publish;
mod runtime;
pub mod settings;
pub mod token;
pub mod trace;
mod websocket;
pub mod worker;

pub use lambda_runtime::Error;

/// The functions' names, in the order of a connection's life.
pub const NAMES: [&str; 6] = [
    "authorizer",
    "connect",
    "disconnect",
    "message",
    "publish",
    "worker",
];

/// Runs the function called `name`, one of [`NAMES`], until the execution
/// environment is shut down.
///
/// # Errors
/// An unknown name, an invalid configuration, or a Runtime API that went away.
pub async fn run(name: &str) -> Result<(), Error> {
    match name {
        "authorizer" => authorizer::run().await,
        "connect" => connect::run().await,
        "disconnect" => disconnect::run().await,
        "message" => message::run().await,
        "publish" => publish::run().await,
        "worker" => worker::run().await,
        _ => Err(format!("unknown function {name:?}; known are {}", NAMES.join(", ")).into()),
    }
}
