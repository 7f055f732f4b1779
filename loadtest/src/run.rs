//! One run from the first connect to the report.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

pub use self::error::RunError;
use self::error::is_here;
use crate::{
    address::without_secrets,
    causes::with_causes,
    clock::Clock,
    connect::Endpoint,
    exit::Outcome,
    limits, machine,
    mark::{Mark, RunId},
    own_load::Watch,
    progress,
    publisher::{Accepted, PublishError, Publisher},
    publishing,
    reading::Reading,
    recorder::{
        Bounds, Recorder,
        measurements::{Measurements, Recorded},
    },
    recording::Recording,
    report::{AskedFor, Ledger, Origin, Report},
    settings::Settings,
    simulated::Simulated,
    subscribers::{Shared, Subscribers},
};

mod error;

/// How long the close handshakes may take altogether.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects, publishes or listens, waits for what is on its way, closes, and
/// reports.
///
/// When `interrupt` is cancelled the run goes straight to its report. With
/// `has_progress` a bar is drawn on stderr.
///
/// # Errors
/// [`RunError`] if nothing could be measured.
pub async fn run(
    settings: &Settings,
    interrupt: &CancellationToken,
    has_progress: bool,
) -> Result<Report, RunError> {
    limits::make_room(settings.subscribers, settings.sources.len())?;
    let recorder = Recorder::new(settings.subscribers, Bounds::default())
        .with_topics(settings.handshake.topics.clone())
        .with_slow_readers(settings.slow_readers);
    let recording = Arc::new(Recording::new(Clock::of_machine(), recorder));
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
    let publisher = publisher(settings)?;
    let shared = interrupt
        .run_until_cancelled(open_first(settings, publisher.as_ref(), recording))
        .await;
    let Some(opened) = shared else {
        return Ok(report(settings, recording.finish(), None, Ended::early()));
    };
    let (mut subscribers, shared) = opened?;
    let run = publisher.as_ref().map(|publishing| publishing.run);

    let measuring = async {
        subscribers
            .open_rest(settings.subscribers, settings.ramp)
            .await;
        sleep(settings.settle).await;
        let watch = Watch::start(recording.clock());
        let latest = tokio::select! {
            latest = published_or_heard(settings, publisher.as_ref(), &shared) => latest?,
            never = churn(settings, &subscribers) => match never {},
            never = watch.tick() => match never {},
        };
        let simulated = publisher
            .as_ref()
            .and_then(|publishing| publishing.simulated.as_ref());
        let drained = async {
            // Out of time: what is still on its way is missing.
            let settled = timeout(settings.drain_timeout, recording.settled());
            tokio::join!(settled, taken(settings, simulated)).1
        };
        let simulated = tokio::select! {
            taken = drained => taken?,
            never = watch.tick() => match never {},
        };
        Ok::<_, RunError>((latest, watch, simulated))
    };
    let ended = interrupt.run_until_cancelled(measuring).await;
    let mut measurements = recording.finish();
    subscribers.close(CLOSE_TIMEOUT).await;
    let Some((latest, watch, simulated)) = ended.transpose()? else {
        let run = run.or_else(|| shared.reading.run());
        return Ok(report(settings, measurements, run, Ended::early()));
    };

    let own = watch.load(measurements.counts.connected);
    measurements.recorded.own.push(own);
    if let Some(simulated) = simulated {
        let mut recorded = measurements.recorded;
        recorded.merge(&simulated);
        let curves = recorded.spread.curves();
        measurements = recorded.sum_up(&curves);
    }
    let ledger = match publisher.as_ref().zip(latest) {
        Some((publishing, latest)) => interrupt
            .run_until_cancelled(fetch_ledger(&publishing.publisher, latest))
            .await
            .flatten(),
        None => None,
    };
    let run = run.or_else(|| shared.reading.run());
    Ok(report(settings, measurements, run, Ended::with(ledger)))
}

/// What a process that publishes needs to.
struct Publishing {
    publisher: Publisher,
    simulated: Option<Simulated>,
    run: RunId,
    url: String,
}

fn publisher(settings: &Settings) -> Result<Option<Publishing>, RunError> {
    let Some(url) = &settings.publish else {
        return Ok(None);
    };
    let simulated = match &settings.simulated {
        Some(url) => {
            Some(Simulated::new(url, &settings.trust).map_err(|error| is_here(url)(error.into()))?)
        }
        None => None,
    };
    let (headers, identity) = (&settings.headers, settings.identity.clone());
    let publisher = Publisher::new(url.clone(), headers, identity, &settings.trust);
    Ok(Some(Publishing {
        publisher: publisher.map_err(|error| is_here(url)(error.into()))?,
        simulated,
        run: settings.run.unwrap_or_else(RunId::random),
        url: without_secrets(url),
    }))
}

async fn open_first(
    settings: &Settings,
    publishing: Option<&Publishing>,
    recording: &Arc<Recording>,
) -> Result<(Subscribers, Arc<Shared>), RunError> {
    if let (Some(publishing), Some(url)) = (publishing, &settings.publish) {
        publishing.publisher.probe().await.map_err(is_here(url))?;
        if let Some(simulated) = &publishing.simulated {
            let asked = simulated.subscribers().await;
            asked.map_err(|source| not_simulated(settings, source))?;
        }
    }
    let opened = async {
        let (ws, handshake) = (settings.ws.clone(), settings.handshake.clone());
        let churning = settings.churn.map_or(0, |_| settings.subscribers);
        let shared = Arc::new(Shared {
            endpoint: Endpoint::resolve(ws, handshake, &settings.sources, &settings.trust).await?,
            recording: Arc::clone(recording),
            reading: match publishing {
                Some(_) => Reading::OwnPublishes(settings.identity.clone()),
                None => Reading::listening(settings.run),
            },
            slow_readers: settings.slow_readers,
            reconnects: (0..churning).map(|_| Notify::new()).collect(),
            closing: CancellationToken::new(),
        });
        Ok((Subscribers::open_first(Arc::clone(&shared)).await?, shared))
    };
    opened.await.map_err(is_here(&settings.ws))
}

/// Publishes along the schedule, or listens for as long. Returns the latest
/// notification that was accepted.
async fn published_or_heard(
    settings: &Settings,
    publishing: Option<&Publishing>,
    shared: &Shared,
) -> Result<Option<Accepted>, RunError> {
    let Some(publishing) = publishing else {
        return tokio::select! {
            () = sleep(settings.schedule.span()) => Ok(None),
            () = shared.reading.foreign_clock() => Err(RunError::ForeignClock),
        };
    };
    let machine = machine::identity();
    let topics = settings.handshake.topics.as_ref();
    let publish = |sequence, intended| {
        let mark = Mark {
            run: publishing.run,
            machine,
            sequence,
            intended,
        };
        let topic = topics.map(|topics| topics.name(topics.of_notification(sequence)));
        let body = settings.body.of(&mark, topic);
        async move {
            let actual = shared.recording.now();
            let accepted = publishing.publisher.publish(&mark, body).await?;
            if let Some(simulated) = &publishing.simulated {
                simulated.published(sequence, &accepted.id, intended, actual);
            }
            Ok(accepted)
        }
    };
    let drive = publishing::drive(settings.schedule, &shared.recording, publish);
    drive
        .await
        .map_err(|source: PublishError| RunError::Publish {
            url: publishing.url.clone(),
            source,
        })
}

/// What the simulated subscribers took, if there are any.
async fn taken(
    settings: &Settings,
    simulated: Option<&Simulated>,
) -> Result<Option<Recorded>, RunError> {
    let Some(simulated) = simulated else {
        return Ok(None);
    };
    let taken = simulated.collect(settings.drain_timeout).await;
    taken
        .map(Some)
        .map_err(|source| not_simulated(settings, source))
}

fn not_simulated(settings: &Settings, source: PublishError) -> RunError {
    RunError::Simulated {
        url: settings
            .simulated
            .as_ref()
            .map_or_else(String::new, without_secrets),
        source,
    }
}

async fn churn(settings: &Settings, subscribers: &Subscribers) -> std::convert::Infallible {
    match settings.churn {
        Some(rate) => subscribers.churn(rate).await,
        None => std::future::pending().await,
    }
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

/// How a run came to its end.
struct Ended {
    is_interrupted: bool,
    ledger: Option<Ledger>,
}

impl Ended {
    const fn early() -> Self {
        Self {
            is_interrupted: true,
            ledger: None,
        }
    }

    const fn with(ledger: Option<Ledger>) -> Self {
        Self {
            is_interrupted: false,
            ledger,
        }
    }
}

fn report(
    settings: &Settings,
    measurements: Measurements,
    run: Option<RunId>,
    ended: Ended,
) -> Report {
    let outcome = Outcome::of(&measurements.counts, ended.is_interrupted);
    let is_missing = matches!(ended.ledger, Some(Ledger::Unavailable { .. }));
    Report {
        settings: AskedFor::from(settings),
        origin: Origin::here_and_now(),
        outcome: if is_missing {
            outcome.without_ledger()
        } else {
            outcome
        },
        run,
        measurements,
        ledger: ended.ledger,
    }
}
