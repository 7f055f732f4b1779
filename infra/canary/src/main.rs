//! The Lambda function `canary`: sends a notification to a socket of its own,
//! as often as a schedule asks for it, and fails where it is lost.

use std::io::Write as _;

use fanout_core::clock::Clock;
use fanout_core::settings::Reader;
use fanout_ops::canary::settings::Settings;
use fanout_ops::canary::{Flight, Lost, fly, log};
use fanout_ops::causes::with_causes;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut reader = Reader::of_process();
    let settings = Settings::read(&mut reader);
    let settings = &reader.finish(settings)?;
    lambda_runtime::run(service_fn(|_: LambdaEvent<Value>| handle(settings))).await
}

/// Flies once; what the schedule says does not matter.
///
/// The runtime logs by `tracing` alone, to which nobody listens here: what went
/// wrong is printed before it is returned.
async fn handle(settings: &Settings) -> Result<Value, Error> {
    let now = Clock::System.now();
    let flown = match settings.deployment(now) {
        Ok(deployment) => fly(&deployment).await,
        Err(error) => Err(Lost::Certificates(error)),
    };
    let mut stdout = std::io::stdout().lock();
    for line in log::lines(settings.metrics_namespace.as_deref(), now, &flown) {
        writeln!(stdout, "{line}")?;
    }
    told(flown)
}

/// What the invocation returns, for whoever invokes it by hand.
fn told(flown: Result<Flight, Lost>) -> Result<Value, Error> {
    match flown {
        Ok(flight) => Ok(flight.to_string().into()),
        Err(lost) => Err(with_causes(&lost).into()),
    }
}
