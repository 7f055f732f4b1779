//! The queue against a naive model, over generated operations.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const RETENTION: Duration = Duration::from_mins(2);
const MAX_RECEIVE_COUNT: u32 = 3;

#[derive(Clone, Debug)]
enum Step {
    Advance(u64),
    Send {
        delay: u64,
    },
    Receive {
        max: usize,
        timeout: u64,
    },
    /// These use the nth handle ever given out.
    Delete(usize),
    ChangeVisibility(usize, u64),
    Redeliver(usize),
    Purge,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let handle = 0..40_usize;
    let step = prop_oneof![
        4 => (1..20_u64).prop_map(Step::Advance),
        6 => prop_oneof![2 => Just(0), 1 => 1..30_u64].prop_map(|delay| Step::Send { delay }),
        8 => (1..5_usize, 0..30_u64)
            .prop_map(|(max, timeout)| Step::Receive { max, timeout }),
        4 => handle.clone().prop_map(Step::Delete),
        3 => (handle.clone(), 0..30_u64)
            .prop_map(|(nth, timeout)| Step::ChangeVisibility(nth, timeout)),
        2 => handle.prop_map(Step::Redeliver),
        1 => Just(Step::Purge),
    ];
    prop::collection::vec(step, 1..150)
}

/// Where the model holds a message. Ends are states too: nothing is forgotten.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Visible,
    Delayed,
    InFlight,
    Deleted,
    Expired,
    Dead,
    Purged,
}

#[derive(Debug)]
struct Modelled {
    id: MessageId,
    sent_at: u64,
    state: State,
    /// Until when it is hidden, or since when it is visible.
    at: u64,
    receive_count: u32,
    latest: Option<ReceiptHandle>,
}

/// Messages in the order in which they were sent; every look-up is a scan.
#[derive(Debug, Default)]
struct Model {
    now: u64,
    messages: Vec<Modelled>,
    handles: Vec<ReceiptHandle>,
}

impl Model {
    fn advance(&mut self, seconds: u64) {
        self.now += seconds;
        self.settle();
    }

    fn settle(&mut self) {
        for message in &mut self.messages {
            let is_held = matches!(
                message.state,
                State::Visible | State::Delayed | State::InFlight
            );
            if is_held && message.sent_at + RETENTION.as_secs() <= self.now {
                message.state = State::Expired;
            } else if is_held && message.at <= self.now {
                message.state = State::Visible;
            }
        }
    }

    /// The ids to be received, and those found dead on the way.
    fn receive(&mut self, max: usize, timeout: u64) -> (Vec<MessageId>, Vec<MessageId>) {
        let visible = |message: &&mut Modelled| message.state == State::Visible;
        let mut by_time: Vec<_> = self.messages.iter_mut().filter(visible).collect();
        by_time.sort_by_key(|message| message.at);
        let (mut received, mut dead) = (Vec::new(), Vec::new());
        for message in by_time {
            if received.len() == max {
                break;
            }
            if message.receive_count == MAX_RECEIVE_COUNT {
                message.state = State::Dead;
                dead.push(message.id);
            } else {
                message.state = State::InFlight;
                message.at = self.now + timeout;
                message.receive_count += 1;
                received.push(message.id);
            }
        }
        (received, dead)
    }

    fn note(&mut self, delivery: &ReceivedMessage) {
        let of_id = |message: &&mut Modelled| message.id == delivery.id;
        let message = self.messages.iter_mut().find(of_id).unwrap();
        assert_eq!(delivery.receive_count, message.receive_count);
        message.latest = Some(delivery.receipt_handle);
        self.handles.push(delivery.receipt_handle);
    }

    /// The message of which `handle` is the latest, if it is still held.
    fn latest(&mut self, handle: ReceiptHandle) -> Option<&mut Modelled> {
        self.messages.iter_mut().find(|message| {
            message.latest == Some(handle)
                && matches!(message.state, State::Visible | State::InFlight)
        })
    }

    fn counts(&self) -> Counts {
        let count = |state| {
            let mut states = self.messages.iter().map(|message| message.state);
            let states = states.by_ref();
            states.filter(|of| *of == state).count()
        };
        Counts {
            visible: count(State::Visible),
            in_flight: count(State::InFlight),
            delayed: count(State::Delayed),
        }
    }
}

fn play(queue: &mut Queue, model: &mut Model, step: &Step) {
    let now = Duration::from_secs(model.now);
    let handle = |nth: usize| model.handles.get(nth).copied();
    match *step {
        Step::Advance(seconds) => model.advance(seconds),
        Step::Send { delay } => {
            let message = Message::new("body").unwrap();
            let delay_of = Some(Duration::from_secs(delay));
            let id = queue.send(now, message, delay_of).unwrap();
            model.messages.push(Modelled {
                id,
                sent_at: model.now,
                state: State::Delayed,
                at: model.now + delay,
                receive_count: 0,
                latest: None,
            });
        }
        Step::Receive { max, timeout } => {
            let received = queue.receive(now, max, Some(Duration::from_secs(timeout)));
            let received = received.unwrap();
            let ids = received.messages.iter().map(|delivery| delivery.id);
            let dead = received.dead.iter().map(|dead| dead.id);
            assert_eq!(
                (ids.collect(), dead.collect()),
                model.receive(max, timeout),
                "received and dead"
            );
            for delivery in &received.messages {
                model.note(delivery);
            }
        }
        Step::Delete(nth) => {
            let Some(handle) = handle(nth) else { return };
            let expected = model.latest(handle).map(|held| held.state = State::Deleted);
            assert_eq!(queue.delete(now, handle), Ok(expected.is_some()));
        }
        Step::ChangeVisibility(nth, timeout) => {
            let Some(handle) = handle(nth) else { return };
            let until = model.now + timeout;
            let expected = match model.latest(handle) {
                None => Err(ChangeVisibilityError::NotAvailable),
                Some(held) if held.state == State::Visible => {
                    Err(ChangeVisibilityError::NotInFlight)
                }
                Some(held) => {
                    held.at = until;
                    Ok(())
                }
            };
            let timeout = Duration::from_secs(timeout);
            assert_eq!(queue.change_visibility(now, handle, timeout), expected);
        }
        Step::Redeliver(nth) => {
            let Some(handle) = handle(nth) else { return };
            let until = model.now + 30;
            let may = |held: &&mut Modelled| {
                held.state == State::InFlight && held.receive_count < MAX_RECEIVE_COUNT
            };
            let expected = model.latest(handle).filter(may).map(|held| {
                held.receive_count += 1;
                held.at = held.at.max(until);
                held.id
            });
            let delivery = queue.redeliver(now, handle, None);
            assert_eq!(delivery.as_ref().map(|delivery| delivery.id), expected);
            if let Some(delivery) = &delivery {
                model.note(delivery);
            }
        }
        Step::Purge => {
            queue.purge();
            let held = |message: &&mut Modelled| {
                matches!(
                    message.state,
                    State::Visible | State::Delayed | State::InFlight
                )
            };
            for message in model.messages.iter_mut().filter(held) {
                message.state = State::Purged;
            }
        }
    }
    model.settle();
}

fn bounded_queue() -> Queue {
    let settings = Settings {
        retention: RETENTION,
        max_receive_count: Some(MAX_RECEIVE_COUNT),
        ..Settings::default()
    };
    Queue::new(settings, 1)
}

proptest! {
    #[test]
    fn the_queue_does_what_the_model_says(steps in steps()) {
        let mut queue = bounded_queue();
        let mut model = Model::default();
        for step in &steps {
            play(&mut queue, &mut model, step);
            let now = Duration::from_secs(model.now);
            prop_assert_eq!(queue.counts(now), model.counts());
        }
    }

    #[test]
    fn nothing_is_lost_and_nothing_is_held_by_two_receivers(
        steps in steps().prop_map(|steps| {
            let is_purge = |step: &Step| matches!(step, Step::Purge | Step::Redeliver(_));
            steps.into_iter().filter(|step| !is_purge(step)).collect::<Vec<_>>()
        })
    ) {
        let mut queue = bounded_queue();
        let mut now = Duration::ZERO;
        let mut sent = BTreeMap::new();
        let mut ended = BTreeSet::new();
        let mut held_until = BTreeMap::new();
        let mut handles = Vec::new();
        for step in steps {
            match step {
                Step::Advance(seconds) => now += Duration::from_secs(seconds),
                Step::Send { delay } => {
                    let message = Message::new("body").unwrap();
                    let delay = Some(Duration::from_secs(delay));
                    sent.insert(queue.send(now, message, delay).unwrap(), now);
                }
                Step::Receive { max, timeout } => {
                    let timeout = Duration::from_secs(timeout);
                    let received = queue.receive(now, max, Some(timeout)).unwrap();
                    ended.extend(received.dead.iter().map(|dead| dead.id));
                    for delivery in received.messages {
                        let until = held_until.insert(delivery.id, now + timeout);
                        prop_assert!(until.is_none_or(|until| until <= now));
                        prop_assert!(!ended.contains(&delivery.id));
                        handles.push((delivery.id, delivery.receipt_handle));
                    }
                }
                Step::Delete(nth) => {
                    let Some(&(id, handle)) = handles.get(nth) else { continue };
                    if queue.delete(now, handle).unwrap() {
                        prop_assert!(ended.insert(id));
                    }
                }
                Step::ChangeVisibility(nth, timeout) => {
                    let Some(&(id, handle)) = handles.get(nth) else { continue };
                    let timeout = Duration::from_secs(timeout);
                    if queue.change_visibility(now, handle, timeout).is_ok() {
                        held_until.insert(id, now + timeout);
                    }
                }
                Step::Redeliver(_) | Step::Purge => {}
            }
            let is_expired = |(id, sent_at): (&MessageId, &Duration)| {
                (*sent_at + RETENTION <= now).then_some(*id)
            };
            ended.extend(sent.iter().filter_map(is_expired));
            let counts = queue.counts(now);
            let held = counts.visible + counts.in_flight + counts.delayed;
            prop_assert_eq!(held + ended.len(), sent.len());
        }
    }
}
