//! A hundred thousand bad frames, and nobody but their senders notices.

mod bad;
mod raw;

use std::collections::BTreeSet;

use fastrand::Rng;
use futures::future::join_all;
use serde_json::Value;

use self::raw::{RawSocket, Received};
use crate::stack::Stack;

const SEED: u64 = 0x5eed;
const SOCKETS: u64 = 12;
/// How many rounds each socket does, in each half of the test.
const ROUNDS: usize = 20;
/// How many messages are sent in a round before their answers are read.
const MESSAGES: usize = 64;
/// In how many frames a message is sent, at most: the gateway has to put them
/// together, and a function has to answer.
const MOST_FRAMES: usize = 6;

const CODES: [&str; 6] = [
    "not_json",
    "no_action",
    "unknown_action",
    "invalid_topics",
    "too_many_topics",
    "no_message",
];

#[tokio::test]
async fn a_hundred_thousand_bad_frames_hurt_nobody_else() {
    let stack = Stack::start(&["--account-rate", "unlimited", "--connect-rate", "unlimited"]).await;
    let mut bystanders = stack.subscribe_many(5).await;
    let started = processes(&stack);

    let mut sent = send_bad_frames(&stack, SEED).await;
    let at_half_time = processes(&stack);
    sent += send_bad_frames(&stack, SEED + SOCKETS).await;
    assert!(sent >= 100_000, "{sent} frames are too few");

    assert!(started.is_subset(&at_half_time), "a function was restarted");
    assert!(
        at_half_time.is_subset(&processes(&stack)),
        "a function was restarted"
    );
    stack.settled(&stack.order().await).await;
    for bystander in &mut bystanders {
        assert_eq!(bystander.count_arrived().await, 1);
    }
}

/// The processes of all functions that serve clients.
fn processes(stack: &Stack) -> BTreeSet<u32> {
    let functions = ["connect", "disconnect", "message", "publish", "worker"];
    let pids = functions.map(|name| stack.processes_of(name));
    pids.into_iter().flatten().collect()
}

/// Sends bad frames over many sockets at once and returns how many.
async fn send_bad_frames(stack: &Stack, first_seed: u64) -> usize {
    let seeds = first_seed..first_seed + SOCKETS;
    let sending = seeds.map(|seed| send_over_one_socket(&stack.ws, seed));
    join_all(sending).await.into_iter().sum()
}

/// Sends messages that are answered, then a frame that closes the socket, and
/// so on over a new one.
async fn send_over_one_socket(url: &str, seed: u64) -> usize {
    let mut random = Rng::with_seed(seed);
    let mut sent = 0;
    for _ in 0..ROUNDS {
        let mut socket = RawSocket::connect(url).await;
        let mut frames = Vec::new();
        for _ in 0..MESSAGES {
            let text = bad::message(&mut random);
            let pieces = 1 + random.usize(..MOST_FRAMES);
            sent += raw::write_text(&mut frames, text.as_bytes(), pieces);
        }
        socket.write(&frames).await;
        for _ in 0..MESSAGES {
            let received = socket.next().await;
            expect_error(&received, seed);
        }
        let closing = bad::closing(&mut random);
        socket.write(&closing.bytes).await;
        sent += closing.frames;
        let received = socket.next().await;
        assert_eq!(
            received,
            Received::Close(closing.code),
            "{}, seed {seed}",
            closing.name
        );
    }
    sent
}

#[track_caller]
fn expect_error(received: &Received, seed: u64) {
    let Received::Text(text) = received else {
        panic!("{received:?}, seed {seed}");
    };
    assert!(text.len() < 4_096, "{} bytes", text.len());
    let frame: Value = serde_json::from_slice(text).unwrap();
    let code = frame["code"].as_str().unwrap_or_default();
    assert_eq!(frame["type"], "error", "{frame}, seed {seed}");
    assert!(CODES.contains(&code), "{frame}, seed {seed}");
    assert!(frame["detail"].is_string(), "{frame}, seed {seed}");
}
