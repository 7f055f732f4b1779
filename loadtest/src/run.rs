//! One run from the first connect to the report.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    causes::with_causes,
    connect::{ConnectError, Endpoint},
    exit::Outcome,
    limits::{self, LimitError},
    progress,
    publisher::{Accepted, PublishError, Publisher},
    publishing,
    recorder::measurements::Measurements,
    recording::Recording,
    report::{Ledger, Report},
    settings::Settings,
    subscribers::Subscribers,
};

/// How long the close handshakes may take altogether.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects, publishes, waits for what is on its way, closes, and reports.
///
/// When `interrupt` is cancelled the run goes straight to its report. With
/// `has_progress` a line is written to stderr every second.
///
/// # Errors
/// [`RunError`] if nothing could be measured.
pub async fn run(
    settings: &Settings,
    interrupt: &CancellationToken,
    has_progress: bool,
) -> Result<Report, RunError> {
    limits::make_room(settings.subscribers)?;
    let recording = Arc::new(Recording::start(settings.subscribers));
    let measured = measure(settings, &recording, interrupt);
    if !has_progress {
        return measured.await;
    }
    tokio::select! {
        report = measured => report,
        never = progress::show(settings, &recording) => match never {},
    }
}

async fn measure(
    settings: &Settings,
    recording: &Arc<Recording>,
    interrupt: &CancellationToken,
) -> Result<Report, RunError> {
    let publisher = Publisher::new(
        settings.publish.clone(),
        &settings.headers,
        settings.body.clone(),
    );
    let opening = open_first(settings, &publisher, recording);
    let Some(opened) = interrupt.run_until_cancelled(opening).await else {
        return Ok(report(settings, recording.finish(), true, None));
    };
    let mut subscribers = opened?;

    let publishing = async {
        subscribers
            .open_rest(settings.subscribers, settings.ramp)
            .await;
        let publish = |sequence| {
            let publisher = &publisher;
            async move { publisher.publish(sequence).await }
        };
        let latest = publishing::drive(settings.schedule, recording, publish).await?;
        // Out of time: what is still on its way is missing.
        let _elapsed = timeout(settings.drain_timeout, recording.settled()).await;
        Ok(latest)
    };
    let ended = interrupt.run_until_cancelled(publishing).await;
    let measurements = recording.finish();
    subscribers.close(CLOSE_TIMEOUT).await;

    let is_interrupted = ended.is_none();
    let latest = ended
        .transpose()
        .map_err(|source| RunError::Publish {
            url: settings.publish.to_string(),
            source,
        })?
        .flatten();
    let ledger = match latest {
        Some(latest) => interrupt
            .run_until_cancelled(fetch_ledger(&publisher, latest))
            .await
            .flatten(),
        None => None,
    };
    Ok(report(settings, measurements, is_interrupted, ledger))
}

async fn open_first(
    settings: &Settings,
    publisher: &Publisher,
    recording: &Arc<Recording>,
) -> Result<Subscribers, RunError> {
    publisher.probe().await.map_err(|source| RunError::Reach {
        url: settings.publish.to_string(),
        source,
    })?;
    let connected = async {
        let endpoint = Endpoint::resolve(settings.ws.clone()).await?;
        Subscribers::open_first(endpoint, Arc::clone(recording)).await
    };
    connected.await.map_err(|source| RunError::Reach {
        url: settings.ws.to_string(),
        source,
    })
}

async fn fetch_ledger(publisher: &Publisher, latest: Accepted) -> Option<Ledger> {
    let location = latest.location?;
    Some(match publisher.ledger(&location).await {
        Ok(record) => Ledger::Record { location, record },
        Err(error) => Ledger::Unavailable {
            location,
            reason: with_causes(&error),
        },
    })
}

fn report(
    settings: &Settings,
    measurements: Measurements,
    is_interrupted: bool,
    ledger: Option<Ledger>,
) -> Report {
    Report {
        settings: settings.clone(),
        outcome: Outcome::of(&measurements.counts, is_interrupted),
        measurements,
        ledger,
    }
}

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// More subscribers than this machine holds.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Nobody answers at a URL.
    #[error("cannot connect to {url}")]
    Reach {
        /// The URL of the subscribers or of the publishes.
        url: String,
        /// Why not.
        #[source]
        source: ConnectError,
    },
    /// No publish will be accepted.
    #[error("cannot publish to {url}")]
    Publish {
        /// The URL of the publishes.
        url: String,
        /// Why not.
        #[source]
        source: PublishError,
    },
}
