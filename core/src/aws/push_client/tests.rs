use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use super::*;
use crate::aws::tests::config;

const ID: &str = "TXzPWdnOjoECGjA=";
/// The path and the signature, and one to spare; the SDK makes some 350.
const MOST_ALLOCATIONS: u64 = 4;

fn client(endpoint: &str) -> Result<PushClient, PushClientError> {
    let settings = Settings {
        endpoint: endpoint.to_owned(),
        attempt_timeout: Duration::from_mins(1),
        max_in_flight: 1,
    };
    PushClient::new(&config(), &settings, Clock::System)
}

/// Accepts every push on one connection, on a thread of its own, so that what
/// it allocates is not counted.
fn accept_all(gateway: TcpListener) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let (mut socket, _) = gateway.accept().unwrap();
        let (mut buffer, mut filled) = ([0; 2_048], 0);
        loop {
            let read = socket.read(&mut buffer[filled..]).unwrap();
            if read == 0 {
                return;
            }
            filled += read;
            if buffer[..filled].ends_with(b"\r\n\r\n{}") {
                let answer = b"HTTP/1.1 200 OK\r\nx-amzn-requestid: 1\r\ncontent-length: 0\r\n\r\n";
                socket.write_all(answer).unwrap();
                filled = 0;
            }
        }
    })
}

/// Counted work: a push on an open connection, from the id to the outcome.
#[test]
fn a_push_costs_few_allocations() {
    let gateway = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/prod", gateway.local_addr().unwrap());
    let gateway = accept_all(gateway);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = runtime.block_on(async { client(&endpoint).unwrap() });
    let (id, payload) = (ID.into(), Bytes::from_static(b"{}"));
    let push = |times: u32| {
        runtime.block_on(async {
            for _ in 0..times {
                let outcome = client.push(&id, &payload).await;
                assert_eq!(outcome, PushOutcome::Accepted);
            }
        });
    };
    push(10);
    let cost = allocation_counter::measure(|| push(1_000));
    let each = cost.count_total / 1_000;
    assert!(each <= MOST_ALLOCATIONS, "{each}: {cost:?}");
    drop((client, runtime));
    gateway.join().unwrap();
}

#[test]
fn a_client_that_cannot_be_is_told_at_once() {
    let no_stage = client("https://push.example/prod?x").unwrap_err();
    assert!(matches!(no_stage, PushClientError::Endpoint(_)));
    let settings = Settings {
        endpoint: "http://push.example".to_owned(),
        attempt_timeout: Duration::from_secs(1),
        max_in_flight: 1,
    };
    let without = |config: SdkConfig| PushClient::new(&config, &settings, Clock::System);
    let no_region = without(config().into_builder().region(None).build());
    assert!(matches!(no_region, Err(PushClientError::NoRegion)));
}

#[tokio::test]
async fn a_client_does_not_show_what_it_signs_with() {
    let client = client("http://push.example/prod").unwrap();
    let shown = format!("{client:?}");
    assert!(shown.contains("push.example"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
}
