//! Starting, stopping, and what stands in the way.

use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::stack::{Stack, fail_to_start};

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
    assert!(
        said.contains("--max-sockets 4000000000 takes 4000002000 open files"),
        "{said}"
    );
    assert!(said.contains("ulimit -n"), "{said}");
}
