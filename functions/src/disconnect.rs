//! `$disconnect`: deletes the connection. API Gateway calls it at best effort,
//! and a push that finds a connection gone does the same.

use fanout_core::aws::{self, dynamodb::Store};
use fanout_core::clock::Clock;
use fanout_core::store::Forget;
use lambda_runtime::Error;
use tracing::info;

use crate::metrics::{Line, Metric, Metrics};
use crate::websocket::{Request, Response, connection_of, respond};
use crate::{runtime, settings};

/// Deletes connections that were closed.
#[derive(Clone, Debug)]
pub struct Disconnect<R> {
    /// Where connections are stored.
    pub registry: R,
    /// Where it is told.
    pub metrics: Metrics,
}

impl<R: Forget> Disconnect<R> {
    /// Handles a DISCONNECT event.
    ///
    /// # Errors
    /// The connection could not be deleted; a push will find it gone.
    pub async fn handle(&self, event: &Request) -> Result<Response, Error> {
        let context = &event.request_context;
        let closed = connection_of(context)?;
        self.registry
            .forget(std::slice::from_ref(&closed), None)
            .await?;
        info!(
            connection_id = %closed.connection_id,
            code = context.disconnect_status_code,
            reason = context.disconnect_reason.as_deref(),
            "connection closed"
        );
        let mut line = Line::default();
        line.count(Metric::ConnectionsClosed, 1);
        self.metrics.write(line);
        Ok(respond(200, None))
    }
}

/// Runs the function.
///
/// # Errors
/// See [`crate::run`].
pub async fn run() -> Result<(), Error> {
    let started = runtime::start(settings::store)?;
    let config = aws::load_config().await;
    let disconnect = Disconnect {
        registry: Store::new(&config, started.settings, Clock::System),
        metrics: started.metrics,
    };
    let disconnect = &disconnect;
    runtime::serve(|event| async move { disconnect.handle(&event.payload).await }).await
}

#[cfg(test)]
mod tests {
    use fanout_core::connection::Connection;
    use fanout_core::memory::MemoryStore;
    use fanout_core::store::Registry as _;
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::websocket::tests::event;

    async fn disconnect_one_opened_at(milliseconds: i64) -> usize {
        let store = MemoryStore::new(Clock::starting_at(Timestamp::UNIX_EPOCH), 4);
        let connection = Connection {
            id: "TXzPWdnOjoECGjA=".into(),
            connected_at: Timestamp::from_millisecond(milliseconds).unwrap(),
            expires_at: Timestamp::MAX,
            user_id: None,
            org_id: None,
            topics: Vec::new(),
        };
        store.open(&connection).await.unwrap();
        let registry = store.clone();
        let event = event("$disconnect", &json!({}));
        let (metrics, written) = crate::metrics::tests::recording(Clock::System);
        let disconnect = Disconnect { registry, metrics };
        let response = disconnect.handle(&event).await.unwrap();
        assert_eq!(response.status_code, 200);
        assert_eq!(written.take_figures(), json!({"ConnectionsClosed": 1}));
        store.connection_ids().len()
    }

    #[tokio::test]
    async fn a_closed_connection_is_deleted() {
        assert_eq!(disconnect_one_opened_at(1_700_000_000_000).await, 0);
    }

    #[tokio::test]
    async fn a_later_life_of_the_same_id_is_kept() {
        assert_eq!(disconnect_one_opened_at(1_700_000_000_999).await, 1);
    }
}
