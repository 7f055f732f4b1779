//! Functions as what stands behind the gateway's routes.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use fanout_local_gateway::{Integration, IntegrationError};
use fanout_local_lambda::{InvokeError, Lambda};
use tokio::sync::Semaphore;

/// Invokes functions on behalf of the gateway.
///
/// On AWS a thousand execution environments would serve a thousand requests at
/// once. Here there are a few, and requests wait in line for one, within the
/// gateway's integration timeout, instead of being throttled.
#[derive(Clone, Debug)]
pub(super) struct Invoker {
    lambda: Lambda,
    lines: Arc<BTreeMap<String, Semaphore>>,
}

impl Invoker {
    pub(super) fn new(lambda: Lambda, concurrency: BTreeMap<String, usize>) -> Self {
        let lines = concurrency
            .into_iter()
            .map(|(function, environments)| (function, Semaphore::new(environments)));
        Self {
            lambda,
            lines: Arc::new(lines.collect()),
        }
    }
}

impl Integration for Invoker {
    async fn invoke(&self, function: &str, event: Bytes) -> Result<Bytes, IntegrationError> {
        let turn = match self.lines.get(function) {
            Some(line) => line.acquire().await.ok(),
            None => None,
        };
        let answer = self.lambda.invoke(function, event).await;
        drop(turn);
        answer.map_err(|error| match error {
            InvokeError::Throttled => IntegrationError::Throttled,
            InvokeError::TimedOut { .. } => IntegrationError::TimedOut,
            InvokeError::Failed { message, .. } => IntegrationError::Failed { message },
            other => IntegrationError::Failed {
                message: other.to_string(),
            },
        })
    }
}
