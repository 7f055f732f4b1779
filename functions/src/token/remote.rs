//! The keys that an issuer publishes, fetched when they are needed.
//!
//! An issuer changes its keys from time to time, and a token of the new key may
//! come before the old set is due to be fetched again: an unknown key id makes
//! it due. Whoever forges ids must not be able to turn that into a flood of
//! fetches, so one fetch follows another after a pause at the earliest.

mod fetch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fanout_core::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use self::fetch::Fetcher;
use super::{Algorithm, Key, KeySet, KeySource, TokenError};

/// How long fetched keys are used without asking again.
const FRESH_FOR: SignedDuration = SignedDuration::from_mins(10);
/// The pause between two fetches while there are keys.
const PAUSE: SignedDuration = SignedDuration::from_mins(1);
/// The pause while there are none, and nobody can be let in.
const PAUSE_WITHOUT_KEYS: SignedDuration = SignedDuration::from_secs(5);

/// Where a verifier finds its keys. Clones share those that are fetched.
#[derive(Clone, Debug)]
pub(super) enum Keys {
    Secret(Key),
    Fixed(KeySet),
    Remote(Arc<RemoteKeys>),
}

/// Keys that are fetched.
#[derive(Debug)]
pub(super) struct RemoteKeys {
    fetcher: Fetcher,
    algorithm: Algorithm,
    clock: Clock,
    cache: Mutex<Cache>,
    /// Held by the one that fetches; others wait for what it gets.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Cache {
    /// The last keys that were fetched, and when.
    keys: Option<(KeySet, Timestamp)>,
    /// When a fetch last ended, and whether it failed.
    last_fetch: Option<(Timestamp, bool)>,
}

impl Keys {
    pub(super) fn new(
        source: KeySource,
        algorithm: Algorithm,
        clock: Clock,
    ) -> std::io::Result<Self> {
        Ok(match source {
            KeySource::Secret(key) => Self::Secret(key),
            KeySource::Document(keys) => Self::Fixed(keys),
            KeySource::Url(url) => Self::Remote(Arc::new(RemoteKeys {
                fetcher: Fetcher::new(url)?,
                algorithm,
                clock,
                cache: Mutex::default(),
                fetching: tokio::sync::Mutex::default(),
            })),
        })
    }

    /// Finds the key of that id, or without an id the only one.
    pub(super) async fn find(&self, id: Option<&str>) -> Result<Key, TokenError> {
        match self {
            Self::Secret(key) => Ok(key.clone()),
            Self::Fixed(keys) => keys.find(id).cloned().ok_or(TokenError::UnknownKey),
            Self::Remote(remote) => remote.find(id).await,
        }
    }
}

impl RemoteKeys {
    async fn find(&self, id: Option<&str>) -> Result<Key, TokenError> {
        if let Some(answer) = self.cache().answer(id, self.clock.now()) {
            return answer;
        }
        let _fetching = self.fetching.lock().await;
        // Somebody else may have fetched in the meantime.
        if let Some(answer) = self.cache().answer(id, self.clock.now()) {
            return answer;
        }
        let fetched = self.fetcher.fetch().await;
        let fetched = fetched.and_then(|document| Ok(KeySet::read(&document, self.algorithm)?));
        let now = self.clock.now();
        let mut cache = self.cache();
        cache.last_fetch = Some((now, fetched.is_err()));
        match fetched {
            Ok(keys) => {
                info!("keys fetched");
                cache.keys = Some((keys, now));
            }
            Err(error) => {
                let has_old = cache.keys.is_some();
                warn!(%error, has_old, "keys were not fetched");
            }
        }
        let answer = cache.answer(id, now);
        answer.unwrap_or(Err(TokenError::KeysUnavailable))
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    /// Answers from what is there; `None` if the keys are to be fetched first.
    ///
    /// Old keys are used for as long as newer ones cannot be had.
    fn answer(&self, id: Option<&str>, now: Timestamp) -> Option<Result<Key, TokenError>> {
        let (found, is_fresh, pause) = match &self.keys {
            Some((keys, at)) => (keys.find(id), is_within(now, *at, FRESH_FOR), PAUSE),
            None => (None, false, PAUSE_WITHOUT_KEYS),
        };
        let paused = self.last_fetch.filter(|(at, _)| is_within(now, *at, pause));
        match (found, paused) {
            (Some(key), _) if is_fresh => Some(Ok(key.clone())),
            (_, None) => None,
            (Some(key), Some(_)) => Some(Ok(key.clone())),
            (None, Some((_, true))) => Some(Err(TokenError::KeysUnavailable)),
            (None, Some((_, false))) => Some(Err(TokenError::UnknownKey)),
        }
    }
}

/// Whether less than `span` has passed. Not if the clock was set back: nobody
/// knows then how much has.
fn is_within(now: Timestamp, since: Timestamp, span: SignedDuration) -> bool {
    let passed = now.duration_since(since);
    !passed.is_negative() && passed < span
}

#[cfg(test)]
mod tests;
