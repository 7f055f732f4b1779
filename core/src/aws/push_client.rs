//! The `@connections` API, without the SDK: the [`Pusher`] for many pushes.
//!
//! A push through the AWS SDK costs several times what it costs to send. Here a
//! push is a request on a pooled connection and a signature, of which all that
//! pushes have in common is made once: the payload's hash, the signing key, and
//! once a second what the time is in. [`management_api`](super::management_api)
//! is the reference; both give the same outcomes for the same answers.

mod credentials;
pub mod endpoint;
mod error_code;
mod payloads;
mod pool;
mod post;
mod signature;
mod signer;

use std::fmt;
use std::time::Duration;

use aws_config::SdkConfig;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, header};
use tokio::time::timeout;
use tracing::debug;

use self::credentials::{CachedCredentials, CredentialsUnavailable};
use self::endpoint::{Endpoint, InvalidEndpoint, Path};
use self::error_code::error_code;
use self::payloads::HashedPayloads;
use self::pool::{Pool, SendError};
use self::post::Post;
use self::signer::Signer;
use crate::aws::answer::{classify_status, retry_after};
use crate::clock::Clock;
use crate::connection::ConnectionId;
use crate::push::{PushOutcome, Pusher};

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
/// What the service's model gives a blob.
static CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Where to push, and within what bounds.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The stage, such as
    /// `https://{api}.execute-api.{region}.amazonaws.com/{stage}`.
    pub endpoint: String,
    /// How long one attempt may take, connecting included.
    pub attempt_timeout: Duration,
    /// How many pushes may be in flight at once; more of them wait. Over
    /// HTTP/1.1 it is also the most connections that are open.
    pub max_in_flight: usize,
}

/// Why there can be no client.
#[derive(Debug, thiserror::Error)]
pub enum PushClientError {
    /// The endpoint is none.
    #[error(transparent)]
    Endpoint(#[from] InvalidEndpoint),
    /// The configuration has no region to sign for.
    #[error("no region is configured")]
    NoRegion,
    /// The configuration has no credentials to sign with.
    #[error("no credentials are configured")]
    NoCredentials,
    /// This system trusts no certificates.
    #[error("cannot set up TLS")]
    Tls(#[source] std::io::Error),
}

/// Pushes by `PostToConnection`.
pub struct PushClient {
    endpoint: Endpoint,
    pool: Pool,
    credentials: CachedCredentials,
    signer: Signer,
    payloads: HashedPayloads,
    clock: Clock,
    attempt_timeout: Duration,
}

impl PushClient {
    /// Makes a client that signs with the configuration's credentials for its
    /// region. Nothing is connected to before the first push.
    ///
    /// # Errors
    /// See [`PushClientError`].
    pub fn new(
        config: &SdkConfig,
        settings: &Settings,
        clock: Clock,
    ) -> Result<Self, PushClientError> {
        let endpoint: Endpoint = settings.endpoint.parse()?;
        let region = config.region().ok_or(PushClientError::NoRegion)?;
        let provider = config.credentials_provider();
        let provider = provider.ok_or(PushClientError::NoCredentials)?;
        let pool = Pool::new(&endpoint, settings.max_in_flight).map_err(PushClientError::Tls)?;
        Ok(Self {
            signer: Signer::new(&endpoint, region.as_ref()),
            endpoint,
            pool,
            credentials: CachedCredentials::new(provider),
            payloads: HashedPayloads::default(),
            clock,
            attempt_timeout: settings.attempt_timeout,
        })
    }

    async fn attempt(&self, path: &Path, payload: &Bytes) -> Result<PushOutcome, PushError> {
        let now = self.clock.now();
        let credentials = self.credentials.get(now).await?;
        let moment = self.signer.at(&credentials, now);
        let authorization = moment.authorization(path, &self.payloads.digest(payload));
        let headers = [
            (header::CONTENT_TYPE, Some(&CONTENT_TYPE)),
            (DATE, Some(moment.date())),
            (SECURITY_TOKEN, moment.security_token()),
            (header::AUTHORIZATION, authorization.as_ref()),
        ];
        let post = Post {
            path: path.whole(),
            headers: &headers,
            payload,
        };
        Ok(classify(&self.pool.send(now, post).await?))
    }
}

impl Pusher for PushClient {
    /// Opens the first connection, which tells the others what to speak.
    async fn warm_up(&self) {
        let warming = self.pool.warm_up(self.clock.now());
        match timeout(self.attempt_timeout, warming).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => debug!(%error, "no connection was opened ahead"),
            Err(_) => debug!("no connection was opened ahead in time"),
        }
    }

    /// # Cancel safety
    /// Dropping a push closes its connection, or over HTTP/2 resets its stream:
    /// no other push is given an answer that was not its own.
    async fn push(&self, connection: &ConnectionId, payload: &Bytes) -> PushOutcome {
        let Some(path) = self.endpoint.path_of(connection) else {
            return PushOutcome::Rejected { reason: "request" };
        };
        match timeout(self.attempt_timeout, self.attempt(&path, payload)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => {
                debug!(connection_id = %connection, %error, "push failed");
                error.outcome()
            }
            Err(_) => PushOutcome::Transient { reason: "timeout" },
        }
    }
}

impl fmt::Debug for PushClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No keys, and no payloads.
        f.debug_struct("PushClient")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// Why there is no answer to a push.
#[derive(Debug, thiserror::Error)]
enum PushError {
    #[error(transparent)]
    Credentials(#[from] CredentialsUnavailable),
    #[error(transparent)]
    Send(#[from] SendError),
}

impl PushError {
    fn outcome(&self) -> PushOutcome {
        match self {
            Self::Credentials(CredentialsUnavailable::None) => PushOutcome::Forbidden,
            Self::Credentials(CredentialsUnavailable::Failed) => PushOutcome::Transient {
                reason: "credentials",
            },
            Self::Send(SendError::Connect(_) | SendError::Lost(_)) => {
                PushOutcome::Transient { reason: "dispatch" }
            }
            Self::Send(SendError::Cut(_)) => PushOutcome::Transient { reason: "response" },
        }
    }
}

fn classify(answer: &Response<Bytes>) -> PushOutcome {
    if answer.status().is_success() {
        return PushOutcome::Accepted;
    }
    let header = |name: &str| answer.headers().get(name)?.to_str().ok();
    let code = error_code(header("x-amzn-errortype"), answer.body());
    let status = answer.status().as_u16();
    classify_status(status, code.as_deref(), retry_after(header("retry-after")))
}

#[cfg(test)]
mod tests;
