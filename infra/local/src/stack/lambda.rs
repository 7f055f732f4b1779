//! Functions as what stands behind the gateway's routes.

use bytes::Bytes;
use fanout_local_gateway::{Integration, IntegrationError};
use fanout_local_lambda::{InvokeError, Lambda};

/// Invokes functions on behalf of the gateway, whose requests wait in line for
/// one, within its integration timeout, instead of being throttled.
#[derive(Clone, Debug)]
pub(super) struct InTurn(pub(super) Lambda);

impl Integration for InTurn {
    async fn invoke(
        &self,
        function: &str,
        event: Bytes,
        trace: Option<&str>,
    ) -> Result<Bytes, IntegrationError> {
        let answer = self.0.invoke_in_turn(function, event, trace).await;
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
