//! What `fanout-ops` finds of a stack, and does to it, beside the suite.

use std::time::Duration;

use clap::Parser as _;
use fanout_ops::aws::{config_of, sqs};
use fanout_ops::canary::fly;
use fanout_ops::cli::{Cli, Ending};
use fanout_ops::deployment::{Deployment, Listening};
use fanout_ops::doctor::check::{Check, Finding};
use fanout_ops::doctor::{Patient, examine};
use fanout_ops::outputs::Outputs;
use fanout_ops::queues::QueueUrls;
use fanout_ops::queues::drain::{Drained, Waiting, drain, quiet_span};
use fanout_ops::queues::redrive::{Patience, Redriven, redrive};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::stack::{PATIENCE, Stack, token};

const PAUSE: Duration = Duration::from_millis(50);

fn waiting() -> Waiting {
    Waiting {
        deadline: Instant::now() + PATIENCE,
        pause: PAUSE,
        quiet: quiet_span(true),
    }
}

/// A stack, and what it says of itself.
struct Place {
    stack: Stack,
    outputs: Outputs,
    directory: TempDir,
}

impl Place {
    async fn start(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("outputs.json");
        let file = ["--outputs-file", path.to_str().unwrap()];
        let stack = Stack::start(&[arguments, &file].concat()).await;
        let outputs = Outputs::read(&path, None).unwrap();
        Self {
            stack,
            outputs,
            directory,
        }
    }

    /// Examines the stack as `change` makes it look; returns what failed and
    /// with which words.
    async fn failures(&self, change: impl FnOnce(&mut Outputs)) -> Vec<String> {
        self.failures_with(None, change).await
    }

    async fn failures_with(
        &self,
        token: Option<String>,
        change: impl FnOnce(&mut Outputs),
    ) -> Vec<String> {
        let mut outputs = self.outputs.clone();
        change(&mut outputs);
        let patient = Patient {
            outputs,
            token: token.map(Into::into),
            patience: PATIENCE,
            listening: Listening::default(),
        };
        let mut failures = Vec::new();
        let is_well = examine(&patient, |check| {
            if matches!(check.finding, Finding::Fail { .. }) {
                failures.push(check.to_string());
            }
        });
        assert_eq!(Box::pin(is_well).await, failures.is_empty());
        failures
    }

    fn deployment(&self, token: Option<String>) -> Deployment {
        let url = |url: &Option<String>| url.as_deref().unwrap().parse().unwrap();
        let (ws, publish) = (
            url(&self.outputs.web_socket_url),
            url(&self.outputs.publish_url),
        );
        Deployment::new(ws, &publish, token.map(Into::into), PATIENCE).unwrap()
    }

    fn queue_urls(&self) -> QueueUrls {
        QueueUrls::of(&self.outputs).unwrap()
    }

    async fn sqs(&self) -> aws_sdk_sqs::Client {
        sqs(&config_of(&self.outputs).await, &self.outputs)
    }
}

/// Expects one failure, with these words.
#[track_caller]
fn check(failures: &[String], says: &[&str]) {
    assert_eq!(failures.len(), says.len(), "{failures:#?}");
    for (failure, says) in failures.iter().zip(says) {
        assert!(failure.contains(says), "{failure}: not {says:?}");
    }
}

#[tokio::test]
async fn the_outputs_file_is_there_while_the_stack_is() {
    let Place {
        stack,
        outputs,
        directory,
    } = Place::start(&["--stage", "test"]).await;
    assert_eq!(outputs.web_socket_url.as_ref(), Some(&stack.ws));
    assert_eq!(outputs.publish_url.as_ref(), Some(&stack.http));
    assert!(outputs.management_endpoint.unwrap().ends_with("/test"));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    assert!(stack.stop().await);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_stack_that_is_well_has_nothing_skipped() {
    let place = Place::start(&[]).await;
    let patient = Patient {
        outputs: place.outputs.clone(),
        token: None,
        patience: PATIENCE,
        listening: Listening::default(),
    };
    let mut checks = Vec::new();
    assert!(Box::pin(examine(&patient, |check: &Check| checks.push(check.clone()))).await);
    for check in &checks {
        assert!(matches!(check.finding, Finding::Ok(_)), "{check}");
    }
    assert_eq!(checks.len(), 14);
}

#[tokio::test]
async fn a_wrong_url_is_named_before_it_is_asked() {
    let place = Place::start(&[]).await;
    let bare = |url: &mut Option<String>| {
        let bare = url.as_deref().unwrap().split_once("://").unwrap().1;
        *url = Some(bare.to_owned());
    };
    let append = |url: &mut Option<String>, more: &str| url.as_mut().unwrap().push_str(more);
    let failures = place.failures(|outputs| bare(&mut outputs.web_socket_url));
    check(&failures.await, &["write wss://127.0.0.1"]);
    let failures = place.failures(|outputs| bare(&mut outputs.publish_url));
    check(&failures.await, &["PublishUrl: 127.0.0.1"]);
    let longer = |outputs: &mut Outputs| append(&mut outputs.management_endpoint, "/@connections");
    check(&place.failures(longer).await, &["end it with the stage"]);
    let other = |outputs: &mut Outputs| append(&mut outputs.management_endpoint, "uction");
    let says = [r#"is of the stage "production""#];
    check(&place.failures(other).await, &says);
}

#[tokio::test]
async fn what_only_shows_when_asked_is_explained() {
    let place = Place::start(&[]).await;
    // The stage of both: only the gateway knows that there is none such.
    let other_stage = |outputs: &mut Outputs| {
        for url in [
            &mut outputs.web_socket_url,
            &mut outputs.management_endpoint,
        ] {
            url.as_mut().unwrap().push_str("uction");
        }
    };
    check(&place.failures(other_stage).await, &["no such stage"]);
    let elsewhere = |outputs: &mut Outputs| outputs.region = Some("eu-west-1".to_owned());
    let failures = place.failures(elsewhere).await;
    assert!(
        failures[0].contains("signed for another Region"),
        "{failures:#?}"
    );
    let closed =
        |outputs: &mut Outputs| outputs.publish_url = Some("http://127.0.0.1:1".to_owned());
    check(&place.failures(closed).await, &["nobody listens there"]);
}

#[tokio::test]
async fn tables_and_queues_that_are_not_there_are_named() {
    let place = Place::start(&[]).await;
    let table = |outputs: &mut Outputs| outputs.connections_table = Some("connection".to_owned());
    check(&place.failures(table).await, &["connection does not exist"]);
    let swapped = |outputs: &mut Outputs| {
        outputs
            .connections_table
            .clone_from(&outputs.subscriptions_table);
    };
    check(
        &place.failures(swapped).await,
        &["has the keys topicShard, connectionId"],
    );
    let queue = |outputs: &mut Outputs| outputs.slices_queue_url.as_mut().unwrap().push('s');
    check(&place.failures(queue).await, &["queue of slices: http://"]);
    let lane = |outputs: &mut Outputs| {
        outputs
            .dead_letter_queue_url
            .clone_from(&outputs.slices_queue_url);
    };
    let says = ["its dead letters go to", "its dead letters go to"];
    check(&place.failures(lane).await, &says);
}

#[tokio::test]
async fn a_stack_that_asks_for_tokens_is_told_from_one_that_refuses_them() {
    let place = Place::start(&["--auth"]).await;
    let says = ["answered 401 unauthenticated", "give a token"];
    check(&place.failures(|_| ()).await, &says);
    let subscriber = Some(token(&["--user", "u1"]).await);
    let failures = place.failures_with(subscriber, |_| ()).await;
    check(&failures, &["needs the scope"]);
    let both = Some(token(&["--user", "u1", "--scope", "publish"]).await);
    check(&place.failures_with(both.clone(), |_| ()).await, &[]);
    let flight = fly(&place.deployment(both)).await.unwrap();
    assert!(flight.accepted <= flight.arrived && flight.arrived <= flight.closed);
}

#[tokio::test]
async fn dead_letters_are_found_redriven_and_waited_for() {
    let place = Place::start(&["--env", "MAX_THROTTLED=2", "--env", "RETRY_BASE_MS=1"]).await;
    let stack = &place.stack;
    let mut subscriber = stack.subscribe_with_small_buffer().await;
    let who = subscriber.ask(json!({"action": "whoami"})).await;
    // It does not read: what may wait for it is full at some time.
    let target = json!({"connection": who["connectionId"]});
    let body = json!({"type": "t", "data": "x".repeat(30_000), "target": target}).to_string();
    let mut accepted = 0;
    let failed = loop {
        let location = stack.publish("/notifications", &body).await;
        if stack.settled(&location).await["state"] == "failed" {
            break location;
        }
        accepted += 1;
        assert!(accepted < 500, "never refused");
    };
    stack.wait_for_dead_letters(1).await;
    check(&place.failures(|_| ()).await, &["fanout-ops redrive"]);

    for _ in 0..accepted {
        assert_eq!(subscriber.frame().await["type"], "t");
    }
    let (client, urls) = (place.sqs().await, place.queue_urls());
    let patience = Patience {
        waiting: waiting(),
        until_empty: true,
    };
    let redriven = redrive(&client, &urls, patience, |_| ()).await.unwrap();
    assert_eq!(redriven, Redriven::Moved(1));
    let ledger = stack.ledger(&failed).await;
    assert_eq!(
        (&ledger["accepted"], &ledger["failed"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(stack.dead_letters().await, 0);
}

#[tokio::test]
async fn a_drain_waits_for_what_is_being_pushed() {
    // A second of work, at this rate.
    let slowly = ["--env", "PUSH_RATE_PER_SECOND=50", "--env", "PUSH_BURST=1"];
    let place = Place::start(&slowly).await;
    let _subscribers = place.stack.subscribe_many(50).await;
    let location = place.stack.order().await;
    let (client, urls) = (place.sqs().await, place.queue_urls());
    let at_once = Waiting {
        deadline: Instant::now(),
        ..waiting()
    };
    let now = drain(&client, &urls, at_once, |_| ()).await;
    let Drained::Left(lanes) = now.unwrap() else {
        panic!("nothing was left");
    };
    assert!(!lanes.notifications.is_empty(), "{lanes}");
    let mut changes = 0;
    let drained = drain(&client, &urls, waiting(), |_| changes += 1).await;
    assert_eq!(drained.unwrap(), Drained::Empty);
    assert!(changes >= 2, "something, then nothing");
    let ledger = place.stack.ledger(&location).await;
    assert_eq!(
        (&ledger["state"], &ledger["accepted"]),
        (&json!("done"), &json!(50))
    );
}

#[tokio::test]
async fn commands_end_as_they_say() {
    let slowly = ["--env", "PUSH_RATE_PER_SECOND=20", "--env", "PUSH_BURST=1"];
    let place = Place::start(&slowly).await;
    let path = place.directory.path().join("outputs.json");
    let outputs = ["--outputs", path.to_str().unwrap(), "--pause", "50ms"];
    let run = async |arguments: &[&str]| {
        let arguments = std::iter::once(&"fanout-ops").chain(arguments);
        let command = Cli::try_parse_from(arguments).unwrap().command;
        Box::pin(command.run()).await.unwrap()
    };
    let _subscribers = place.stack.subscribe_many(60).await;
    let location = place.stack.order().await;
    let drain = [&["drain"], &outputs[..]].concat();
    let at_once = [&drain[..], &["--timeout", "1ms"]].concat();
    assert_eq!(run(&at_once).await, Ending::Bad);

    let id = location.strip_prefix("/notifications/").unwrap();
    let cancel = ["cancel", id, "--publish", &place.stack.http];
    assert_eq!(run(&cancel).await, Ending::Good);
    let ledger = place.stack.settled(&location).await;
    assert_eq!(ledger["state"], "cancelled");
    assert_eq!(run(&cancel).await, Ending::Bad, "it has ended");

    assert_eq!(run(&drain).await, Ending::Good);
    let redrive = [&["redrive"], &outputs[..]].concat();
    // Once more: the first one's task is not taken for the second one's.
    for _ in 0..2 {
        assert_eq!(
            run(&redrive).await,
            Ending::Good,
            "nothing is something too"
        );
    }
    let elsewhere = [&redrive[..], &["--sqs-endpoint", "http://127.0.0.1:1"]].concat();
    assert_eq!(run(&elsewhere).await, Ending::Bad);
}
