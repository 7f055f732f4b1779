//! What a function and its host are configured with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use fanout_local_faults::Fault;

use crate::error::StartError;

/// One function: a program that speaks the Lambda Runtime API.
#[derive(Clone, Debug)]
pub struct FunctionConfig {
    /// The function's name: 1 to 64 letters, digits, `-` and `_`.
    pub name: String,
    /// The program, as a path to its file.
    pub program: PathBuf,
    /// The program's arguments.
    pub args: Vec<String>,
    /// Variables of the function's own. The ones that Lambda sets itself may
    /// not be among them; nothing else is inherited from the host.
    pub environment: BTreeMap<String, String>,
    /// How long one invocation may take: 1 second to 15 minutes on AWS,
    /// shorter times are allowed here.
    pub timeout: Duration,
    /// The memory that the function is told to have, in MiB (128 to 10,240).
    /// Using more is reported, not prevented.
    pub memory_mib: u32,
    /// Reserved concurrency: how many invocations may run at once, and so how
    /// many processes there are at most. With 0 every invocation is throttled.
    pub max_concurrency: usize,
}

/// What all functions of a host have in common.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// The AWS Region that functions are told they run in.
    pub region: String,
    /// The account in the functions' ARNs: 12 digits.
    pub account_id: String,
    /// How long an environment stays warm without an invocation.
    pub idle_timeout: Duration,
    /// How long running invocations may go on once the host shuts down.
    pub grace_period: Duration,
    /// Drawn once for each invocation: when it strikes, the process is killed
    /// before it has answered.
    pub kill_function: Fault,
}

impl Default for HostConfig {
    /// `us-east-1`, a made-up account, five minutes warm, ten seconds of
    /// grace, no fault.
    fn default() -> Self {
        Self {
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
            idle_timeout: Duration::from_mins(5),
            grace_period: Duration::from_secs(10),
            kill_function: Fault::default(),
        }
    }
}

const MAX_TIMEOUT: Duration = Duration::from_mins(15);
const MEMORY_MIB: std::ops::RangeInclusive<u32> = 128..=10_240;

/// The variables that Lambda sets and refuses in a function's configuration.
///
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
const RESERVED_VARIABLES: [&str; 17] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_TASK_ROOT",
];

impl FunctionConfig {
    /// Checks what `CreateFunction` would check, and that the program is there.
    pub(crate) fn validate(&self) -> Result<(), StartError> {
        let function = || self.name.clone();
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !(1..=64).contains(&self.name.len()) || !self.name.chars().all(is_allowed) {
            return Err(StartError::Name { name: function() });
        }
        if !self.program.is_file() {
            return Err(StartError::ProgramNotFound {
                function: function(),
                program: self.program.clone(),
            });
        }
        if self.timeout.is_zero() || self.timeout > MAX_TIMEOUT {
            return Err(StartError::Timeout {
                function: function(),
                timeout: self.timeout,
            });
        }
        if !MEMORY_MIB.contains(&self.memory_mib) {
            return Err(StartError::Memory {
                function: function(),
                memory_mib: self.memory_mib,
            });
        }
        let is_reserved = |variable: &&String| RESERVED_VARIABLES.contains(&variable.as_str());
        match self.environment.keys().find(is_reserved) {
            Some(variable) => Err(StartError::ReservedVariable {
                function: function(),
                variable: variable.clone(),
            }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function() -> FunctionConfig {
        FunctionConfig {
            name: "worker".to_owned(),
            program: "/bin/sh".into(),
            args: Vec::new(),
            environment: BTreeMap::new(),
            timeout: Duration::from_secs(3),
            memory_mib: 128,
            max_concurrency: 1,
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut FunctionConfig), message: &str) {
        let mut config = function();
        change(&mut config);
        assert_eq!(config.validate().unwrap_err().to_string(), message);
    }

    #[test]
    fn a_sound_function_is_accepted() {
        function().validate().unwrap();
    }

    #[test]
    fn problems_name_the_function_and_what_would_be_right() {
        check(
            |f| f.name = "a function".to_owned(),
            "invalid function name \"a function\": expected 1 to 64 letters, digits, - and _",
        );
        check(
            |f| f.program = "/nowhere/bootstrap".into(),
            "function worker: no program at /nowhere/bootstrap",
        );
        check(
            |f| f.timeout = Duration::from_mins(16),
            "function worker: expected a timeout of at most 15 minutes, got 960s",
        );
        check(
            |f| f.memory_mib = 64,
            "function worker: expected a memory of 128 to 10240 MiB, got 64",
        );
        check(
            |f| {
                f.environment
                    .insert("AWS_REGION".to_owned(), "mars-1".to_owned());
            },
            "function worker: the variable AWS_REGION is set by Lambda and cannot be configured",
        );
    }
}
