//! Hosts one function until it is killed: `host PROGRAM [EVENT]`.
//!
//! Prints the process id of the function's environment once it is warm, and
//! then invokes the function with the event, if there is one.

use std::collections::BTreeMap;
use std::time::Duration;

use fanout_local_lambda::{FunctionConfig, HostConfig, Lambda};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let function = FunctionConfig {
        name: "function".to_owned(),
        program: args.next().ok_or("usage: host PROGRAM [EVENT]")?.into(),
        args: Vec::new(),
        environment: BTreeMap::new(),
        timeout: Duration::from_mins(1),
        memory_mib: 128,
        max_concurrency: 1,
    };
    let lambda = Lambda::start(vec![function], HostConfig::default())?;
    lambda.warm("function").await?;
    for environment in lambda.environments("function") {
        println!("{}", environment.pid);
    }
    if let Some(event) = args.next() {
        let answer = lambda.invoke("function", event.into()).await?;
        println!("{}", String::from_utf8_lossy(&answer));
    }
    std::future::pending().await
}
