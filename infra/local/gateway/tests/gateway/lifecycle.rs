//! Ends of sockets and of gateways.

use std::time::Duration;

use bytes::Bytes;
use fanout_local_faults::FaultPlan;
use futures::SinkExt as _;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::stage::{Stage, close_code, next, settings};

#[tokio::test]
async fn an_idle_socket_closes_with_1001() {
    let mut settings = settings();
    settings.idle_timeout = Duration::from_millis(50);
    let mut stage = Stage::start(settings);
    let (mut socket, _) = stage.connect().await;
    assert_eq!(close_code(&mut socket).await, 1001);
    let context = stage.event("disconnect").await["requestContext"].clone();
    assert_eq!(context["disconnectStatusCode"], 1001);
    assert_eq!(context["disconnectReason"], "Going away");
}

#[tokio::test]
async fn a_close_by_the_client_reaches_disconnect_and_frees_the_id() {
    let mut stage = Stage::start(settings());
    let (mut socket, id) = stage.connect().await;
    let frame = CloseFrame {
        code: 1000.into(),
        reason: "bye".into(),
    };
    socket.close(Some(frame)).await.unwrap();
    assert_eq!(close_code(&mut socket).await, 1000);
    drop(socket);
    let context = stage.event("disconnect").await["requestContext"].clone();
    assert_eq!(context["connectionId"], *id);
    assert_eq!(context["disconnectReason"], "bye");
    assert_eq!(stage.push(&id, "x").await, 410);
    assert_eq!(stage.gateway.statistics().open_sockets, 0);
}

#[tokio::test]
async fn a_socket_that_vanishes_reaches_disconnect_as_1006() {
    let mut stage = Stage::start(settings());
    let (socket, id) = stage.connect().await;
    drop(socket);
    let context = stage.event("disconnect").await["requestContext"].clone();
    assert_eq!(context["disconnectStatusCode"], 1006);
    assert_eq!(stage.push(&id, "x").await, 410);
}

#[tokio::test]
async fn a_lost_disconnect_never_comes() {
    let mut settings = settings();
    settings.faults = FaultPlan::parse("lost-disconnect=1", 1).unwrap();
    let mut stage = Stage::start(settings);
    let (socket, _) = stage.connect().await;
    drop(socket);
    // The end of the shutdown is the end of every socket's task.
    let gateway = stage.gateway.clone();
    stage.end().await;
    let statistics = gateway.statistics();
    assert_eq!(statistics.disconnects_lost, 1);
    assert_eq!(statistics.disconnects_reported, 0);
}

#[tokio::test]
async fn a_shutdown_closes_every_socket_and_reports_it() {
    let mut stage = Stage::start(settings());
    let (mut first, _) = stage.connect().await;
    let (mut second, id) = stage.connect().await;
    assert_eq!(stage.push(&id, "accepted before").await, 200);
    let gateway = stage.gateway.clone();
    let ending = tokio::spawn(stage.end());
    assert_eq!(close_code(&mut first).await, 1001);
    assert_eq!(next(&mut second).await, Message::text("accepted before"));
    assert_eq!(close_code(&mut second).await, 1001);
    drop((first, second));
    ending.await.unwrap();
    let statistics = gateway.statistics();
    assert_eq!(statistics.open_sockets, 0);
    assert_eq!(statistics.disconnects_reported, 2);
}

#[tokio::test]
async fn a_shutdown_gives_up_a_function_that_hangs() {
    let mut settings = settings();
    settings.shutdown_grace = Duration::from_millis(20);
    let mut stage = Stage::start(settings);
    stage
        .functions
        .play("disconnect", |_| std::future::pending());
    let (socket, _) = stage.connect().await;
    drop(socket);
    stage.event("disconnect").await;
    stage.end().await;
}

#[tokio::test]
async fn two_gateways_do_not_know_each_others_connections() {
    let mut one = Stage::start(settings());
    let mut other = Stage::start(settings());
    let (mut socket, id) = one.connect().await;
    let (_other_socket, other_id) = other.connect().await;
    assert_eq!(one.push(&other_id, "x").await, 410);
    assert_eq!(other.push(&id, "x").await, 410);
    assert_eq!(one.push(&id, "mine").await, 200);
    assert_eq!(next(&mut socket).await, Message::text("mine"));
    other.end().await;
    assert_eq!(one.push(&id, "still here").await, 200);
    assert_eq!(next(&mut socket).await, Message::text("still here"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sockets_each_get_their_own_pushes() {
    let mut settings = settings();
    settings.connect_rate = None;
    let mut stage = Stage::start(settings);
    let mut sockets = Vec::new();
    for _ in 0..300 {
        sockets.push(stage.connect().await);
    }
    assert_eq!(stage.gateway.statistics().open_sockets, 300);
    for (_, id) in &sockets {
        let reply = stage.call("POST", id, Bytes::from(id.clone())).await;
        assert_eq!(reply.status(), 200);
    }
    for (socket, id) in &mut sockets {
        assert_eq!(next(socket).await, Message::text(id.clone()));
        socket.send(Message::Close(None)).await.unwrap();
    }
    for _ in 0..300 {
        stage.event("disconnect").await;
    }
    assert_eq!(stage.gateway.statistics().open_sockets, 0);
}
