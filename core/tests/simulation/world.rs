//! One world: its clock, its state, and how calls reach it.

use std::fmt;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fanout_core::clock::Clock;
use fanout_core::fanout;
use fanout_core::fanout::pacer::{Pacer, Share};
use fanout_core::fanout::retry::Policy;
use fanout_core::worker;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::gateway::Gateway;
use crate::queues::Queues;
use crate::script::{Fault, Script};
use crate::store::Tables;
use crate::witness::{DeliveryId, Witness};

/// How long one attempt to push may take.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(200);
/// How long before its deadline an invocation stops starting pushes.
pub(crate) const MARGIN: Duration = Duration::from_millis(500);
pub(crate) const CHECKPOINT_EVERY: Duration = Duration::from_millis(100);
pub(crate) const MAX_FAILED: u32 = 4;
pub(crate) const MAX_THROTTLED: u32 = 12;
/// The longest that a call takes which has no fault.
pub(crate) const MAX_LATENCY: Duration = Duration::from_millis(6);

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Port {
    Begin,
    Page,
    Write,
    LookUp,
    Forget,
    Send,
    Push,
}

pub(crate) struct World {
    pub(crate) script: Script,
    pub(crate) clock: Clock,
    pub(crate) started: Instant,
    /// Told when a message is sent.
    pub(crate) sent: Notify,
    state: Mutex<State>,
}

/// Everything that changes.
pub(crate) struct State {
    pub(crate) tables: Tables,
    pub(crate) gateway: Gateway,
    pub(crate) queues: Queues,
    pub(crate) witness: Witness,
    /// Whether the faults are over.
    pub(crate) is_calm: bool,
    calls: [u16; 7],
}

/// What an injected error says.
pub(crate) const INJECTED: &str = "injected";

/// The call failed; nobody can say whether it had its effect.
#[derive(Debug)]
pub(crate) struct Failed;

/// The ports, as one delivery sees them.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) world: Arc<World>,
    pub(crate) process: Arc<Process>,
    pub(crate) delivery: DeliveryId,
}

/// An execution environment: it lives on from one invocation to the next until
/// it is killed, and takes what it does with it.
pub(crate) struct Process {
    pub(crate) number: usize,
    pub(crate) pacer: Arc<Pacer>,
    pub(crate) died: Notify,
    is_dead: AtomicBool,
}

impl World {
    pub(crate) fn new(script: Script) -> Arc<Self> {
        let started = Instant::now();
        let epoch = Timestamp::from_second(1_700_000_000).unwrap();
        let state = State {
            tables: Tables::default(),
            gateway: Gateway::new(&script),
            queues: Queues::new(&script),
            witness: Witness::new(script.shape),
            is_calm: false,
            calls: [0; 7],
        };
        Arc::new(Self {
            script,
            clock: Clock::starting_at(epoch),
            started,
            sent: Notify::new(),
            state: Mutex::new(state),
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The time since the world began, as the queues and the gateway count it.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn share(&self) -> Share {
        Share {
            rate: self.script.shape.share.try_into().unwrap(),
            burst: self.script.shape.burst.try_into().unwrap(),
        }
    }

    pub(crate) fn function_timeout(&self) -> Duration {
        Duration::from_millis(self.script.shape.function_timeout_ms)
    }

    pub(crate) fn worker_settings(&self) -> worker::Settings {
        let shape = self.script.shape;
        worker::Settings {
            fanout: fanout::Settings {
                max_in_flight: shape.max_in_flight,
                max_outstanding: shape.max_outstanding,
                page_size: shape.page_size,
                retry: Policy {
                    max_failed: MAX_FAILED,
                    max_throttled: MAX_THROTTLED,
                    base: Duration::from_millis(50),
                    cap: Duration::from_millis(400),
                },
                patience: Duration::from_millis(150),
                checkpoint_every: CHECKPOINT_EVERY,
                handshake_grace: Duration::ZERO,
            },
            small_audience: shape.small_audience,
            segments: shape.segments,
            topic_shards: shape.topic_shards,
            deadline_margin: MARGIN,
        }
    }

    pub(crate) fn cold_process(&self) -> Arc<Process> {
        Arc::new(Process {
            number: self.state().witness.process_started(),
            pacer: Arc::new(Pacer::new(self.share())),
            died: Notify::new(),
            is_dead: AtomicBool::new(false),
        })
    }
}

impl State {
    /// What happens to this call.
    fn fault(&mut self, script: &Script, port: Port) -> Option<Fault> {
        let nth = self.calls[port as usize];
        self.calls[port as usize] = nth.saturating_add(1);
        let fault = script.faults.get(&(port, nth)).copied();
        fault.filter(|_| !self.is_calm)
    }
}

impl Process {
    pub(crate) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Relaxed)
    }

    pub(crate) fn kill(&self) {
        self.is_dead.store(true, Ordering::Relaxed);
        self.died.notify_one();
    }

    /// Kills the process from within: what called this never goes on.
    async fn die<T>(&self) -> T {
        self.kill();
        pending().await
    }
}

impl Client {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.world.state()
    }

    /// Makes a call that takes `latency`, and has its effect half-way there.
    ///
    /// A request that was sent has its effect, whether or not anybody lives to
    /// see the answer. `effect` gets the time at which it takes place.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        port: Port,
        effect: impl FnOnce(&mut State, Duration) -> T + Send + 'static,
    ) -> Result<T, Failed> {
        self.call_taking(port, None, effect).await
    }

    /// [`Self::call`] with a latency of its own.
    pub(crate) async fn call_taking<T: Send + 'static>(
        &self,
        port: Port,
        latency: Option<Duration>,
        effect: impl FnOnce(&mut State, Duration) -> T + Send + 'static,
    ) -> Result<T, Failed> {
        if self.process.is_dead() {
            return pending().await;
        }
        let fault = self.state().fault(&self.world.script, port);
        let mut latency = latency.unwrap_or_else(|| MAX_LATENCY.mul_f64(fastrand::f64()));
        match fault {
            Some(Fault::Death {
                takes_effect: false,
            }) => return self.process.die().await,
            Some(Fault::Slow { ms }) => latency += Duration::from_millis(ms),
            Some(Fault::Error { .. } | Fault::Death { takes_effect: true }) | None => {}
        }
        if port == Port::Push {
            // What arrives does so before the attempt ends.
            latency = latency.min(ATTEMPT_TIMEOUT * 3 / 2);
        }
        let takes_effect = !matches!(
            fault,
            Some(Fault::Error {
                takes_effect: false
            })
        );
        let world = Arc::clone(&self.world);
        let answer = tokio::spawn(async move {
            sleep(latency / 2).await;
            let now = world.now();
            let answer = takes_effect.then(|| effect(&mut world.state(), now));
            sleep(latency / 2).await;
            answer
        });
        let answer = answer.await.unwrap();
        if matches!(fault, Some(Fault::Death { .. })) {
            return self.process.die().await;
        }
        if self.process.is_dead() {
            return pending().await;
        }
        match (fault, answer) {
            (Some(Fault::Error { .. }), _) | (_, None) => Err(Failed),
            (_, Some(answer)) => Ok(answer),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.delivery).finish()
    }
}
