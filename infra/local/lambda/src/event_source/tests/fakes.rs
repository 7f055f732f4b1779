//! A queue and a function that stand in for the real ones.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use crate::error::InvokeError;
use crate::event_source::{Invoker, Message, MessageSource};

/// The queue's visibility timeout.
pub(super) const VISIBILITY: Duration = Duration::from_secs(30);

/// A queue whose messages have their body as their id.
#[derive(Clone, Default)]
pub(super) struct Queue(Arc<QueueState>);

#[derive(Default)]
struct QueueState {
    messages: Mutex<BTreeMap<String, (Option<Instant>, usize)>>,
    changed: Notify,
}

impl Queue {
    pub(super) fn of<'a>(bodies: impl IntoIterator<Item = &'a str>) -> Self {
        let queue = Self::default();
        bodies.into_iter().for_each(|body| queue.send(body));
        queue
    }

    pub(super) fn send(&self, body: &str) {
        self.0
            .messages
            .lock()
            .unwrap()
            .insert(body.to_owned(), (None, 0));
        self.0.changed.notify_waiters();
    }

    pub(super) fn left(&self) -> Vec<String> {
        self.0.messages.lock().unwrap().keys().cloned().collect()
    }

    pub(super) fn take(&self, max: usize) -> Vec<Message> {
        let now = Instant::now();
        let mut messages = self.0.messages.lock().unwrap();
        let visible = messages
            .iter_mut()
            .filter(|(_, (hidden, _))| hidden.is_none_or(|h| h <= now));
        visible
            .take(max)
            .map(|(body, (hidden, receives))| {
                *hidden = Some(now + VISIBILITY);
                *receives += 1;
                let count = ("ApproximateReceiveCount".to_owned(), receives.to_string());
                Message {
                    message_id: body.chars().take(8).collect(),
                    receipt_handle: body.clone(),
                    body: body.clone(),
                    attributes: BTreeMap::from([count]),
                    ..Message::default()
                }
            })
            .collect()
    }
}

impl MessageSource for Queue {
    type Error = &'static str;

    async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Message>, Self::Error> {
        assert!((1..=10).contains(&max) && wait <= Duration::from_secs(20));
        let end = Instant::now() + wait;
        loop {
            let changed = self.0.changed.notified();
            let messages = self.take(max);
            if !messages.is_empty() || Instant::now() >= end {
                return Ok(messages);
            }
            let next = self
                .0
                .messages
                .lock()
                .unwrap()
                .values()
                .filter_map(|(at, _)| *at)
                .min();
            tokio::select! {
                () = sleep_until(next.unwrap_or(end).min(end)) => {}
                () = changed => {}
            }
        }
    }

    async fn delete(&self, receipt_handles: Vec<String>) -> Result<(), Self::Error> {
        let mut messages = self.0.messages.lock().unwrap();
        messages.retain(|body, _| !receipt_handles.contains(body));
        Ok(())
    }

    async fn give_back(&self, receipt_handles: Vec<String>) -> Result<(), Self::Error> {
        for handle in receipt_handles {
            self.0.messages.lock().unwrap().get_mut(&handle).unwrap().0 = None;
        }
        Ok(())
    }

    fn visibility_timeout(&self) -> Duration {
        VISIBILITY
    }
}

/// What a scripted function does with an event.
pub(super) struct Act {
    pub(super) takes: Duration,
    pub(super) answer: Result<Bytes, InvokeError>,
}

pub(super) fn answers(text: &'static str) -> Act {
    Act {
        takes: Duration::ZERO,
        answer: Ok(Bytes::from_static(text.as_bytes())),
    }
}

pub(super) fn fails(error: InvokeError) -> Act {
    Act {
        takes: Duration::ZERO,
        answer: Err(error),
    }
}

/// An invocation as the function saw it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) after: Duration,
    pub(super) event: Value,
}

impl Seen {
    pub(super) fn bodies(&self) -> Vec<&str> {
        let records = self.event["Records"].as_array().unwrap();
        records
            .iter()
            .map(|record| record["body"].as_str().unwrap())
            .collect()
    }
}

pub(super) struct Function {
    /// What it does at the n-th invocation, counted from 0.
    script: Box<dyn Fn(usize) -> Act + Send + Sync>,
    born: Instant,
    seen: Mutex<Vec<Seen>>,
    running: AtomicUsize,
    pub(super) most_running: AtomicUsize,
}

impl Function {
    pub(super) fn new(script: impl Fn(usize) -> Act + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            script: Box::new(script),
            born: Instant::now(),
            seen: Mutex::default(),
            running: AtomicUsize::new(0),
            most_running: AtomicUsize::new(0),
        })
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn seconds(&self) -> Vec<f64> {
        self.seen()
            .iter()
            .map(|seen| seen.after.as_secs_f64())
            .collect()
    }
}

impl Invoker for Arc<Function> {
    async fn invoke(&self, name: &str, payload: Bytes) -> Result<Bytes, InvokeError> {
        assert_eq!(name, "worker");
        assert!(payload.len() <= crate::MAX_REQUEST_BYTES);
        let nth = {
            let mut seen = self.seen.lock().unwrap();
            let event = serde_json::from_slice(&payload).unwrap();
            seen.push(Seen {
                after: self.born.elapsed(),
                event,
            });
            seen.len() - 1
        };
        let running = self.running.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_running.fetch_max(running, Ordering::Relaxed);
        let act = (self.script)(nth);
        sleep(act.takes).await;
        self.running.fetch_sub(1, Ordering::Relaxed);
        act.answer
    }
}
