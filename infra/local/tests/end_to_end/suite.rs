//! The black-box suite of `fanout-ops`, against the local stack.

use fanout_ops::canary::fly;
use fanout_ops::deployment::{Deployment, Listening};
use fanout_ops::suite::known_faults::KnownFaults;
use fanout_ops::suite::report::{Report, Verdict};
use fanout_ops::suite::trial::Trial;
use fanout_ops::suite::{run, selected};

use crate::stack::{PATIENCE, PUSH_CLIENTS, Stack, token};

fn trial_of(stack: &Stack, token: Option<String>) -> Trial {
    let (ws, publish) = (stack.ws.parse().unwrap(), stack.http.parse().unwrap());
    Trial {
        deployment: Deployment::new(ws, &publish, token.map(Into::into), PATIENCE).unwrap(),
        sockets: 30,
        subscribers_open: false,
        publishers_open: false,
    }
}

/// Runs the suite, and expects that no case fails; returns what was skipped.
async fn skipped(trial: Trial) -> Vec<&'static str> {
    let Report { findings } = run(selected(None), &trial, &KnownFaults::default(), |_| ()).await;
    for finding in &findings {
        let is_good = matches!(finding.verdict, Verdict::Passed | Verdict::Skipped { .. });
        assert!(is_good, "{finding}");
    }
    let skipped = findings
        .iter()
        .filter(|finding| finding.verdict != Verdict::Passed);
    skipped.map(|finding| finding.case).collect()
}

#[tokio::test]
async fn the_stack_keeps_what_is_promised() {
    for push_client in PUSH_CLIENTS {
        let stack = Stack::start(&["--env", push_client]).await;
        assert_eq!(
            skipped(trial_of(&stack, None)).await,
            [
                "a notification to a user reaches all of the user's sockets",
                "a token among the subprotocols lets in, and is not echoed",
                "without a valid token nobody may subscribe",
                "without a token nobody may publish",
            ]
        );
    }
}

#[tokio::test]
async fn the_stack_with_authentication_keeps_what_is_promised() {
    let token = token(&["--user", "u1", "--scope", "publish"]).await;
    for push_client in PUSH_CLIENTS {
        let settings = ["--env", "SENDMESSAGE_PER_MINUTE=30", "--env", push_client];
        let stack = Stack::start(&[&["--auth"], &settings[..]].concat()).await;
        let trial = trial_of(&stack, Some(token.clone()));
        assert!(skipped(trial).await.is_empty());
    }
}

#[tokio::test]
async fn one_side_may_be_open_and_topics_may_be_required_under_another_name() {
    let required = [
        "--env",
        "TOPICS_REQUIRED=true",
        "--env",
        "TOPICS_PARAMETER=listen",
    ];
    let open = ["--auth", "--env", "SUBSCRIBER_AUTH=off"];
    let stack = Stack::start(&[&open[..], &required].concat()).await;
    let trial = trial_of(
        &stack,
        Some(token(&["--user", "u1", "--scope", "publish"]).await),
    );
    let listening = Listening {
        parameter: "listen".to_owned(),
        topics: vec!["suite:any".parse().unwrap()],
    };
    let deployment = trial.deployment.listening(listening);
    fly(&deployment).await.unwrap();
    let trial = Trial {
        deployment,
        subscribers_open: true,
        ..trial
    };
    assert_eq!(
        skipped(trial).await,
        [
            "a notification to a user reaches all of the user's sockets",
            "without a valid token nobody may subscribe",
        ]
    );
}
