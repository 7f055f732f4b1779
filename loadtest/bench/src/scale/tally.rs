//! Counts what functions ask of the tables and the queues, on the way there.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;
use std::ops::AddAssign;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::stack::Addresses;

/// The largest request that is passed on, and more than either service takes:
/// DynamoDB 16 MB in a batch, SQS 1 MiB.
const MAX_REQUEST_BYTES: usize = 16 * 1_024 * 1_024;

/// Requests by their operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Requests(BTreeMap<String, u64>);

impl Requests {
    /// Of all operations.
    pub(crate) fn sum(&self) -> u64 {
        self.0.values().sum()
    }

    /// Those that came after an `earlier` count.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let counts = self.0.iter().filter_map(|(operation, count)| {
            let before = earlier.0.get(operation).copied().unwrap_or_default();
            let since = count.saturating_sub(before);
            (since > 0).then(|| (operation.clone(), since))
        });
        Self(counts.collect())
    }

    fn count(&mut self, operation: &str) {
        *self.0.entry(operation.to_owned()).or_default() += 1;
    }
}

impl Display for Requests {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let counts = self.0.iter();
        let counts = counts.map(|(operation, count)| format!("{count} {operation}"));
        f.write_str(&counts.collect::<Vec<_>>().join(", "))
    }
}

impl AddAssign for Requests {
    fn add_assign(&mut self, other: Self) {
        for (operation, count) in other.0 {
            *self.0.entry(operation).or_default() += count;
        }
    }
}

/// A tally of DynamoDB and one of SQS. Dropped, they stop.
pub(super) struct Tallies {
    pub(super) dynamodb: Tally,
    pub(super) sqs: Tally,
    _serving: JoinSet<()>,
}

impl Tallies {
    /// Listens on free ports.
    ///
    /// # Errors
    /// There are none.
    pub(super) async fn start() -> anyhow::Result<Self> {
        let mut serving = JoinSet::new();
        Ok(Self {
            dynamodb: Tally::start(&mut serving).await?,
            sqs: Tally::start(&mut serving).await?,
            _serving: serving,
        })
    }

    /// The variables with which functions ask here.
    pub(super) fn environment(&self) -> [String; 2] {
        [("DYNAMODB", &self.dynamodb), ("SQS", &self.sqs)]
            .map(|(service, tally)| format!("AWS_ENDPOINT_URL_{service}=http://{}", tally.address))
    }

    /// Passes on to a stack from now on.
    ///
    /// # Errors
    /// They do so already.
    pub(super) fn lead_to(&self, addresses: &Addresses) -> anyhow::Result<()> {
        for (tally, upstream) in [
            (&self.dynamodb, &addresses.dynamodb),
            (&self.sqs, &addresses.sqs),
        ] {
            let upstream: Uri = upstream.parse().context("an address of the stack")?;
            let set = tally.shared.upstream.set(upstream);
            set.ok().context("requests are passed on already")?;
        }
        Ok(())
    }
}

/// Counts the requests to one service.
pub(super) struct Tally {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: OnceLock<Uri>,
    client: Client<HttpConnector, Full<Bytes>>,
    requests: Mutex<Requests>,
}

impl Tally {
    async fn start(serving: &mut JoinSet<()>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let shared = Arc::new(Shared {
            upstream: OnceLock::new(),
            client: Client::builder(TokioExecutor::new()).build(connector),
            requests: Mutex::default(),
        });
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        // Without this the end of a page waits until its beginning is acknowledged,
        // some 40 ms. Should it fail, that is all there is to it.
        let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
        serving.spawn(async move {
            // It serves until it is dropped, and accepting does not fail.
            let _ended = axum::serve(listener, router).await;
        });
        Ok(Self { address, shared })
    }

    /// What was asked until now.
    pub(super) fn read(&self) -> Requests {
        self.shared.requests().clone()
    }
}

impl Shared {
    fn requests(&self) -> std::sync::MutexGuard<'_, Requests> {
        let requests = self.requests.lock();
        requests.unwrap_or_else(PoisonError::into_inner)
    }

    async fn pass_on(&self, request: Request) -> anyhow::Result<Response> {
        let upstream = self.upstream.get().context("there is no stack yet")?;
        let (mut head, body) = request.into_parts();
        let mut parts = upstream.clone().into_parts();
        parts.path_and_query = head.uri.into_parts().path_and_query;
        head.uri = Uri::from_parts(parts)?;
        let body = to_bytes(body, MAX_REQUEST_BYTES).await?;
        let request = Request::from_parts(head, Full::from(body));
        Ok(self.client.request(request).await?.map(Body::new))
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    if let Some(operation) = operation(request.headers()) {
        shared.requests().count(operation);
    }
    let passed_on = shared.pass_on(request).await;
    passed_on
        .unwrap_or_else(|error| (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response())
}

/// What a request of AWS's JSON protocol asks for: `Scan` in
/// `x-amz-target: DynamoDB_20120810.Scan`.
fn operation(headers: &HeaderMap) -> Option<&str> {
    let target = headers.get("x-amz-target")?.to_str().ok()?;
    target.rsplit_once('.').map(|(_, operation)| operation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;

    #[tokio::test]
    async fn requests_are_counted_and_passed_on() {
        let (service, tallies) = (
            Tallies::start().await.unwrap(),
            Tallies::start().await.unwrap(),
        );
        // What is passed on to is a tally too, which has nowhere to go.
        let upstream = format!("http://{}", service.dynamodb.address);
        let addresses = Addresses {
            http: String::new(),
            ws: String::new(),
            dynamodb: upstream.clone(),
            sqs: upstream,
        };
        tallies.lead_to(&addresses).unwrap();
        assert!(tallies.lead_to(&addresses).is_err());
        let [variable, _] = tallies.environment();
        let url = variable.strip_prefix("AWS_ENDPOINT_URL_DYNAMODB=").unwrap();
        for operation in ["Scan", "Query", "Scan"] {
            let target = format!("DynamoDB_20120810.{operation}");
            let headers = [("x-amz-target", target.as_str())];
            let sending = Client::new();
            let sending = sending.send(http::Method::POST, url, &headers, "{}".to_owned());
            assert_eq!(sending.await.unwrap().status, StatusCode::BAD_GATEWAY);
        }
        let counted = tallies.dynamodb.read();
        assert_eq!(service.dynamodb.read(), counted);
        assert_eq!((counted.sum(), counted.0["Scan"]), (3, 2));
        assert_eq!(tallies.sqs.read(), Requests::default());
    }

    #[test]
    fn only_what_came_later_is_counted() {
        let requests = |counts: &[(&str, u64)]| {
            let counts = counts.iter();
            Requests(
                counts
                    .map(|(name, count)| ((*name).to_owned(), *count))
                    .collect(),
            )
        };
        let earlier = requests(&[("Scan", 2), ("Query", 1)]);
        let later = requests(&[("Scan", 5), ("Query", 1), ("PutItem", 4)]);
        let mut since = later.since(&earlier);
        assert_eq!(since, requests(&[("Scan", 3), ("PutItem", 4)]));
        since += requests(&[("Scan", 1), ("Query", 1)]);
        assert_eq!(since.sum(), 9);
        assert_eq!(since.to_string(), "4 PutItem, 1 Query, 4 Scan");
    }
}
