//! An execution environment: one process, one Runtime API, one event at a time.

mod log;
pub(crate) mod process;
mod runtime_api;
mod trace;

use std::net::Ipv4Addr;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use self::process::Process;
use self::runtime_api::{Acknowledgement, Call, Event};
use crate::error::InvokeError;
use crate::function::{Function, Invocation, Offer, Status, Warmed};

/// How long a process may take, beyond its function's timeout, until it asks
/// for its first event. On AWS the first start has these 10 seconds, and a
/// second one the function's timeout; here one start has both.
///
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// Runs an environment from the start of its process to its end.
///
/// `offer` brings its first invocation, which may be there already. Each
/// environment has a listener of its own, because `AWS_LAMBDA_RUNTIME_API` is
/// a host and a port: there is no other way to tell whose request it is.
pub(crate) async fn run(
    function: Arc<Function>,
    id: u64,
    status: Arc<Status>,
    offer: Offer,
    warmed: Option<Warmed>,
) {
    let started = Instant::now();
    let ending = match start(&function, id).await {
        Ok((listener, process)) => {
            status.pid.store(process.pid(), Ordering::Relaxed);
            let (router, calls) = runtime_api::router();
            let mut environment = Environment {
                function: Arc::clone(&function),
                id,
                status,
                process,
                calls,
                poll: None,
                started,
                is_initialization_reported: false,
                is_known_to_exceed_memory: false,
            };
            let ending = tokio::select! {
                ending = environment.live(offer, warmed) => ending,
                // Accepting never ends.
                _ = axum::serve(listener, router).into_future() => Ending::Unneeded,
            };
            environment.process.stop().await;
            ending
        }
        Err(error) => refuse(error, offer, warmed),
    };
    function.forget(id);
    match ending {
        Ending::Unneeded => {}
        Ending::Untaken(invocation) => function.dispatch(invocation),
        Ending::Failed(invocation, error) => invocation.answer(Err(error)),
    }
}

struct Environment {
    function: Arc<Function>,
    id: u64,
    status: Arc<Status>,
    process: Process,
    calls: mpsc::Receiver<Call>,
    /// The process's poll for its next event, while it waits.
    poll: Option<oneshot::Sender<Event>>,
    /// When its process was about to be started.
    started: Instant,
    /// Whether it has been reported how long the cold start took.
    is_initialization_reported: bool,
    /// Whether it has been reported to use more memory than the function has.
    is_known_to_exceed_memory: bool,
}

/// How an environment came to its end.
enum Ending {
    /// No invocation was there.
    Unneeded,
    /// The process ended before it took this invocation, which may go to
    /// another one.
    Untaken(Invocation),
    /// The process is of no use after this invocation.
    Failed(Invocation, InvokeError),
}

enum Outcome {
    /// The function answered; the environment can be used again.
    Answered(Result<Bytes, InvokeError>),
    /// The process ended before it took the event.
    Untaken(Option<ExitStatus>),
    Failed(InvokeError),
}

enum Happening {
    Call(Call),
    Exited(Option<ExitStatus>),
    TimeUp,
    Killed,
}

impl Environment {
    async fn live(&mut self, mut offer: Offer, warmed: Option<Warmed>) -> Ending {
        if let Err(error) = self.initialize().await {
            return refuse(error, offer, warmed);
        }
        if let Some(warmed) = warmed {
            // Nobody waits any more where the caller has gone away.
            let _ = warmed.send(Ok(()));
        }
        loop {
            let Some(invocation) = self.idle(offer).await else {
                return Ending::Unneeded;
            };
            let started = Instant::now();
            let outcome = self.invoke(&invocation, started).await;
            self.report(&invocation, started.elapsed());
            match outcome {
                Outcome::Answered(answer) => {
                    let next_offer = self.function.release(self.id);
                    invocation.answer(answer);
                    match next_offer {
                        Some(next_offer) => offer = next_offer,
                        None => return Ending::Unneeded,
                    }
                }
                // Another start would end in the same way.
                Outcome::Untaken(status) if invocation.has_started_environment => {
                    return Ending::Failed(invocation, InvokeError::Exited { status });
                }
                Outcome::Untaken(_) => return Ending::Untaken(invocation),
                Outcome::Failed(error) => return Ending::Failed(invocation, error),
            }
        }
    }

    /// Waits until the process asks for its first event.
    async fn initialize(&mut self) -> Result<(), InvokeError> {
        let limit = INIT_LIMIT + self.function.config.timeout;
        loop {
            match self.next(Some(self.started + limit)).await {
                Happening::Call(Call::Next { event }) => {
                    self.poll = Some(event);
                    // This is the only place that sets it, and it is left.
                    let _ = self.status.init_duration.set(self.started.elapsed());
                    return Ok(());
                }
                Happening::Call(Call::InitError { error, ack }) => {
                    let _ = ack.send(Acknowledgement::Accepted);
                    return Err(error);
                }
                Happening::Call(call) => call.refuse(),
                Happening::Exited(status) => return Err(InvokeError::Exited { status }),
                Happening::TimeUp => return Err(InvokeError::TimedOut { after: limit }),
                Happening::Killed => return Err(InvokeError::ShuttingDown),
            }
        }
    }

    /// Waits for the next invocation. `None`: the environment is to end.
    async fn idle(&mut self, mut offer: Offer) -> Option<Invocation> {
        let stopping = self.function.shared.stopping.clone();
        let cooled_down = sleep(self.function.shared.config.idle_timeout);
        tokio::pin!(cooled_down);
        loop {
            tokio::select! {
                biased;
                invocation = &mut offer => return invocation.ok(),
                () = stopping.cancelled() => break,
                () = &mut cooled_down => break,
                happening = self.next(None) => match happening {
                    Happening::Call(Call::Next { event }) => self.poll = Some(event),
                    Happening::Call(call) => call.refuse(),
                    Happening::Exited(_) | Happening::TimeUp | Happening::Killed => break,
                },
            }
        }
        // One may have come in the same moment.
        offer.close();
        offer.try_recv().ok()
    }

    /// Gives the process the event and waits for its answer.
    async fn invoke(&mut self, invocation: &Invocation, started: Instant) -> Outcome {
        if self.process.has_ended() {
            return Outcome::Untaken(self.process.wait().await);
        }
        let timeout = self.function.config.timeout;
        let deadline = started + timeout;
        let kill_at = self.draw_kill().map(|delay| deadline.min(started + delay));
        let mut is_taken = false;
        loop {
            if !is_taken && let Some(poll) = self.poll.take() {
                let event = Event::new(&self.function, invocation, deadline);
                // Refused where the process has given up polling: it polls anew.
                is_taken = poll.send(event).is_ok();
                if is_taken {
                    self.status.invocations.fetch_add(1, Ordering::Relaxed);
                }
            }
            match self.next(Some(kill_at.unwrap_or(deadline))).await {
                Happening::Call(Call::Next { event }) if !is_taken => self.poll = Some(event),
                Happening::Call(Call::Answer {
                    request_id,
                    answer,
                    ack,
                }) if is_taken && request_id == invocation.request_id => {
                    if kill_at.is_some() {
                        return Outcome::Failed(self.kill().await);
                    }
                    let _ = ack.send(Acknowledgement::of(&answer));
                    return Outcome::Answered(answer);
                }
                Happening::Call(call) => call.refuse(),
                Happening::Exited(status) if !is_taken => return Outcome::Untaken(status),
                Happening::Exited(status) => {
                    return Outcome::Failed(InvokeError::Exited { status });
                }
                Happening::TimeUp if kill_at.is_some() => {
                    return Outcome::Failed(self.kill().await);
                }
                Happening::TimeUp => {
                    return Outcome::Failed(InvokeError::TimedOut { after: timeout });
                }
                Happening::Killed => return Outcome::Failed(InvokeError::ShuttingDown),
            }
        }
    }

    async fn next(&mut self, time_up: Option<Instant>) -> Happening {
        let time_up = async {
            match time_up {
                Some(time_up) => sleep_until(time_up).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // A process may answer and end: the answer counts.
            biased;
            Some(call) = self.calls.recv() => Happening::Call(call),
            status = self.process.wait() => Happening::Exited(status),
            () = self.function.shared.killing.cancelled() => Happening::Killed,
            () = time_up => Happening::TimeUp,
        }
    }

    /// Decides whether this invocation's process is to be killed, and how long
    /// after its start: 1 to 64 ms, evenly on a logarithmic scale so that short
    /// and long invocations are hit alike. One that answers earlier is killed
    /// on its answer, so that its work is done and nobody learns of it.
    fn draw_kill(&self) -> Option<Duration> {
        let shared = &self.function.shared;
        if !shared.config.kill_function.strikes() {
            return None;
        }
        let nth = shared.kills.fetch_add(1, Ordering::Relaxed);
        let exponent = fastrand::Rng::with_seed(nth).u32(0..=6);
        Some(Duration::from_millis(1 << exponent))
    }

    async fn kill(&mut self) -> InvokeError {
        let status = self.process.kill().await;
        tracing::warn!(
            target: "lambda",
            function = self.function.config.name,
            environment = self.id,
            "process killed by the fault plan"
        );
        InvokeError::Exited { status }
    }

    /// Says what the `REPORT` line of Lambda's own log says.
    fn report(&mut self, invocation: &Invocation, duration: Duration) {
        let config = &self.function.config;
        let is_first = !std::mem::replace(&mut self.is_initialization_reported, true);
        let init_duration = self.status.init_duration.get().filter(|_| is_first);
        let max_memory_mib =
            process::peak_memory_bytes(self.process.pid()).map(|bytes| bytes.div_ceil(1024 * 1024));
        tracing::debug!(
            target: "lambda",
            function = config.name,
            environment = self.id,
            request_id = invocation.request_id,
            duration_ms = duration.as_secs_f64() * 1000.0,
            init_duration_ms = init_duration.map(|init| init.as_secs_f64() * 1000.0),
            max_memory_mib,
            "report"
        );
        let exceeds_memory = max_memory_mib.is_some_and(|used| used > u64::from(config.memory_mib));
        if exceeds_memory && !self.is_known_to_exceed_memory {
            self.is_known_to_exceed_memory = true;
            tracing::warn!(
                target: "lambda",
                function = config.name,
                environment = self.id,
                max_memory_mib,
                memory_mib = config.memory_mib,
                "function uses more memory than it has; Lambda would have ended it"
            );
        }
    }
}

async fn start(function: &Function, id: u64) -> Result<(TcpListener, Process), InvokeError> {
    let started = async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let process = Process::start(&function.config, &function.shared.config, id, address)?;
        Ok((listener, process))
    };
    started.await.map_err(|source| InvokeError::NotStarted {
        program: function.config.program.clone(),
        source: Arc::new(source),
    })
}

/// Ends an environment that never came to be, telling whoever waits for it.
fn refuse(error: InvokeError, mut offer: Offer, warmed: Option<Warmed>) -> Ending {
    if let Some(warmed) = warmed {
        // Nobody waits any more where the caller has gone away.
        let _ = warmed.send(Err(error.clone()));
    }
    offer.close();
    match offer.try_recv() {
        Ok(invocation) => Ending::Failed(invocation, error),
        Err(_) => Ending::Unneeded,
    }
}
