//! What happens around the workers: connections come and go, somebody
//! publishes and cancels.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fanout_core::connection::ConnectionId;
use fanout_core::notification::{Draft, Expiry, Notification, NotificationId, Target};
use fanout_core::queue::Lane;
use fanout_core::task::Task;
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use crate::script::{Behaviour, Member, Publish, Script, What};
use crate::store::Row;
use crate::witness::{Life, Published, PublishedTo};
use crate::world::{State, World};

/// Something that happens at a time.
#[derive(Clone, Debug)]
enum Event {
    Open(ConnectionId, Member),
    Close(ConnectionId, Member),
    /// By number.
    Publish(usize, Publish),
    Cancel(usize),
}

const TOPIC: &str = "stocks/AAPL";

/// Plays the script to its end.
pub(crate) async fn play(world: &Arc<World>) {
    let mut published = BTreeMap::new();
    for (at, event) in events(&world.script) {
        sleep_until(world.started + at).await;
        let mut state = world.state();
        match event {
            Event::Open(id, member) => open(world, &mut state, id, member),
            Event::Close(id, member) => close(&mut state, &id, member),
            Event::Publish(number, publish) => {
                published.insert(number, put(world, &mut state, publish));
                world.sent.notify_waiters();
            }
            Event::Cancel(number) => {
                let id = published[&number];
                if state.tables.cancel(id) {
                    state.witness.cancelled(id, Instant::now());
                }
            }
        }
    }
}

/// Everything that the script says will happen, in order.
fn events(script: &Script) -> Vec<(Duration, Event)> {
    let at = Duration::from_millis;
    let mut events = Vec::new();
    for number in 0..script.crowd {
        events.push((at(0), Event::Open(id_of(number), bystander(number))));
    }
    for (member, number) in script.members.iter().zip(script.crowd..) {
        let id = id_of(number);
        events.push((at(member.opens_ms), Event::Open(id.clone(), *member)));
        let Some(stays_ms) = member.stays_ms else {
            continue;
        };
        let closes_ms = member.opens_ms + stays_ms;
        events.push((at(closes_ms), Event::Close(id.clone(), *member)));
        if let Some(after_ms) = member.returns_after_ms {
            events.push((at(closes_ms + after_ms), Event::Open(id, *member)));
        }
    }
    for (number, publish) in script.publishes.iter().enumerate() {
        events.push((at(publish.at_ms), Event::Publish(number, *publish)));
        if let Some(after_ms) = publish.cancelled_after_ms {
            events.push((at(publish.at_ms + after_ms), Event::Cancel(number)));
        }
    }
    events.sort_by_key(|(at, _)| *at);
    events
}

/// Ids come in no order: what is read next has nothing to do with who came
/// first.
fn id_of(number: u16) -> ConnectionId {
    let scattered = u32::from(number) * 7_919 % 10_007;
    format!("c{scattered:05}").into()
}

fn bystander(number: u16) -> Member {
    Member {
        is_listening: number.is_multiple_of(2),
        opens_ms: 0,
        stays_ms: None,
        is_seen_off: true,
        returns_after_ms: None,
        is_stale: false,
        behaviour: Behaviour::Accepts,
    }
}

fn open(world: &World, state: &mut State, id: ConnectionId, member: Member) {
    state.gateway.open(&id, member.behaviour);
    let row = Row {
        connected_at: world.clock.now(),
        is_listening: member.is_listening,
        is_stale: member.is_stale,
    };
    state.tables.connections.insert(id.clone(), row);
    state.witness.lives.push(Life {
        id,
        is_listening: member.is_listening,
        is_stale: member.is_stale,
        opened_at: world.now(),
        is_closed: false,
    });
}

fn close(state: &mut State, id: &ConnectionId, member: Member) {
    state.gateway.close(id);
    if member.is_seen_off {
        state.tables.connections.remove(id);
    }
    let lives = state.witness.lives.iter_mut();
    for life in lives.filter(|life| life.id == *id) {
        life.is_closed = true;
    }
}

/// Puts a message on the queue, as the publish function does.
fn put(world: &World, state: &mut State, publish: Publish) -> NotificationId {
    let (target, audience) = match publish.what {
        What::Topic => {
            let topic = TOPIC.parse().unwrap();
            (Target::Topic { topic }, PublishedTo::Listeners)
        }
        What::Connection(number) => {
            let count = u16::try_from(world.script.members.len()).unwrap() + world.script.crowd;
            let id = id_of(number % count.max(1));
            (Target::Connection { id: id.clone() }, PublishedTo::One(id))
        }
        What::Everyone | What::PreviousRelease | What::TooOld | What::Garbage => {
            (Target::Everyone, PublishedTo::Everyone)
        }
    };
    let draft = Draft {
        expiry: publish.ttl_seconds.map(Expiry::AfterSeconds),
        ..Draft::new("simulated", target, json!({}))
    };
    let notification = Notification::accept(draft, "/simulation", world.clock.now());
    let id = notification.id;
    let body = match publish.what {
        What::Garbage => "{\"frame\":".to_owned(),
        What::TooOld => task(notification).replacen("\"version\":1", "\"version\":0", 1),
        What::PreviousRelease => format!(
            r#"{{"version":1,"notificationId":"{id}","part":"root","work":{{"audience":{{"kind":"everyone"}}}},"frame":"{{}}"}}"#
        ),
        What::Everyone | What::Topic | What::Connection(_) => task(notification),
    };
    if !publish.what.is_garbage() {
        state.tables.record(id, world.clock.now());
        let at = world.now();
        state.witness.published.push(Published { id, at, audience });
    }
    let lane = Lane::Notifications;
    state
        .queues
        .send(&world.script, lane, world.now(), body, Duration::ZERO);
    id
}

fn task(notification: Notification) -> String {
    Task::of(notification, None).encode().unwrap()
}
