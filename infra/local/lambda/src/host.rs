//! The host: the functions by name, and their common end.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::MAX_REQUEST_BYTES;
use crate::config::{FunctionConfig, HostConfig};
use crate::error::{InvokeError, StartError};
use crate::function::{EnvironmentInfo, Function};

/// A Lambda host. Clones share it.
///
/// When the last clone is dropped every process is killed;
/// [`Lambda::shutdown`] is the gentle way, and the one that can be waited for.
/// Should the host itself be killed, each process ends as soon as it next
/// speaks to its Runtime API, which an idle one does all the time.
#[derive(Clone, Debug)]
pub struct Lambda {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    functions: BTreeMap<String, Arc<Function>>,
    shared: Arc<Shared>,
    _kill_on_drop: DropGuard,
}

/// What the functions of a host share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: HostConfig,
    /// Environments end as soon as they are idle.
    pub(crate) stopping: CancellationToken,
    /// Environments end at once.
    pub(crate) killing: CancellationToken,
    /// A task for each environment.
    pub(crate) environments: TaskTracker,
    /// How often [`HostConfig::kill_function`] has struck.
    pub(crate) kills: AtomicU64,
}

impl Lambda {
    /// Makes a host for `functions`. No process is started before
    /// [`Lambda::warm`] or the first invocation.
    ///
    /// # Errors
    /// If a function is configured in a way that Lambda would refuse, or its
    /// program does not exist.
    pub fn start(functions: Vec<FunctionConfig>, config: HostConfig) -> Result<Self, StartError> {
        let killing = CancellationToken::new();
        let shared = Arc::new(Shared {
            config,
            stopping: CancellationToken::new(),
            killing: killing.clone(),
            environments: TaskTracker::new(),
            kills: AtomicU64::new(0),
        });
        let mut by_name = BTreeMap::new();
        for function in functions {
            function.validate()?;
            match by_name.entry(function.name.clone()) {
                Entry::Vacant(entry) => {
                    entry.insert(Arc::new(Function::new(function, Arc::clone(&shared))));
                }
                Entry::Occupied(entry) => {
                    let name = entry.key().clone();
                    return Err(StartError::DuplicateName { name });
                }
            }
        }
        let inner = Inner {
            functions: by_name,
            shared,
            _kill_on_drop: killing.drop_guard(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Invokes a function and waits for its answer (`RequestResponse`); over
    /// the reserved concurrency the invocation is throttled.
    ///
    /// `payload` and answer are JSON, as far as the function wants it; the host
    /// looks at neither.
    ///
    /// # Cancel safety
    /// The invocation goes on when the caller stops waiting for it, as on AWS.
    pub async fn invoke(&self, function: &str, payload: Bytes) -> Result<Bytes, InvokeError> {
        self.accept(function, &payload)?.invoke(payload).await
    }

    /// Invokes a function as soon as its reserved concurrency allows, first
    /// come, first served. It goes on under `trace`, a tracing header, where
    /// there is one.
    ///
    /// This is for callers that would not meet the limit on AWS: there a
    /// thousand environments would serve a thousand of them at once, and one
    /// machine has a few. A function with a concurrency of 0 is never invoked.
    ///
    /// # Cancel safety
    /// A caller that stops waiting leaves the line. An invocation that has
    /// begun goes on, and keeps its place until it has ended.
    pub async fn invoke_in_turn(
        &self,
        function: &str,
        payload: Bytes,
        trace: Option<&str>,
    ) -> Result<Bytes, InvokeError> {
        let function = self.accept(function, &payload)?;
        function.invoke_in_turn(payload, trace).await
    }

    /// Starts one environment ahead of the first event, unless there is one,
    /// and waits until it is ready for events. An invocation may use it before.
    ///
    /// # Errors
    /// If the process cannot be started or fails before it asks for an event.
    pub async fn warm(&self, function: &str) -> Result<(), InvokeError> {
        self.function(function)?.warm().await
    }

    /// Lists a function's environments, oldest first; empty for a name that is
    /// not known.
    #[must_use]
    pub fn environments(&self, function: &str) -> Vec<EnvironmentInfo> {
        let function = self.inner.functions.get(function);
        function.map_or_else(Vec::new, |function| function.environments())
    }

    /// Accepts no more invocations, gives the running ones
    /// [`HostConfig::grace_period`] to end, and kills every process. None is
    /// left when this returns.
    pub async fn shutdown(&self) {
        for function in self.inner.functions.values() {
            function.close();
        }
        let shared = &self.inner.shared;
        shared.stopping.cancel();
        shared.environments.close();
        let ended = timeout(shared.config.grace_period, shared.environments.wait());
        if ended.await.is_err() {
            tracing::warn!(target: "lambda", "invocations outlast the grace period and are killed");
            shared.killing.cancel();
            shared.environments.wait().await;
        }
    }

    fn accept(&self, name: &str, payload: &Bytes) -> Result<&Arc<Function>, InvokeError> {
        let function = self.function(name)?;
        let bytes = payload.len();
        if bytes > MAX_REQUEST_BYTES {
            return Err(InvokeError::PayloadTooLarge { bytes });
        }
        Ok(function)
    }

    fn function(&self, name: &str) -> Result<&Arc<Function>, InvokeError> {
        let function = self.inner.functions.get(name);
        function.ok_or_else(|| InvokeError::UnknownFunction {
            function: name.to_owned(),
        })
    }
}
