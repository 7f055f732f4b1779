//! Pools of connections over HTTP/2.

use super::*;

#[tokio::test]
async fn few_requests_share_one_connection() {
    let gateway = Gateway::start(Speaks::Http2).await;
    let pool = gateway.pool(256);
    let all = futures::future::try_join_all((0..64).map(|_| ask(&pool, "held")));
    let (all, ()) = tokio::join!(all, async {
        gateway.until_held(64).await;
        gateway.release();
    });
    assert_eq!(all.unwrap().len(), 64);
    assert_eq!(ask(&pool, "error").await.unwrap().status(), 410);
    assert_eq!(gateway.connections(), 1);
}

#[tokio::test]
async fn several_connections_share_many_requests() {
    let gateway = Gateway::start(Speaks::Http2).await;
    let pool = gateway.pool(256);
    let all = futures::future::try_join_all((0..300).map(|_| ask(&pool, "held")));
    let (all, ()) = tokio::join!(all, async {
        gateway.until_held(256).await;
        assert_eq!(gateway.connections(), 4);
        gateway.release();
    });
    assert_eq!(all.unwrap().len(), 300);
    assert_eq!(gateway.connections(), 4);
}

#[tokio::test]
async fn behind_a_request_that_was_given_up_others_end_and_none_follows() {
    let gateway = Gateway::start(Speaks::Http2).await;
    let pool = gateway.pool(256);
    let other = ask(&pool, "held");
    let (other, ()) = tokio::join!(other, async {
        tokio::select! {
            _ = ask(&pool, "held") => panic!("nobody answers it"),
            () = gateway.until_held(2) => {}
        }
        assert_eq!(gateway.connections(), 1);
        ask(&pool, "nothing").await.unwrap();
        assert_eq!(gateway.connections(), 2);
        gateway.release();
    });
    other.unwrap();
}

#[tokio::test]
async fn after_a_goaway_there_is_a_new_connection() {
    let gateway = Gateway::start(Speaks::Http2).await;
    let pool = gateway.pool(256);
    for expected in 1..4 {
        ask(&pool, "nothing").await.unwrap();
        assert_eq!(gateway.connections(), expected);
        gateway.say_goodbye().await;
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_was_in_flight_on_a_lost_connection_is_lost() {
    let gateway = Gateway::start(Speaks::Http2).await;
    let pool = gateway.pool(256);
    let (lost, ()) = tokio::join!(ask(&pool, "held"), async {
        gateway.until_held(1).await;
        gateway.cut_all().await;
    });
    assert!(matches!(lost, Err(SendError::Lost(_))), "{lost:?}");
    ask(&pool, "nothing").await.unwrap();
    assert_eq!(gateway.connections(), 2);
}

#[tokio::test]
async fn connections_end_with_their_pool() {
    let gateway = Gateway::start(Speaks::Http2).await;
    let pool = gateway.pool(256);
    ask(&pool, "nothing").await.unwrap();
    drop(pool);
    gateway.until_all_closed().await;
}
