//! A function for the tests: it does what its event says, such as
//! `{"do":"sleep","ms":20}`. With the argument `broken` it ends before it asks
//! for an event, with `fleeting` as soon as it has asked.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, SystemTime};

use lambda_runtime::{Context, Error, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
enum Act {
    /// Answers `text` and the process id.
    Echo { text: String },
    /// Takes its time.
    Sleep { ms: u64 },
    /// Stands still, Runtime API included.
    Hang,
    /// Answers an error.
    Fail { message: String },
    /// Panics, which the runtime turns into an error.
    Panic,
    /// Ends the process.
    Exit { code: i32 },
    /// Answers this many bytes.
    Large { bytes: usize },
    /// Answers its variables.
    Environment,
    /// Answers what the Runtime API's headers said.
    Context,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    match std::env::args().nth(1).as_deref() {
        Some("broken") => Err("cannot start".into()),
        Some("fleeting") => poll_and_end(),
        _ => lambda_runtime::run(service_fn(handle)).await,
    }
}

fn poll_and_end() -> Result<(), Error> {
    let variables: BTreeMap<_, _> = std::env::vars().collect();
    let address = variables
        .get("AWS_LAMBDA_RUNTIME_API")
        .ok_or("no Runtime API")?;
    let mut stream = TcpStream::connect(address)?;
    let poll = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: local\r\n\r\n";
    Ok(stream.write_all(poll.as_bytes())?)
}

async fn handle(event: LambdaEvent<Act>) -> Result<Value, Error> {
    let LambdaEvent { payload, context } = event;
    match payload {
        Act::Echo { text } => Ok(json!({ "text": text, "pid": std::process::id() })),
        Act::Sleep { ms } => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok(Value::Null)
        }
        Act::Hang => loop {
            std::thread::park();
        },
        Act::Fail { message } => Err(message.into()),
        Act::Panic => panic!("the function panics"),
        Act::Exit { code } => std::process::exit(code),
        // Two of them are the quotes.
        Act::Large { bytes } => Ok("x".repeat(bytes.saturating_sub(2)).into()),
        Act::Environment => Ok(json!(std::env::vars().collect::<BTreeMap<_, _>>())),
        Act::Context => Ok(describe(&context)?),
    }
}

fn describe(context: &Context) -> Result<Value, Error> {
    let deadline = context.deadline().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(json!({
        "request_id": context.request_id,
        "deadline_ms": deadline.as_millis(),
        "arn": context.invoked_function_arn,
        "trace_id": context.xray_trace_id,
    }))
}
