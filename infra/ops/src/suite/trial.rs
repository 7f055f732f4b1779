//! What cases try a deployment with.

use futures::future::try_join_all;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::case::Failure;
use super::expectation::{expect, expect_that};
use crate::api::{Answer, ApiError, Call};
use crate::deployment::Deployment;
use crate::ledger::Ledger;
use crate::socket::Socket;

/// How many sockets are opened at once; API Gateway takes 500 a second.
const OPENED_AT_ONCE: usize = 8;

/// A deployment on trial.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What is tried.
    pub deployment: Deployment,
    /// How many sockets a broadcast is made to.
    pub sockets: usize,
    /// Whether anybody may subscribe, token or not.
    pub subscribers_open: bool,
    /// Whether anybody may publish, token or not.
    pub publishers_open: bool,
}

impl Trial {
    /// Opens a socket that listens to topics.
    pub(super) async fn open(&self, topics: &[&str]) -> Result<Socket, Failure> {
        Ok(self.deployment.open(topics).await?)
    }

    /// Opens many sockets that listen to topics.
    pub(super) async fn open_many(
        &self,
        count: usize,
        topics: &[&str],
    ) -> Result<Vec<Socket>, Failure> {
        let mut sockets = Vec::with_capacity(count);
        while sockets.len() < count {
            let at_once = (count - sockets.len()).min(OPENED_AT_ONCE);
            let opening = (0..at_once).map(|_| self.deployment.open(topics));
            sockets.extend(try_join_all(opening).await?);
        }
        Ok(sockets)
    }

    pub(super) async fn send(&self, call: &Call) -> Result<Answer, Failure> {
        Ok(self.deployment.api.send(call).await?)
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.send(&Call::new(Method::GET, path)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Answer, Failure> {
        self.send(&Call::new(Method::DELETE, path)).await
    }

    /// Publishes what must be accepted, and returns its id.
    pub(super) async fn publish(&self, call: &Call) -> Result<String, Failure> {
        let answer = self
            .deployment
            .api
            .expect(call, StatusCode::ACCEPTED)
            .await?;
        let id = text_of(&answer.body, "id");
        let is_complete = !id.is_empty() && !text_of(&answer.body, "acceptedAt").is_empty();
        expect_that(
            is_complete,
            "the answer",
            "an id and acceptedAt",
            &answer.body,
        )?;
        let location = format!("/notifications/{id}");
        expect(
            "the location",
            &answer.header("location"),
            &location.as_str(),
        )?;
        Ok(id.to_owned())
    }

    /// Publishes a notification in the general form, and returns its id.
    pub(super) async fn notify(&self, target: Value, data: Value) -> Result<String, Failure> {
        self.publish(&Call::post("/notifications", &notification(target, data)))
            .await
    }

    /// Waits for a ledger to close.
    pub(super) async fn ledger(&self, id: &str) -> Result<Ledger, ApiError> {
        self.deployment.api.closed_ledger(id).await
    }

    /// Waits until a notification that reaches strangers too was accepted for
    /// one's own sockets, or its ledger has closed: how long strangers take
    /// does not matter.
    pub(super) async fn shared_ledger(&self, id: &str, own: usize) -> Result<Ledger, Failure> {
        let own = own as u64;
        let are_counted = |ledger: &Ledger| ledger.accepted >= own;
        let api = &self.deployment.api;
        let ledger = api.ledger_when(id, |ledger| are_counted(ledger) || ledger.is_closed());
        let ledger = ledger.await?;
        let expected = format!("{own} or more accepted");
        expect_that(are_counted(&ledger), "the ledger", &expected, &ledger)?;
        Ok(ledger)
    }
}

/// A notification in the general form.
pub(super) fn notification(target: Value, data: Value) -> Value {
    let mut notification = json!({"type": "suite.note"});
    if let Some(members) = notification.as_object_mut() {
        members.insert("data".to_owned(), data);
        members.insert("target".to_owned(), target);
    }
    notification
}

/// A member that is a text; empty where it is none.
pub(super) fn text_of<'a>(document: &'a Value, name: &str) -> &'a str {
    document
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// A topic that nobody else listens to.
pub(super) fn own_topic() -> String {
    format!("suite:{:016x}", fastrand::u64(..))
}

/// Asks a socket for its connection's id.
pub(super) async fn connection_of(socket: &mut Socket) -> Result<String, Failure> {
    let who = socket.ask(&json!({"action": "whoami"})).await?;
    let id = text_of(&who, "connectionId");
    expect_that(!id.is_empty(), "whoami", "a connectionId", &who)?;
    Ok(id.to_owned())
}
