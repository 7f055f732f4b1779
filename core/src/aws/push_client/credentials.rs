//! The credentials of the SDK's provider chain, fetched ahead of their expiry.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_smithy_types::error::display::DisplayErrorContext;
use jiff::{SignedDuration, Timestamp};
use tracing::{error, warn};

/// How long before their expiry credentials are fetched anew.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);
/// How long after one fetch to wait with another.
const PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// Credentials that are fetched by one push at a time, and held for all.
pub(super) struct CachedCredentials {
    provider: SharedCredentialsProvider,
    held: Mutex<Held>,
    fetching: tokio::sync::Mutex<()>,
}

/// Why there are no credentials to sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CredentialsUnavailable {
    /// None are configured, or what is configured is wrong.
    #[error("no credentials are configured")]
    None,
    /// The provider failed, and may succeed later.
    #[error("the credentials could not be fetched")]
    Failed,
}

#[derive(Default)]
struct Held {
    credentials: Option<Arc<Credentials>>,
    fetched_at: Option<Timestamp>,
    failure: Option<CredentialsUnavailable>,
}

/// How credentials are held at a time.
enum State {
    Good(Arc<Credentials>),
    /// Still good, and to be replaced.
    Ageing(Arc<Credentials>),
    Missing,
    /// Missing, and it was just tried.
    Failed(CredentialsUnavailable),
}

impl CachedCredentials {
    pub(super) fn new(provider: SharedCredentialsProvider) -> Self {
        Self {
            provider,
            held: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        }
    }

    /// Returns credentials that are valid now.
    ///
    /// One caller fetches them: the others go on with those that are still
    /// valid, or wait for its result, also where that is a failure.
    ///
    /// # Cancel safety
    /// A fetch that is dropped is left to the next caller.
    pub(super) async fn get(
        &self,
        now: Timestamp,
    ) -> Result<Arc<Credentials>, CredentialsUnavailable> {
        match self.state(now) {
            State::Good(credentials) => Ok(credentials),
            State::Failed(failure) => Err(failure),
            State::Ageing(credentials) => match self.fetching.try_lock() {
                Ok(_fetching) => Ok(self.fetch(now).await.unwrap_or(credentials)),
                Err(_) => Ok(credentials),
            },
            State::Missing => {
                let _fetching = self.fetching.lock().await;
                match self.state(now) {
                    State::Good(credentials) | State::Ageing(credentials) => Ok(credentials),
                    State::Failed(failure) => Err(failure),
                    State::Missing => self.fetch(now).await,
                }
            }
        }
    }

    fn state(&self, now: Timestamp) -> State {
        let held = self.held();
        let is_recent = held
            .fetched_at
            .is_some_and(|at| now.duration_since(at).abs() < PAUSE);
        match &held.credentials {
            Some(credentials) if is_valid(credentials, now + AHEAD) => {
                State::Good(Arc::clone(credentials))
            }
            Some(credentials) if is_valid(credentials, now) => {
                let credentials = Arc::clone(credentials);
                if is_recent {
                    State::Good(credentials)
                } else {
                    State::Ageing(credentials)
                }
            }
            _ => match held.failure {
                Some(failure) if is_recent => State::Failed(failure),
                _ => State::Missing,
            },
        }
    }

    async fn fetch(&self, now: Timestamp) -> Result<Arc<Credentials>, CredentialsUnavailable> {
        self.held().fetched_at = Some(now);
        let fetched = self.provider.provide_credentials().await;
        let mut held = self.held();
        match fetched {
            Ok(credentials) if is_valid(&credentials, now) => {
                let credentials = Arc::new(credentials);
                held.credentials = Some(Arc::clone(&credentials));
                held.failure = None;
                Ok(credentials)
            }
            Ok(_) => {
                warn!("the credentials that were fetched had expired");
                Err(*held.failure.insert(CredentialsUnavailable::Failed))
            }
            Err(problem) => {
                let failure = unavailable(&problem);
                Err(*held.failure.insert(failure))
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_valid(credentials: &Credentials, at: Timestamp) -> bool {
    let expiry = credentials.expiry().map(Timestamp::try_from);
    expiry.is_none_or(|expiry| expiry.is_ok_and(|expiry| at < expiry))
}

fn unavailable(problem: &CredentialsError) -> CredentialsUnavailable {
    let detail = DisplayErrorContext(problem);
    match problem {
        CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => {
            error!(error = %detail, "there are no credentials to push with");
            CredentialsUnavailable::None
        }
        // The provider's enum is open: what it adds is not known to be permanent.
        _ => {
            warn!(error = %detail, "the credentials to push with were not fetched");
            CredentialsUnavailable::Failed
        }
    }
}

#[cfg(test)]
mod tests;
