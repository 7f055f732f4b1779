//! Pools of connections to a gateway on this machine.

mod gateway;
mod http2;

use bytes::Bytes;
use http::Response;
use http::uri::PathAndQuery;

use self::gateway::{Gateway, Speaks};
use super::*;

const START: Timestamp = Timestamp::UNIX_EPOCH;

/// Sends a request that says how it wants to be answered.
async fn ask_with(
    pool: &Pool,
    now: Timestamp,
    how: &'static str,
    payload: &Bytes,
) -> Result<Response<Bytes>, SendError> {
    let path: PathAndQuery = format!("/{how}").parse().unwrap();
    let post = Post {
        path: &path,
        headers: &[],
        payload,
    };
    pool.send(now, post).await
}

async fn ask(pool: &Pool, how: &'static str) -> Result<Response<Bytes>, SendError> {
    ask_with(pool, START, how, &Bytes::from_static(b"{}")).await
}

#[tokio::test]
async fn requests_one_after_another_share_a_connection() {
    let gateway = Gateway::start(Speaks::Plain).await;
    let pool = gateway.pool(8);
    for how in ["nothing", "error", "nothing", "error"] {
        ask(&pool, how).await.unwrap();
    }
    assert_eq!(gateway.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_was_opened_ahead_is_the_first_that_is_used() {
    for speaks in [Speaks::Plain, Speaks::Http1, Speaks::Http2] {
        let gateway = Gateway::start(speaks).await;
        let pool = gateway.pool(8);
        for _ in 0..2 {
            pool.warm_up(START).await.unwrap();
            ask(&pool, "nothing").await.unwrap();
        }
        assert_eq!(gateway.connections(), 1);
    }
}

#[tokio::test]
async fn warming_up_does_not_rest_a_connection_any_less() {
    for speaks in [Speaks::Plain, Speaks::Http2] {
        let gateway = Gateway::start(speaks).await;
        let pool = gateway.pool(8);
        pool.warm_up(START).await.unwrap();
        let half = LONGEST_REST / 2;
        pool.warm_up(START + half).await.unwrap();
        gateway.until_connected(1).await;
        assert_eq!(gateway.connections(), 1);
        pool.warm_up(START + LONGEST_REST + half).await.unwrap();
        gateway.until_connected(2).await;
    }
}

#[tokio::test]
async fn there_are_no_more_connections_than_requests_may_be_in_flight() {
    for speaks in [Speaks::Plain, Speaks::Http1] {
        let gateway = Gateway::start(speaks).await;
        let pool = gateway.pool(3);
        let all = (0..20).map(|_| ask(&pool, "held"));
        let all = futures::future::try_join_all(all);
        let (all, ()) = tokio::join!(all, async {
            gateway.until_held(3).await;
            assert_eq!(gateway.connections(), 3);
            gateway.release();
        });
        assert_eq!(all.unwrap().len(), 20);
        assert_eq!(gateway.connections(), 3);
    }
}

#[tokio::test]
async fn the_first_connection_is_opened_alone() {
    let gateway = Gateway::start(Speaks::Http1).await;
    let pool = gateway.pool(5);
    gateway.hold_handshakes();
    let all = futures::future::try_join_all((0..5).map(|_| ask(&pool, "held")));
    let (all, ()) = tokio::join!(all, async {
        gateway.until_connected(1).await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(gateway.connections(), 1);
        gateway.let_handshakes_go();
        gateway.until_held(5).await;
        gateway.release();
    });
    assert_eq!(all.unwrap().len(), 5);
    assert_eq!(gateway.connections(), 5);
}

#[tokio::test]
async fn a_connection_that_the_gateway_closes_is_not_used_again() {
    let gateway = Gateway::start(Speaks::Plain).await;
    let pool = gateway.pool(8);
    for expected in 1..4 {
        ask(&pool, "last").await.unwrap();
        assert_eq!(gateway.connections(), expected);
    }
}

#[tokio::test]
async fn all_that_were_closed_while_they_rested_are_passed_over() {
    let gateway = Gateway::start(Speaks::Plain).await;
    let pool = gateway.pool(8);
    let all = futures::future::try_join_all((0..8).map(|_| ask(&pool, "held")));
    let (all, ()) = tokio::join!(all, async {
        gateway.until_held(8).await;
        gateway.release();
    });
    all.unwrap();
    gateway.cut_all().await;
    // The runtime is told of what happened to its sockets.
    tokio::task::yield_now().await;
    ask(&pool, "nothing").await.unwrap();
    assert_eq!(gateway.connections(), 9);
}

#[tokio::test]
async fn a_connection_that_rested_for_too_long_is_not_used_again() {
    for speaks in [Speaks::Plain, Speaks::Http2] {
        let gateway = Gateway::start(speaks).await;
        let pool = gateway.pool(8);
        let at = |seconds| START + SignedDuration::from_secs(seconds);
        for (seconds, expected) in [(0, 1), (20, 1), (41, 2), (40, 2), (10, 3)] {
            let payload = Bytes::from_static(b"{}");
            let asked = ask_with(&pool, at(seconds), "nothing", &payload);
            asked.await.unwrap();
            assert_eq!(gateway.connections(), expected, "at {seconds} s");
        }
    }
}

#[tokio::test]
async fn a_body_is_kept_up_to_its_bound() {
    let gateway = Gateway::start(Speaks::Plain).await;
    let pool = gateway.pool(8);
    let answer = ask(&pool, "error").await.unwrap();
    assert_eq!(answer.status(), 410);
    assert_eq!(answer.body(), "{\"code\":\"GoneException\"}");
    let answer = ask(&pool, "long").await.unwrap();
    assert_eq!(answer.body().len(), exchange::MOST_BODY);
    // Rather than to read the rest, its connection is closed.
    ask(&pool, "nothing").await.unwrap();
    assert_eq!(gateway.connections(), 2);
}

#[tokio::test]
async fn a_large_payload_arrives_whole() {
    let payload = Bytes::from(vec![b'x'; 128 * 1024]);
    for speaks in [Speaks::Plain, Speaks::Http1, Speaks::Http2] {
        let gateway = Gateway::start(speaks).await;
        let pool = gateway.pool(8);
        for _ in 0..3 {
            let answer = ask_with(&pool, START, "size", &payload).await.unwrap();
            assert_eq!(answer.body(), "131072");
        }
        assert_eq!(gateway.connections(), 1);
    }
}

#[tokio::test]
async fn what_a_new_connection_does_not_take_is_not_sent_again() {
    let gateway = Gateway::start(Speaks::Nothing).await;
    let pool = gateway.pool(8);
    let failed = ask(&pool, "nothing").await;
    assert!(matches!(failed, Err(SendError::Lost(_))), "{failed:?}");
    assert_eq!(gateway.connections(), 1);
}

#[tokio::test]
async fn a_request_that_is_dropped_frees_its_place() {
    let gateway = Gateway::start(Speaks::Plain).await;
    let pool = gateway.pool(1);
    for connections in 1..=3 {
        tokio::select! {
            _ = ask(&pool, "held") => panic!("nobody answers it"),
            () = gateway.until_connected(connections) => {}
        }
    }
    ask(&pool, "nothing").await.unwrap();
    assert_eq!(gateway.connections(), 4);
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_not_pushed_to() {
    let gateway = Gateway::start(Speaks::Http1).await;
    let failed = ask(&gateway.pool_that_trusts_nobody(), "nothing").await;
    assert!(matches!(failed, Err(SendError::Connect(_))), "{failed:?}");
}
