//! What goes wrong, and what comes of it: nothing is lost, the ledger adds up.

use serde_json::json;

use crate::stack::{PUSH_CLIENTS, Stack, signal};

#[tokio::test]
async fn sockets_that_vanished_without_a_disconnect_are_found_gone() {
    for push_client in PUSH_CLIENTS {
        let faults = ["--faults", "lost-disconnect=100%"];
        let grace = ["--env", "HANDSHAKE_GRACE_MS=0", "--env", push_client];
        let stack = Stack::start(&[&faults[..], &grace].concat()).await;
        let mut subscribers = stack.subscribe_many(30).await;
        let mut vanished = Vec::new();
        for mut subscriber in subscribers.drain(..10) {
            let who = subscriber.ask(json!({"action": "whoami"})).await;
            vanished.push(who["connectionId"].as_str().unwrap().to_owned());
            subscriber.vanish();
        }
        for id in &vanished {
            stack.wait_until_disconnected(id).await;
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
}

#[tokio::test]
async fn throttled_pushes_are_tried_again_until_everybody_has_it() {
    for push_client in PUSH_CLIENTS {
        // Workers that think they may push far more than the account allows.
        let stack = Stack::start(&[
            "--account-rate",
            "200",
            "--account-burst",
            "20",
            "--small-audience",
            "200",
            "--env",
            "PUSH_RATE_PER_SECOND=5000",
            "--env",
            "PUSH_BURST=500",
            "--faults",
            "server-error=5%",
            "--env",
            push_client,
            "--log",
            "info",
        ])
        .await;
        let mut subscribers = stack.subscribe_many(200).await;
        let ledger = stack.settled(&stack.order().await).await;
        assert_eq!(
            (&ledger["targeted"], &ledger["accepted"]),
            (&json!(200), &json!(200))
        );
        for subscriber in &mut subscribers {
            assert_eq!(subscriber.frame().await["type"], "book.ordered");
        }
        // No fault throttles here: it was the account's bucket.
        let said = stack.process.logged("task ended").await;
        let throttled = said
            .split(' ')
            .find_map(|word| word.strip_prefix("throttled="));
        assert!(throttled.unwrap().parse::<u32>().unwrap() > 0, "{said}");
    }
}

#[tokio::test]
async fn workers_with_little_time_reach_everybody() {
    let stack = Stack::start(&["--worker-timeout", "1s"]).await;
    let mut subscribers = stack.subscribe_many(50).await;
    let ledger = stack.settled(&stack.order().await).await;
    assert_eq!(
        (&ledger["targeted"], &ledger["accepted"]),
        (&json!(50), &json!(50))
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
    let timeout = ["--env", "PUSH_TIMEOUT_MS=250"];
    let arguments: Vec<_> = [pace, checkpoints].concat();
    let arguments: Vec<_> = arguments.into_iter().chain(timing).chain(timeout).collect();
    let stack = Stack::start(&arguments).await;
    let mut subscribers = stack.subscribe_many(200).await;
    let location = stack.order().await;
    stack.wait_until_accepted(&location, 40).await;
    let written_down = stack.ledger(&location).await["accepted"].as_u64();
    for pid in stack.processes_of("worker") {
        signal("KILL", pid).await;
    }
    let ledger = stack.settled(&location).await;
    assert_eq!(
        (&ledger["targeted"], &ledger["accepted"]),
        (&json!(200), &json!(200))
    );
    let mut once = 0;
    for subscriber in &mut subscribers {
        let count = subscriber.count_arrived().await;
        assert!((1..=2).contains(&count), "{count} frames");
        once += u64::from(count == 1);
    }
    // Who is written down is not pushed to again.
    assert!(Some(once) >= written_down, "{once}, {written_down:?}");
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

#[tokio::test]
async fn what_ended_among_the_dead_letters_can_be_redriven() {
    let stack = Stack::start(&["--env", "MAX_THROTTLED=2", "--env", "RETRY_BASE_MS=1"]).await;
    let mut subscriber = stack.subscribe_with_small_buffer().await;
    let who = subscriber.ask(json!({"action": "whoami"})).await;
    // It does not read: what may wait for it is full at some time.
    let target = json!({"connection": who["connectionId"]});
    let body = json!({"type": "t", "data": "x".repeat(30_000), "target": target}).to_string();
    let mut accepted = 0;
    let failed = loop {
        let location = stack.publish("/notifications", &body).await;
        let ledger = stack.settled(&location).await;
        if ledger["state"] == "failed" {
            break location;
        }
        accepted += 1;
        assert!(accepted < 500, "never refused");
    };
    stack.wait_for_dead_letters(1).await;

    for _ in 0..accepted {
        assert_eq!(subscriber.frame().await["type"], "t");
    }
    stack.redrive().await;
    let id = failed.strip_prefix("/notifications/").unwrap();
    assert_eq!(subscriber.frame().await["id"], id);
    let ledger = stack.settled_after_all(&failed).await;
    let counts = ["targeted", "accepted", "failed"].map(|name| ledger[name].clone());
    assert_eq!(counts, [json!(1), json!(1), json!(0)]);
    assert_eq!(stack.dead_letters().await, 0);
}
