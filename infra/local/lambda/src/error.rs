//! How starting a host and invoking a function can fail.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use crate::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES};

/// Why a host could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A function's name is not one that Lambda accepts.
    #[error("invalid function name {name:?}: expected 1 to 64 letters, digits, - and _")]
    Name {
        /// What was given.
        name: String,
    },
    /// Two functions have the same name.
    #[error("function {name} is configured twice")]
    DuplicateName {
        /// The name of both.
        name: String,
    },
    /// There is no file at the program's path.
    #[error("function {function}: no program at {program}", program = program.display())]
    ProgramNotFound {
        /// The function's name.
        function: String,
        /// Where the program was expected.
        program: PathBuf,
    },
    /// The timeout is zero or longer than Lambda allows.
    #[error("function {function}: expected a timeout of at most 15 minutes, got {timeout:?}")]
    Timeout {
        /// The function's name.
        function: String,
        /// What was given.
        timeout: Duration,
    },
    /// The memory is out of Lambda's range.
    #[error("function {function}: expected a memory of 128 to 10240 MiB, got {memory_mib}")]
    Memory {
        /// The function's name.
        function: String,
        /// What was given.
        memory_mib: u32,
    },
    /// A variable that Lambda sets itself was configured.
    #[error(
        "function {function}: the variable {variable} is set by Lambda and cannot be configured"
    )]
    ReservedVariable {
        /// The function's name.
        function: String,
        /// The variable's name.
        variable: String,
    },
}

/// Why an invocation has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum InvokeError {
    /// No function has this name.
    #[error("no function is named {function:?}")]
    UnknownFunction {
        /// The name that was asked for.
        function: String,
    },
    /// The payload is larger than [`MAX_REQUEST_BYTES`].
    #[error("the payload of {bytes} bytes is larger than {MAX_REQUEST_BYTES} bytes")]
    PayloadTooLarge {
        /// The payload's size.
        bytes: usize,
    },
    /// The function's reserved concurrency is used up.
    #[error("rate exceeded: the function's reserved concurrency is used up")]
    Throttled,
    /// The function's process could not be started.
    #[error("cannot start {program}", program = program.display())]
    NotStarted {
        /// The program that was to be run.
        program: PathBuf,
        /// What the operating system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// The function did not answer in time and was killed.
    #[error("task timed out after {seconds:.2} seconds", seconds = after.as_secs_f64())]
    TimedOut {
        /// The time it had.
        after: Duration,
    },
    /// The function answered an error, or reported one while starting.
    #[error("{error_type}: {message}")]
    Failed {
        /// `errorType` as the function named it.
        error_type: String,
        /// `errorMessage` as the function put it.
        message: String,
    },
    /// The process ended before it answered (`Runtime.ExitError`).
    #[error("runtime exited without an answer: {}", describe(*status))]
    Exited {
        /// How it ended, if that could be learnt.
        status: Option<ExitStatus>,
    },
    /// The answer is larger than [`MAX_RESPONSE_BYTES`]
    /// (`Function.ResponseSizeTooLarge`).
    #[error("the response of {bytes} bytes is larger than {MAX_RESPONSE_BYTES} bytes")]
    ResponseTooLarge {
        /// The answer's size.
        bytes: usize,
    },
    /// The host is shutting down: the invocation was not started, or did not
    /// end within the grace period.
    #[error("the host is shutting down")]
    ShuttingDown,
}

fn describe(status: Option<ExitStatus>) -> String {
    status.map_or_else(
        || "exit status unknown".to_owned(),
        |status| status.to_string(),
    )
}
