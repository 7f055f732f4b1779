//! The Lambda function `canary`: sends a notification to a socket of its own,
//! as often as a schedule asks for it, and fails where it is lost.

use std::io::Write as _;

use fanout_core::clock::Clock;
use fanout_core::settings::Reader;
use fanout_ops::canary::settings::Settings;
use fanout_ops::canary::{Flight, Lost, fly, metrics};
use fanout_ops::causes::with_causes;
use fanout_ops::deployment::Deployment;
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
async fn handle(settings: &Settings) -> Result<Value, Error> {
    let now = Clock::System.now();
    let Settings { ws, publish, .. } = settings;
    let token = settings.tokens.token(now);
    let deployment = Deployment::new(ws.clone(), publish, token, settings.patience)?;
    let flown = fly(&deployment).await;
    if let Some(namespace) = &settings.metrics_namespace {
        let line = metrics::line(namespace, now, &flown);
        writeln!(std::io::stdout(), "{line}")?;
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
