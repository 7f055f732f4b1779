//! Keys are served over a real socket, and time passes when a test says so and
//! not otherwise, however long an answer takes: the clock moves with Tokio's,
//! which is paused.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use futures::future::join_all;
use http::Uri;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::advance;

use super::*;
use crate::token::Verifier;
use crate::token::tests::{Signer, claims, with_keys};

/// An issuer that serves what it is told to, and counts who asked.
struct Issuer {
    answer: Arc<Mutex<String>>,
    fetches: Arc<AtomicUsize>,
    verifier: Verifier,
    _serving: JoinSet<()>,
    _held: mpsc::Sender<()>,
}

/// Keeps paused time from running on by itself while everybody waits for a
/// socket: Tokio's stands still as long as a blocking task runs
/// (<https://docs.rs/tokio/latest/tokio/time/fn.pause.html>), which this one
/// does until what is returned is dropped.
fn hold_time() -> mpsc::Sender<()> {
    let (held, released) = mpsc::channel();
    tokio::task::spawn_blocking(move || released.recv());
    held
}

impl Issuer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(Mutex::new(String::new()));
        let fetches = Arc::new(AtomicUsize::new(0));
        let mut serving = JoinSet::new();
        let (next, count) = (Arc::clone(&answer), Arc::clone(&fetches));
        serving.spawn(async move {
            let mut open = Vec::new();
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                let mut request = [0; 4096];
                let length = socket.read(&mut request).await.unwrap();
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let is_right = request.starts_with("GET /.well-known/jwks.json?v=1 HTTP/1.1\r\n")
                    && request.contains(&format!("\r\nhost: {address}\r\n"));
                let answer = if is_right {
                    next.lock().unwrap().clone()
                } else {
                    "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_owned()
                };
                // A client that has seen enough does not read to the end.
                let _ = socket.write_all(answer.as_bytes()).await;
                // Nobody is to wait for the end of the connection.
                open.push(socket);
            }
        });
        let url = format!("http://user:secret@{address}/.well-known/jwks.json?v=1");
        let url = KeySource::Url(url.parse::<Uri>().unwrap());
        let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
        Self {
            answer,
            fetches,
            verifier: with_keys(Algorithm::Es256, url, clock),
            _serving: serving,
            _held: hold_time(),
        }
    }

    fn serve(&self, status: &str, body: &str) {
        let length = body.len();
        *self.answer.lock().unwrap() =
            format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
    }

    fn publish(&self, signers: &[&Signer]) {
        let keys: Vec<Value> = signers.iter().map(|signer| signer.jwk()).collect();
        self.serve("200 OK", &json!({"keys": keys}).to_string());
    }

    async fn verify(&self, signer: &Signer) -> Result<(), TokenError> {
        // Valid for as long as any of these tests lasts.
        let token = signer.token(&claims(&json!({"exp": 1_000_000})));
        self.verifier.verify(&token).await.map(|_| ())
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::Relaxed)
    }
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_once_by_however_many() {
    let issuer = Issuer::start().await;
    let signer = Signer::new("1");
    issuer.publish(&[&signer]);
    let verified = join_all((0..20).map(|_| issuer.verify(&signer))).await;
    assert!(verified.iter().all(Result::is_ok), "{verified:?}");
    assert_eq!(issuer.fetches(), 1);

    advance(Duration::from_secs(599)).await;
    assert_eq!(issuer.verify(&signer).await, Ok(()));
    assert_eq!(issuer.fetches(), 1);
    advance(Duration::from_secs(1)).await;
    assert_eq!(issuer.verify(&signer).await, Ok(()));
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_found_by_its_first_token() {
    let issuer = Issuer::start().await;
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    issuer.publish(&[&old]);
    assert_eq!(issuer.verify(&old).await, Ok(()));

    issuer.publish(&[&new]);
    advance(Duration::from_mins(1)).await;
    assert_eq!(issuer.verify(&new).await, Ok(()));
    assert_eq!(issuer.verify(&old).await, Err(TokenError::UnknownKey));
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_unknown_keys_is_one_fetch_a_minute() {
    let issuer = Issuer::start().await;
    let known = Signer::new("known");
    issuer.publish(&[&known]);
    assert_eq!(issuer.verify(&known).await, Ok(()));
    for minute in 1..=3 {
        advance(Duration::from_mins(1)).await;
        let flood = (0..50).map(|n| Signer::new(&format!("forged-{n}")));
        let flood: Vec<_> = flood.collect();
        let verified = join_all(flood.iter().map(|forger| issuer.verify(forger))).await;
        let refused = |verified: &_| *verified == Err(TokenError::UnknownKey);
        assert!(verified.iter().all(refused), "{verified:?}");
        assert_eq!(issuer.fetches(), 1 + minute);
    }
    assert_eq!(issuer.verify(&known).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn old_keys_serve_while_newer_ones_cannot_be_had() {
    let issuer = Issuer::start().await;
    let (known, unknown) = (Signer::new("known"), Signer::new("unknown"));
    issuer.publish(&[&known]);
    assert_eq!(issuer.verify(&known).await, Ok(()));

    issuer.serve("503 Service Unavailable", "");
    advance(Duration::from_hours(1)).await;
    assert_eq!(issuer.verify(&known).await, Ok(()));
    // It may be a key that is published by now: nobody can say.
    let unavailable = Err(TokenError::KeysUnavailable);
    assert_eq!(issuer.verify(&unknown).await, unavailable);
    assert_eq!(issuer.fetches(), 2);

    issuer.publish(&[&known, &unknown]);
    assert_eq!(issuer.verify(&unknown).await, unavailable);
    advance(Duration::from_mins(1)).await;
    assert_eq!(issuer.verify(&unknown).await, Ok(()));
    assert_eq!(issuer.fetches(), 3);
}

#[tokio::test(start_paused = true)]
async fn without_any_keys_nobody_is_let_in_and_fetches_pause_too() {
    let issuer = Issuer::start().await;
    let signer = Signer::new("1");
    let large = format!(r#"{{"keys": [], "more": "{}"}}"#, "a".repeat(256 * 1024));
    let unavailable = Err(TokenError::KeysUnavailable);
    let mut fetches = 0;
    for (status, body) in [
        ("404 Not Found", "{}"),
        ("302 Found", ""),
        ("200 OK", "no JSON"),
        ("200 OK", r#"{"keys": []}"#),
        ("200 OK", &large),
    ] {
        issuer.serve(status, body);
        fetches += 1;
        assert_eq!(issuer.verify(&signer).await, unavailable, "{status}");
        assert_eq!(issuer.verify(&signer).await, unavailable, "{status}");
        assert_eq!(issuer.fetches(), fetches, "{status}");
        advance(Duration::from_secs(5)).await;
    }
    issuer.publish(&[&signer]);
    assert_eq!(issuer.verify(&signer).await, Ok(()));
    assert!(!TokenError::KeysUnavailable.is_bearers_fault());
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_does_not_answer_is_given_up() {
    // Accepted by the system, and never answered: paused time runs on to the
    // timeout by itself.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let url = KeySource::Url(url.parse().unwrap());
    let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
    let verifier = with_keys(Algorithm::Es256, url, clock);
    let token = Signer::new("1").token(&claims(&json!({})));
    let answer = verifier.verify(&token).await;
    assert_eq!(answer, Err(TokenError::KeysUnavailable));
    assert_eq!(clock.now().as_millisecond(), 3_000);
}
