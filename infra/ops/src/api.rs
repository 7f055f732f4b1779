//! The publisher's HTTP API.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::connector::Connector;
use crate::deployment::Token;
use crate::ledger::Ledger;

/// The longest answer that is read.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// How long to wait before asking again.
const POLL: Duration = Duration::from_millis(200);

/// One request.
#[derive(Clone, Debug)]
pub struct Call {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
    with_token: bool,
}

impl Call {
    /// A request without a body; `path` begins with a slash and is escaped.
    #[must_use]
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            with_token: true,
        }
    }

    /// A POST of JSON.
    #[must_use]
    pub fn post(path: &str, body: &Value) -> Self {
        let call = Self::new(Method::POST, path).body(body.to_string());
        call.header(CONTENT_TYPE.as_str(), "application/json")
    }

    /// Sets a header, in place of one of the same name.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(set, _)| *set != name);
        self.headers.push((name, value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Shows no token.
    #[must_use]
    pub fn without_token(mut self) -> Self {
        self.with_token = false;
        self
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body: JSON, or a text where it is none.
    pub body: Value,
}

impl Answer {
    /// A header, empty where it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let header = self.headers.get(name);
        header
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

/// Why there is no answer, or not the one that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No connection, or it broke.
    #[error("the request failed")]
    Transport(#[from] hyper_util::client::legacy::Error),
    /// The request cannot be written.
    #[error("the request cannot be made")]
    Request(#[from] http::Error),
    /// The answer broke off, or is larger than a megabyte.
    #[error("the answer cannot be read")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// Another answer than one that has what was asked for.
    #[error("{request} was answered {status}: {body}")]
    Refused {
        /// The request's method and path.
        request: String,
        /// The answer's status.
        status: StatusCode,
        /// The answer's body.
        body: Value,
    },
    /// A ledger that is none.
    #[error("the ledger cannot be read: {body}")]
    NoLedger {
        /// What came in its place.
        body: Value,
        /// Why it is none.
        source: serde_json::Error,
    },
    /// A ledger whose counts do not make up `targeted`.
    #[error("the ledger does not add up: {0}")]
    DoesNotAddUp(Box<Ledger>),
    /// A ledger that stays open.
    #[error("the ledger did not close within {} s: {ledger}", after.as_secs())]
    StaysOpen {
        /// The ledger as it was last.
        ledger: Box<Ledger>,
        /// How long it was waited for.
        after: Duration,
    },
}

/// Sends requests, over kept-alive HTTP/1.1 connections.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client<Connector, Full<Bytes>>,
    base: String,
    token: Option<Token>,
    patience: Duration,
}

impl Api {
    /// Makes the client of the API at `base`, an `http` or `https` URL to which
    /// paths are appended.
    #[must_use]
    pub fn new(connector: Connector, base: &Uri, token: Option<Token>, patience: Duration) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            base: base.to_string().trim_end_matches('/').to_owned(),
            token,
            patience,
        }
    }

    /// Sends a request. While the gateway throttles (429: the request went no
    /// further), it is sent again.
    ///
    /// # Errors
    /// [`ApiError`]: there is no answer; any status is one.
    pub async fn send(&self, call: &Call) -> Result<Answer, ApiError> {
        let deadline = Instant::now() + self.patience;
        loop {
            let exchange = timeout(self.patience, self.exchange(call)).await;
            let answer = exchange.unwrap_or(Err(ApiError::TimedOut(self.patience)))?;
            if answer.status != StatusCode::TOO_MANY_REQUESTS || Instant::now() + POLL > deadline {
                return Ok(answer);
            }
            sleep(POLL).await;
        }
    }

    /// Sends a request that must be answered with this status.
    ///
    /// # Errors
    /// [`ApiError::Refused`] for any other.
    pub async fn expect(&self, call: &Call, status: StatusCode) -> Result<Answer, ApiError> {
        let answer = self.send(call).await?;
        if answer.status == status {
            return Ok(answer);
        }
        Err(ApiError::Refused {
            request: format!("{} {}", call.method, call.path),
            status: answer.status,
            body: answer.body,
        })
    }

    /// Reads a notification's ledger.
    ///
    /// # Errors
    /// There is none, or it does not add up.
    pub async fn ledger(&self, id: &str) -> Result<Ledger, ApiError> {
        let call = Call::new(Method::GET, format!("/notifications/{id}"));
        ledger_in(self.expect(&call, StatusCode::OK).await?)
    }

    /// Waits until a notification's ledger is closed.
    ///
    /// # Errors
    /// It stays open for longer than the patience lasts, or at some time does
    /// not add up.
    pub async fn closed_ledger(&self, id: &str) -> Result<Ledger, ApiError> {
        self.ledger_when(id, Ledger::is_closed).await
    }

    /// Waits until a notification's ledger is as wanted.
    ///
    /// # Errors
    /// It is not before the patience ends, or at some time does not add up.
    pub async fn ledger_when(
        &self,
        id: &str,
        is_wanted: impl Fn(&Ledger) -> bool,
    ) -> Result<Ledger, ApiError> {
        let deadline = Instant::now() + self.patience;
        loop {
            let ledger = self.ledger(id).await?;
            if is_wanted(&ledger) {
                return Ok(ledger);
            }
            if Instant::now() > deadline {
                return Err(ApiError::StaysOpen {
                    ledger: Box::new(ledger),
                    after: self.patience,
                });
            }
            sleep(POLL).await;
        }
    }

    async fn exchange(&self, call: &Call) -> Result<Answer, ApiError> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{}{}", self.base, call.path))
            .header(
                USER_AGENT,
                concat!("fanout-ops/", env!("CARGO_PKG_VERSION")),
            );
        if let Some(token) = self.token.as_ref().filter(|_| call.with_token) {
            let bearer = HeaderValue::from_str(&format!("Bearer {}", token.as_str()));
            request = request.header(AUTHORIZATION, bearer.map_err(http::Error::from)?);
        }
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(call.body.clone()))?;
        let (head, body) = self.client.request(request).await?.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
        let body = body.map_err(ApiError::Body)?.to_bytes();
        let body = serde_json::from_slice(&body)
            .unwrap_or_else(|_| String::from_utf8_lossy(&body).into_owned().into());
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }
}

/// Reads the ledger in an answer.
///
/// # Errors
/// There is none, or it does not add up.
pub fn ledger_in(answer: Answer) -> Result<Ledger, ApiError> {
    let body = answer.body;
    match serde_json::from_value::<Ledger>(body.clone()) {
        Ok(ledger) if ledger.adds_up() => Ok(ledger),
        Ok(ledger) => Err(ApiError::DoesNotAddUp(Box::new(ledger))),
        Err(source) => Err(ApiError::NoLedger { body, source }),
    }
}
