//! What goes wrong, and what comes of it: nothing is lost, the ledger adds up.

use std::time::Duration;

use serde_json::json;

use crate::stack::Stack;

#[tokio::test]
async fn sockets_that_vanished_without_a_disconnect_are_found_gone() {
    let stack = Stack::start(&["--faults", "lost-disconnect=100%"]).await;
    let mut subscribers = stack.subscribe_many(30).await;
    let mut vanished = Vec::new();
    for mut subscriber in subscribers.drain(..10) {
        let who = subscriber.ask(json!({"action": "whoami"})).await;
        vanished.push(who["connectionId"].as_str().unwrap().to_owned());
        subscriber.vanish();
    }
    for id in &vanished {
        while stack.is_connected(id).await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let ledger = stack.settled(&stack.order().await).await;
    let counts = (&ledger["targeted"], &ledger["accepted"], &ledger["gone"]);
    assert_eq!(counts, (&json!(30), &json!(20), &json!(10)));
    for subscriber in &mut subscribers {
        assert_eq!(subscriber.count_arrived().await, 1);
    }
    let ledger = stack.settled(&stack.order().await).await;
    assert_eq!(ledger["targeted"], 20, "their rows are deleted");
}

#[tokio::test]
async fn throttled_pushes_are_tried_again_until_everybody_has_it() {
    // Workers that think they may push far more than the account allows.
    let quotas = ["--account-rate", "200", "--account-burst", "150"];
    let greed = [
        "--env",
        "PUSH_RATE_PER_SECOND=5000",
        "--env",
        "PUSH_BURST=500",
    ];
    let faults = ["--faults", "throttle=10%,server-error=5%"];
    let stack = Stack::start(
        &[quotas, greed]
            .concat()
            .into_iter()
            .chain(faults)
            .collect::<Vec<_>>(),
    )
    .await;
    let mut subscribers = stack.subscribe_many(100).await;
    let ledger = stack.settled(&stack.order().await).await;
    assert_eq!(
        (&ledger["targeted"], &ledger["accepted"]),
        (&json!(100), &json!(100))
    );
    for subscriber in &mut subscribers {
        assert_eq!(subscriber.frame().await["type"], "book.ordered");
    }
}

#[tokio::test]
async fn a_worker_killed_half_way_is_made_up_for() {
    // Two seconds of work at this rate, with a checkpoint every 200 ms.
    let pace = [
        "--env",
        "PUSH_RATE_PER_SECOND=100",
        "--env",
        "PUSH_BURST=20",
    ];
    let timing = ["--worker-timeout", "4s", "--visibility-timeout", "4s"];
    let checkpoints = [
        "--env",
        "CHECKPOINT_MS=200",
        "--env",
        "DEADLINE_MARGIN_MS=500",
    ];
    let timeout = ["--env", "PUSH_TIMEOUT_MS=300"];
    let arguments: Vec<_> = [pace, checkpoints].concat();
    let arguments: Vec<_> = arguments.into_iter().chain(timing).chain(timeout).collect();
    let stack = Stack::start(&arguments).await;
    let mut subscribers = stack.subscribe_many(200).await;
    let location = stack.order().await;
    stack.wait_until_accepted(&location, 40).await;
    for pid in stack.processes_of("worker") {
        stack.signal("KILL", pid).await;
    }
    let ledger = stack.settled(&location).await;
    assert_eq!(
        (&ledger["targeted"], &ledger["accepted"]),
        (&json!(200), &json!(200))
    );
    let mut arrived = 0;
    for subscriber in &mut subscribers {
        let count = subscriber.count_arrived().await;
        assert!((1..=2).contains(&count), "{count} frames");
        arrived += count;
    }
    // Pushed twice: at most what was pushed between two checkpoints, be it in
    // 200 ms or somewhat more on a slow machine.
    assert!(arrived < 300, "{arrived} frames for 200 sockets");
}

#[tokio::test]
async fn duplicate_deliveries_of_tasks_push_nobody_twice() {
    let stack = Stack::start(&[
        "--faults",
        "duplicate-delivery=100%",
        "--visibility-timeout",
        "2s",
    ])
    .await;
    let mut subscribers = stack.subscribe_many(20).await;
    for _ in 0..5 {
        let ledger = stack.settled(&stack.order().await).await;
        assert_eq!(
            (&ledger["targeted"], &ledger["accepted"]),
            (&json!(20), &json!(20))
        );
    }
    for subscriber in &mut subscribers {
        assert_eq!(subscriber.count_arrived().await, 5);
    }
}
