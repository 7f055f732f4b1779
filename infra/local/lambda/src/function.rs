//! A function's environments: which are idle, who gets the next invocation.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot};
use uuid::Uuid;

use crate::config::FunctionConfig;
use crate::environment::{self, process};
use crate::error::InvokeError;
use crate::host::Shared;

/// One environment of a function, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentInfo {
    /// Its number, as its log lines have it; counted from 1 for each function.
    pub id: u64,
    /// Its process.
    pub pid: u32,
    /// Whether an invocation is running in it.
    pub is_busy: bool,
    /// How many invocations it has been given.
    pub invocations: u64,
    /// How long it took from the start of its process until that asked for its
    /// first event; `None` until then.
    pub init_duration: Option<Duration>,
    /// The most memory that its process has held at once (`VmHWM`), where the
    /// operating system tells.
    pub peak_memory_bytes: Option<u64>,
}

/// A function and its environments.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) config: FunctionConfig,
    pub(crate) shared: Arc<Shared>,
    permits: Arc<Semaphore>,
    pool: Mutex<Pool>,
}

/// Holds the concurrency permit, so that whoever has the invocation decides
/// when its place is free again.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) request_id: String,
    pub(crate) payload: Bytes,
    /// The tracing header that it came with.
    pub(crate) trace: Option<String>,
    /// Whether an environment was started for it, there being no idle one.
    pub(crate) has_started_environment: bool,
    answer: oneshot::Sender<Result<Bytes, InvokeError>>,
    permit: OwnedSemaphorePermit,
}

/// Where an idle environment waits for its next invocation.
pub(crate) type Offer = oneshot::Receiver<Invocation>;

/// Tells whoever warmed an environment how its start went.
pub(crate) type Warmed = oneshot::Sender<Result<(), InvokeError>>;

/// What an environment's task tells about it.
#[derive(Debug, Default)]
pub(crate) struct Status {
    /// 0 before the process has been started.
    pub(crate) pid: AtomicU32,
    pub(crate) invocations: AtomicU64,
    /// Set once the process has asked for its first event.
    pub(crate) init_duration: OnceLock<Duration>,
}

#[derive(Debug, Default)]
struct Pool {
    is_closed: bool,
    last_id: u64,
    /// The most recently used last.
    idle: Vec<(u64, oneshot::Sender<Invocation>)>,
    /// Busy or idle.
    alive: BTreeMap<u64, Arc<Status>>,
}

impl Invocation {
    /// Frees the place before the answer is known, so that whoever has the
    /// answer finds the place free.
    pub(crate) fn answer(self, answer: Result<Bytes, InvokeError>) {
        drop(self.permit);
        // Nobody waits any more where the caller has gone away.
        let _ = self.answer.send(answer);
    }
}

impl Function {
    pub(crate) fn new(config: FunctionConfig, shared: Arc<Shared>) -> Self {
        let permits = config.max_concurrency.min(Semaphore::MAX_PERMITS);
        Self {
            config,
            shared,
            permits: Arc::new(Semaphore::new(permits)),
            pool: Mutex::default(),
        }
    }

    pub(crate) fn arn(&self) -> String {
        let host = &self.shared.config;
        let (region, account, name) = (&host.region, &host.account_id, &self.config.name);
        format!("arn:aws:lambda:{region}:{account}:function:{name}")
    }

    pub(crate) async fn invoke(self: &Arc<Self>, payload: Bytes) -> Result<Bytes, InvokeError> {
        let permit = Arc::clone(&self.permits).try_acquire_owned();
        let permit = permit.map_err(|error| match error {
            TryAcquireError::NoPermits => InvokeError::Throttled,
            TryAcquireError::Closed => InvokeError::ShuttingDown,
        })?;
        self.invoke_with(permit, payload, None).await
    }

    pub(crate) async fn invoke_in_turn(
        self: &Arc<Self>,
        payload: Bytes,
        trace: Option<&str>,
    ) -> Result<Bytes, InvokeError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_closed| InvokeError::ShuttingDown)?;
        self.invoke_with(permit, payload, trace).await
    }

    async fn invoke_with(
        self: &Arc<Self>,
        permit: OwnedSemaphorePermit,
        payload: Bytes,
        trace: Option<&str>,
    ) -> Result<Bytes, InvokeError> {
        let (answer, answered) = oneshot::channel();
        self.dispatch(Invocation {
            request_id: Uuid::new_v4().to_string(),
            payload,
            trace: trace.map(ToOwned::to_owned),
            has_started_environment: false,
            answer,
            permit,
        });
        answered.await.unwrap_or(Err(InvokeError::ShuttingDown))
    }

    /// Hands an invocation to the most recently used idle environment, or to a
    /// new one.
    pub(crate) fn dispatch(self: &Arc<Self>, mut invocation: Invocation) {
        let mut pool = self.pool();
        while let Some((_, idle)) = pool.idle.pop() {
            match idle.send(invocation) {
                Ok(()) => return,
                // It has just ended.
                Err(untaken) => invocation = untaken,
            }
        }
        let untaken = if pool.is_closed {
            Some(invocation)
        } else {
            invocation.has_started_environment = true;
            let (_, started) = self.start_environment(&mut pool, None);
            started.send(invocation).err()
        };
        drop(pool);
        if let Some(untaken) = untaken {
            untaken.answer(Err(InvokeError::ShuttingDown));
        }
    }

    pub(crate) async fn warm(self: &Arc<Self>) -> Result<(), InvokeError> {
        let ready = {
            let mut pool = self.pool();
            if pool.is_closed {
                return Err(InvokeError::ShuttingDown);
            }
            if !pool.alive.is_empty() || self.config.max_concurrency == 0 {
                return Ok(());
            }
            let (warmed, ready) = oneshot::channel();
            let started = self.start_environment(&mut pool, Some(warmed));
            pool.idle.push(started);
            ready
        };
        ready.await.unwrap_or(Err(InvokeError::ShuttingDown))
    }

    /// Puts an environment back among the idle ones. `None`: it is to end.
    pub(crate) fn release(&self, id: u64) -> Option<Offer> {
        let mut pool = self.pool();
        if pool.is_closed {
            return None;
        }
        let (sender, offer) = oneshot::channel();
        pool.idle.push((id, sender));
        Some(offer)
    }

    /// Strikes an environment that has ended off the lists.
    pub(crate) fn forget(&self, id: u64) {
        let mut pool = self.pool();
        pool.idle.retain(|(idle, _)| *idle != id);
        pool.alive.remove(&id);
    }

    /// Starts no environment from now on.
    pub(crate) fn close(&self) {
        self.permits.close();
        self.pool().is_closed = true;
    }

    pub(crate) fn environments(&self) -> Vec<EnvironmentInfo> {
        let pool = self.pool();
        let info = |(id, status): (&u64, &Arc<Status>)| {
            let pid = status.pid.load(Ordering::Relaxed);
            (pid != 0).then(|| EnvironmentInfo {
                id: *id,
                pid,
                is_busy: !pool.idle.iter().any(|(idle, _)| idle == id),
                invocations: status.invocations.load(Ordering::Relaxed),
                init_duration: status.init_duration.get().copied(),
                peak_memory_bytes: process::peak_memory_bytes(pid),
            })
        };
        pool.alive.iter().filter_map(info).collect()
    }

    /// Under the pool's lock, so that none is started once the pool is closed.
    fn start_environment(
        self: &Arc<Self>,
        pool: &mut Pool,
        warmed: Option<Warmed>,
    ) -> (u64, oneshot::Sender<Invocation>) {
        pool.last_id += 1;
        let id = pool.last_id;
        let status = Arc::new(Status::default());
        pool.alive.insert(id, Arc::clone(&status));
        let (sender, offer) = oneshot::channel();
        let environment = environment::run(Arc::clone(self), id, status, offer, warmed);
        self.shared.environments.spawn(environment);
        (id, sender)
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        // The lists are whole between any two statements that change them.
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
