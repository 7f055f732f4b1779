//! Requests to the local stack.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::time::timeout;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// An HTTP client with kept-alive connections.
#[derive(Clone, Debug)]
pub(crate) struct Client(HyperClient<HttpConnector, Full<Bytes>>);

/// A status, and the body where it is JSON.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Answer {
    /// The body of a success.
    ///
    /// # Errors
    /// The answer is none.
    pub(crate) fn success(self) -> anyhow::Result<Value> {
        let Self { status, body } = self;
        anyhow::ensure!(status.is_success(), "answered {status}: {body}");
        Ok(body)
    }
}

impl Client {
    pub(crate) fn new() -> Self {
        Self(HyperClient::builder(TokioExecutor::new()).build_http())
    }

    /// Gets `url`.
    pub(crate) async fn get(&self, url: &str) -> anyhow::Result<Answer> {
        self.send(Method::GET, url, &[], String::new()).await
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// There is no answer, or none in time.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> anyhow::Result<Answer> {
        let asking = || format!("{method} {url}");
        let mut request = Request::builder().method(&method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(body)).with_context(asking)?;
        let exchange = async {
            let answer = self.0.request(request).await?;
            let status = answer.status();
            let body = answer.into_body().collect().await?.to_bytes();
            let body = serde_json::from_slice(&body).unwrap_or_default();
            anyhow::Ok(Answer { status, body })
        };
        let answered = timeout(PATIENCE, exchange).await;
        answered.with_context(asking)?.with_context(asking)
    }
}
