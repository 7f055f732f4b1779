use std::collections::VecDeque;
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::provider::{self, ProvideCredentials, future};
use futures::future::join_all;

use super::*;

/// Gives what it was told to, in order, each after a second.
#[derive(Debug)]
struct Scripted {
    script: Mutex<VecDeque<provider::Result>>,
    asked: Arc<Mutex<u32>>,
}

impl ProvideCredentials for Scripted {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        *self.asked.lock().unwrap() += 1;
        let next = self.script.lock().unwrap().pop_front().unwrap();
        future::ProvideCredentials::new(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            next
        })
    }
}

fn cache(
    script: impl IntoIterator<Item = provider::Result>,
) -> (CachedCredentials, Arc<Mutex<u32>>) {
    let asked = Arc::default();
    let provider = Scripted {
        script: Mutex::new(script.into_iter().collect()),
        asked: Arc::clone(&asked),
    };
    let provider = SharedCredentialsProvider::new(provider);
    (CachedCredentials::new(provider), asked)
}

/// Credentials that expire at a second.
fn until(id: &str, second: Option<u64>) -> Credentials {
    let expiry = second.map(|second| UNIX_EPOCH + Duration::from_secs(second));
    Credentials::new(id, "secret", None, expiry, "test")
}

fn down() -> provider::Result {
    Err(CredentialsError::provider_error("down"))
}

async fn get(cache: &CachedCredentials, second: i64) -> Result<String, CredentialsUnavailable> {
    let now = Timestamp::from_second(second).unwrap();
    let credentials = cache.get(now).await?;
    Ok(credentials.access_key_id().to_owned())
}

#[tokio::test(start_paused = true)]
async fn credentials_without_an_expiry_are_fetched_once() {
    let (cache, asked) = cache([Ok(until("a", None))]);
    for second in [0, 1, 1_000_000_000] {
        assert_eq!(get(&cache, second).await.as_deref(), Ok("a"));
    }
    assert_eq!(*asked.lock().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn those_that_need_them_at_once_share_one_fetch() {
    let (cache, asked) = cache([Ok(until("a", None))]);
    let all = join_all((0..512).map(|_| get(&cache, 0))).await;
    assert!(all.iter().all(|one| one.as_deref() == Ok("a")));
    assert_eq!(*asked.lock().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn they_are_replaced_before_they_expire_and_nobody_waits_but_one() {
    let (cache, asked) = cache([Ok(until("a", Some(1_000))), Ok(until("b", Some(5_000)))]);
    assert_eq!(get(&cache, 0).await.as_deref(), Ok("a"));
    assert_eq!(get(&cache, 939).await.as_deref(), Ok("a"));
    let (first, others) = tokio::join!(
        get(&cache, 940),
        join_all((0..10).map(|_| get(&cache, 940)))
    );
    assert_eq!(first.as_deref(), Ok("b"));
    assert!(
        others.iter().all(|one| one.as_deref() == Ok("a")),
        "{others:?}"
    );
    assert_eq!(get(&cache, 941).await.as_deref(), Ok("b"));
    assert_eq!(*asked.lock().unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn while_the_provider_fails_those_that_are_valid_are_used() {
    let (cache, asked) = cache([
        Ok(until("a", Some(1_000))),
        down(),
        down(),
        Ok(until("b", None)),
    ]);
    assert_eq!(get(&cache, 0).await.as_deref(), Ok("a"));
    assert_eq!(get(&cache, 950).await.as_deref(), Ok("a"));
    assert_eq!(
        get(&cache, 950).await.as_deref(),
        Ok("a"),
        "it was just tried"
    );
    assert_eq!(*asked.lock().unwrap(), 2);
    let failed = Err(CredentialsUnavailable::Failed);
    assert_eq!(get(&cache, 1_000).await, failed);
    assert_eq!(get(&cache, 1_000).await, failed);
    assert_eq!(*asked.lock().unwrap(), 3);
    assert_eq!(get(&cache, 1_001).await.as_deref(), Ok("b"));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_shared_by_all_who_waited_for_it() {
    let (cache, asked) = cache([down()]);
    let all = join_all((0..512).map(|_| get(&cache, 0))).await;
    assert!(
        all.iter()
            .all(|one| *one == Err(CredentialsUnavailable::Failed))
    );
    assert_eq!(*asked.lock().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_was_dropped_is_made_by_the_next() {
    let (cache, asked) = cache([Ok(until("a", None)), Ok(until("b", None))]);
    let dropped = tokio::time::timeout(Duration::from_millis(1), get(&cache, 0)).await;
    assert!(dropped.is_err());
    assert_eq!(get(&cache, 0).await.as_deref(), Ok("b"));
    assert_eq!(*asked.lock().unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn wrong_configuration_is_told_from_a_failure() {
    for (problem, expected) in [
        (
            CredentialsError::not_loaded_no_source(),
            CredentialsUnavailable::None,
        ),
        (
            CredentialsError::invalid_configuration("x"),
            CredentialsUnavailable::None,
        ),
        (
            CredentialsError::provider_timed_out(Duration::from_secs(1)),
            CredentialsUnavailable::Failed,
        ),
        (
            CredentialsError::unhandled("x"),
            CredentialsUnavailable::Failed,
        ),
    ] {
        let (cache, _) = cache([Err(problem)]);
        assert_eq!(get(&cache, 0).await, Err(expected));
    }
    let (cache, _) = cache([Ok(until("a", Some(10)))]);
    assert_eq!(get(&cache, 10).await, Err(CredentialsUnavailable::Failed));
}
