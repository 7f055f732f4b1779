//! The gateway: which sockets are open, and what it answers to a push.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use fanout_core::connection::ConnectionId;
use fanout_core::push::{PushOutcome, Pusher};
use tokio::time::{Instant, timeout};

use crate::script::{Behaviour, Script, Spell, SpellAnswer};
use crate::world::{ATTEMPT_TIMEOUT, Client, INJECTED, Port, State};

pub(crate) struct Gateway {
    open: BTreeSet<ConnectionId>,
    behaviours: BTreeMap<ConnectionId, Behaviour>,
    attempts: BTreeMap<ConnectionId, u8>,
    spells: Vec<Spell>,
    quota: Quota,
}

/// The account's token bucket.
struct Quota {
    tokens: f64,
    burst: f64,
    per_second: f64,
    filled_at: Duration,
}

impl Gateway {
    pub(crate) fn new(script: &Script) -> Self {
        let shape = script.shape;
        let workers = shape.concurrency.0 + shape.concurrency.1;
        let workers = f64::from(u32::try_from(workers).unwrap());
        let part = workers * f64::from(shape.quota_percent) / 100.0;
        let burst = f64::from(shape.burst) * part + 1.0;
        Self {
            open: BTreeSet::new(),
            behaviours: BTreeMap::new(),
            attempts: BTreeMap::new(),
            spells: script.spells.clone(),
            quota: Quota {
                tokens: burst,
                burst,
                per_second: f64::from(shape.share) * part,
                filled_at: Duration::ZERO,
            },
        }
    }

    pub(crate) fn open(&mut self, id: &ConnectionId, behaviour: Behaviour) {
        self.open.insert(id.clone());
        self.behaviours.insert(id.clone(), behaviour);
    }

    pub(crate) fn close(&mut self, id: &ConnectionId) {
        self.open.remove(id);
    }

    /// Whether the payload arrives, and what is answered.
    fn push(&mut self, id: &ConnectionId, now: Duration, is_calm: bool) -> (bool, PushOutcome) {
        const THROTTLED: PushOutcome = PushOutcome::Throttled { retry_after: None };
        const FAILED: PushOutcome = PushOutcome::Transient { reason: INJECTED };
        let is_open = self.open.contains(id);
        if is_calm {
            return if is_open {
                (true, PushOutcome::Accepted)
            } else {
                (false, PushOutcome::Gone)
            };
        }
        if let Some(spell) = self.spells.iter().find(|spell| spell.is_at(now)) {
            let answer = match spell.answer {
                SpellAnswer::Throttled => THROTTLED,
                SpellAnswer::Forbidden => PushOutcome::Forbidden,
                SpellAnswer::TooLarge => PushOutcome::TooLarge,
                SpellAnswer::ServerError => FAILED,
            };
            return (false, answer);
        }
        if !self.quota.take(now) {
            return (false, THROTTLED);
        }
        if !is_open {
            return (false, PushOutcome::Gone);
        }
        let attempts = self.attempts.entry(id.clone()).or_default();
        *attempts = attempts.saturating_add(1);
        match self.behaviours[id] {
            Behaviour::Clogged => (false, THROTTLED),
            Behaviour::ComeBack { after_ms } => {
                let retry_after = Some(Duration::from_millis(after_ms));
                (false, PushOutcome::Throttled { retry_after })
            }
            Behaviour::FalselyGone => (false, PushOutcome::Gone),
            Behaviour::Rejects => (false, PushOutcome::Rejected { reason: INJECTED }),
            Behaviour::Lossy { attempts: lost } if *attempts <= lost => (false, FAILED),
            Behaviour::Ambiguous { attempts: lost } if *attempts <= lost => (true, FAILED),
            Behaviour::Accepts
            | Behaviour::Slow { .. }
            | Behaviour::Lossy { .. }
            | Behaviour::Ambiguous { .. } => (true, PushOutcome::Accepted),
        }
    }

    fn latency(&self, id: &ConnectionId) -> Option<Duration> {
        match self.behaviours.get(id) {
            Some(Behaviour::Slow { ms }) => Some(Duration::from_millis(*ms)),
            _ => None,
        }
    }
}

impl Quota {
    fn take(&mut self, now: Duration) -> bool {
        let elapsed = now.saturating_sub(self.filled_at);
        self.filled_at = now;
        let filled = self.tokens + elapsed.as_secs_f64() * self.per_second;
        self.tokens = filled.min(self.burst);
        let is_enough = self.tokens >= 1.0;
        if is_enough {
            self.tokens -= 1.0;
        }
        is_enough
    }
}

impl Pusher for Client {
    async fn push(&self, connection: &ConnectionId, payload: &Bytes) -> PushOutcome {
        if self.process.is_dead() {
            return pending().await;
        }
        let latency = {
            let mut state = self.state();
            let state = &mut *state;
            state
                .witness
                .push_started(self.delivery, connection, payload, Instant::now());
            let latency = state.gateway.latency(connection);
            latency.filter(|_| !state.is_calm)
        };
        let (id, delivery) = (connection.clone(), self.delivery);
        let attempt = self.call_taking(Port::Push, latency, move |state: &mut State, now| {
            let (arrives, outcome) = state.gateway.push(&id, now, state.is_calm);
            if arrives {
                state.witness.arrived(delivery, &id, Instant::now());
            }
            outcome
        });
        let outcome = match timeout(ATTEMPT_TIMEOUT, attempt).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => PushOutcome::Transient { reason: INJECTED },
            Err(_) => PushOutcome::Transient { reason: "timeout" },
        };
        let now = Instant::now();
        let mut state = self.state();
        state
            .witness
            .push_ended(self.delivery, connection, outcome, now);
        outcome
    }
}
