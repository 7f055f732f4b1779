//! Starting, stopping, and what stands in the way.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::stack::{
    Process, Stack, Subscriber, command, command_with_file_limit, fail_to_start, signal,
};

#[tokio::test]
async fn two_stacks_on_one_machine_know_nothing_of_each_other() {
    let (one, other) = tokio::join!(Stack::start(&[]), Stack::start(&[]));
    let mut of_one = one.subscribe("").await;
    let mut of_other = other.subscribe("").await;
    let ledger = one.settled(&one.order().await).await;
    assert_eq!(ledger["targeted"], 1);
    assert_eq!(of_one.count_arrived().await, 1);
    assert_eq!(of_other.count_arrived().await, 0);
}

#[tokio::test]
async fn ctrl_c_closes_the_sockets_and_leaves_no_process() {
    let stack = Stack::start(&[]).await;
    let mut subscriber = stack.subscribe("").await;
    stack.settled(&stack.order().await).await;
    subscriber.frame().await;
    let functions = ["connect", "disconnect", "message", "publish", "worker"];
    let processes: Vec<_> = functions
        .iter()
        .flat_map(|name| stack.processes_of(name))
        .collect();
    assert!(processes.len() >= functions.len(), "{processes:?}");

    let (is_success, last) = tokio::join!(stack.stop(), subscriber.next());
    assert!(is_success);
    let Message::Close(Some(close)) = last else {
        panic!("{last:?}");
    };
    assert_eq!(close.code, CloseCode::Away);
    for pid in processes {
        assert!(
            !std::path::Path::new(&format!("/proc/{pid}")).exists(),
            "{pid} is left"
        );
    }
}

/// A stack whose worker is in the middle of something that takes minutes.
async fn busy_stack() -> (Stack, Vec<Subscriber>) {
    let stack = Stack::start(&[
        "--worker-timeout",
        "10m",
        "--env",
        "PUSH_RATE_PER_SECOND=1",
        "--env",
        "PUSH_BURST=1",
    ])
    .await;
    let subscribers = stack.subscribe_many(200).await;
    let location = stack.order().await;
    stack.wait_until_accepted(&location, 1).await;
    (stack, subscribers)
}

#[tokio::test]
async fn ctrl_c_in_a_broadcast_waits_for_the_grace_period_alone() {
    let (stack, _subscribers) = busy_stack().await;
    assert!(stack.stop().await);
}

#[tokio::test]
async fn a_second_ctrl_c_ends_the_stack_at_once() {
    let (mut stack, _subscribers) = busy_stack().await;
    let process = &mut stack.process;
    signal("INT", process.pid()).await;
    process.logged("once more to stop at once").await;
    signal("INT", process.pid()).await;
    assert!(!process.ended().await.success());
    process
        .logged("error: stopped before everything had ended")
        .await;
}

#[tokio::test]
async fn ctrl_c_ends_a_stack_that_is_still_starting() {
    let directory = tempfile::tempdir().unwrap();
    // A function that never asks for its first event.
    let stalled = directory.path().join("connect");
    std::fs::write(&stalled, "#!/bin/sh\necho stalled >&2\nexec sleep 600\n").unwrap();
    std::fs::set_permissions(&stalled, Permissions::from_mode(0o755)).unwrap();
    for name in ["disconnect", "message", "publish", "worker"] {
        std::fs::copy(&stalled, directory.path().join(name)).unwrap();
    }
    let functions = directory.path().to_str().unwrap();
    let end = async |name: &str| {
        let mut process = Process::spawn(command(&["--functions", functions]));
        // What a function says on standard error is shown without asking.
        process.logged("stalled").await;
        signal(name, process.pid()).await;
        process.ended().await.success()
    };
    assert_eq!(tokio::join!(end("INT"), end("TERM")), (true, true));
}

#[tokio::test]
async fn a_stack_that_cannot_start_says_why_and_ends() {
    for (variable, reason) in [
        ("PUSH_BURST=abc", "error: cannot start function worker"),
        (
            "AWS_REGION=x",
            "error: function connect: the variable AWS_REGION",
        ),
    ] {
        let said = fail_to_start(&["--env", variable]).await;
        assert!(said.contains(reason), "{said}");
    }
}

#[tokio::test]
async fn two_stacks_cannot_have_one_data_directory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let stack = Stack::start(&["--data-dir", path]).await;
    let said = fail_to_start(&["--data-dir", path]).await;
    let reason = format!("error: --data-dir {path}: is in use by another stack");
    assert!(said.contains(&reason), "{said}");
    assert!(stack.stop().await);
    Stack::start(&["--data-dir", path]).await;
}

#[tokio::test]
async fn at_the_limit_of_open_files_publishers_and_workers_are_served() {
    let stack = Stack::of(command_with_file_limit(600, &[])).await;
    let mut subscribers = stack.subscribe_many(300).await;
    let Err(Error::Http(refused)) = stack.try_subscribe("").await else {
        panic!("one more socket than files were let in");
    };
    assert_eq!(refused.status(), 429);
    let ledger = stack.settled(&stack.order().await).await;
    assert_eq!(ledger["accepted"], 300);
    for subscriber in &mut subscribers {
        assert_eq!(subscriber.frame().await["type"], "book.ordered");
    }
}

#[tokio::test]
async fn tables_in_a_directory_outlive_the_stack() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["--data-dir", directory.path().to_str().unwrap()];
    let stack = Stack::start(&arguments).await;
    let location = stack.order().await;
    let before = stack.settled(&location).await;
    assert!(stack.stop().await);
    let stack = Stack::start(&arguments).await;
    assert_eq!(stack.request("GET", &location, "").await.body, before);
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = fail_to_start(&["--stage", "prod", "--data-dir", "/dev/null/x"]).await;
    assert!(
        said.contains("--data-dir /dev/null/x: cannot be used"),
        "{said}"
    );
    let said = fail_to_start_at(&address).await;
    assert!(
        said.contains(&format!("--http: cannot listen on {address}")),
        "{said}"
    );
}

async fn fail_to_start_at(http: &str) -> String {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_fanout-local"));
    let output = command
        .args(["--http", http, "--ws", "127.0.0.1:0"])
        .output()
        .await
        .unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn more_sockets_than_open_files_are_refused_at_the_start() {
    let said = fail_to_start(&["--max-sockets", "4000000000"]).await;
    assert!(said.contains("--max-sockets 4000000000 takes "), "{said}");
    assert!(said.contains("ulimit -n"), "{said}");
}
