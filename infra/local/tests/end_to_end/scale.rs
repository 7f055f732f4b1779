//! Five thousand sockets, and everything going wrong at once.

use serde_json::json;

use crate::stack::{Stack, Subscriber, signal};

const SOCKETS: usize = 5_000;
const VANISHED: usize = SOCKETS / 50;

#[tokio::test]
async fn nothing_is_lost_though_workers_are_killed_three_times() {
    // The clients' ends of the sockets are this process's files.
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    assert!(files > 6_000, "{files} open files are too few: ulimit -n");
    // At this rate the fan-out takes some seconds: time to be killed in.
    let stack = Stack::start(&[
        "--account-rate",
        "2000",
        "--account-burst",
        "500",
        "--connect-rate",
        "unlimited",
        "--worker-timeout",
        "6s",
        "--visibility-timeout",
        "7s",
        "--env",
        "DEADLINE_MARGIN_MS=2000",
        "--env",
        "PUSH_TIMEOUT_MS=1000",
        "--env",
        "CHECKPOINT_MS=250",
        "--faults",
        "throttle=5%,lost-disconnect=100%",
    ])
    .await;
    let mut subscribers = stack.subscribe_many(SOCKETS).await;
    for subscriber in subscribers.drain(..VANISHED) {
        let id = subscriber.identify().await;
        stack.wait_until_disconnected(&id).await;
    }

    let location = stack.order().await;
    for accepted in [500, 1_500, 2_500] {
        stack.wait_until_accepted(&location, accepted).await;
        for pid in stack.processes_of("worker") {
            signal("KILL", pid).await;
        }
    }
    let ledger = stack.settled(&location).await;
    let live = SOCKETS - VANISHED;
    let counts = ["state", "accepted"].map(|name| ledger[name].clone());
    assert_eq!(counts, [json!("done"), json!(live)]);
    let [targeted, gone] = ["targeted", "gone"].map(|name| ledger[name].as_u64().unwrap());
    // A worker that is killed after it deleted a row, and before it wrote that
    // down, leaves nobody whom the next one could count.
    assert!(gone <= VANISHED as u64, "{ledger}");
    assert_eq!(targeted, live as u64 + gone, "{ledger}");
    assert_eq!(stack.dead_letters().await, 0);

    let mut arrived = 0;
    for subscriber in &mut subscribers {
        let count = subscriber.count_arrived().await;
        assert!(count > 0, "a live socket got nothing");
        arrived += count;
    }
    println!("{arrived} frames for {live} sockets and three kills");
}

impl Subscriber {
    /// Asks who it is, then vanishes without a closing handshake.
    async fn identify(mut self) -> String {
        let who = self.ask(json!({"action": "whoami"})).await;
        let id = who["connectionId"].as_str().unwrap().to_owned();
        self.vanish();
        id
    }
}
