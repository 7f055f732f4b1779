//! How scripts are generated.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::script::{Behaviour, Fault, Member, Publish, Script, Shape, Spell, SpellAnswer, What};
use crate::world::{ATTEMPT_TIMEOUT, Port};

/// What may go wrong in a family of scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Danger {
    /// Connections come, go and misbehave.
    Stories,
    /// The gateway refuses everybody for a while.
    Spells,
    /// Calls fail or stall.
    Errors,
    /// Processes die.
    Deaths,
    /// Messages are delivered twice, overtake one another, or are no tasks.
    Messages,
}

/// Writes scripts in which nothing else goes wrong than `dangers`.
pub(crate) fn scripts(dangers: &'static [Danger]) -> impl Strategy<Value = Script> {
    let up_to = |danger, most: usize| 0..if dangers.contains(&danger) { most } else { 1 };
    let are_calls_safe = !dangers.contains(&Danger::Errors) && !dangers.contains(&Danger::Deaths);
    (
        (any::<u64>(), shape(), crowd()),
        vec(member(), up_to(Danger::Stories, 12)),
        vec(publish(dangers.contains(&Danger::Messages)), 1..4),
        vec(spell(), up_to(Danger::Spells, 4)),
        vec(
            (call(), fault(dangers)),
            0..if are_calls_safe { 1 } else { 10 },
        ),
        vec(0..20_u8, up_to(Danger::Messages, 4)),
        vec(0..20_u8, up_to(Danger::Messages, 4)),
    )
        .prop_map(
            |((seed, shape, crowd), members, publishes, spells, faults, duplicates, overtaken)| {
                Script {
                    seed,
                    shape,
                    crowd,
                    members,
                    publishes,
                    spells,
                    faults: faults.into_iter().collect(),
                    duplicates,
                    overtaken,
                }
            },
        )
}

fn shape() -> impl Strategy<Value = Shape> {
    (
        (1..8_u32, 0..12_u32, 1..5_u16, 1..4_u16),
        (1..12_usize, 1..16_usize),
        (20..200_u32, 1..12_u32),
        (1..3_usize, 1..4_usize),
        600..2_000_u64,
        prop_oneof![Just(200_u32), 50..200_u32],
    )
        .prop_map(|(reading, pushing, rate, concurrency, timeout, quota)| {
            let (page_size, small_audience, segments, topic_shards) = reading;
            Shape {
                page_size,
                small_audience,
                segments,
                topic_shards,
                max_in_flight: pushing.0,
                max_outstanding: pushing.1,
                share: rate.0,
                burst: rate.1,
                concurrency,
                function_timeout_ms: timeout,
                quota_percent: quota,
            }
        })
}

fn crowd() -> impl Strategy<Value = u16> {
    prop_oneof![8 => 0..12_u16, 4 => 12..40_u16, 1 => 40..300_u16]
}

fn member() -> impl Strategy<Value = Member> {
    let stays = prop_oneof![2 => Just(None), 1 => (1..4_000_u64).prop_map(Some)];
    let returns = prop_oneof![2 => Just(None), 1 => (1..2_000_u64).prop_map(Some)];
    let opens = prop_oneof![2 => Just(0), 1 => 0..4_000_u64];
    let is_stale = prop_oneof![9 => Just(false), 1 => Just(true)];
    let flags = (any::<bool>(), any::<bool>(), is_stale);
    (flags, opens, stays, returns, behaviour()).prop_map(
        |(
            (is_listening, is_seen_off, is_stale),
            opens_ms,
            stays_ms,
            returns_after_ms,
            behaviour,
        )| {
            Member {
                is_listening,
                opens_ms,
                stays_ms,
                is_seen_off,
                returns_after_ms,
                is_stale,
                behaviour,
            }
        },
    )
}

fn behaviour() -> impl Strategy<Value = Behaviour> {
    let longest = u64::try_from(ATTEMPT_TIMEOUT.as_millis()).unwrap() * 3 / 2;
    prop_oneof![
        4 => Just(Behaviour::Accepts),
        1 => Just(Behaviour::Clogged),
        1 => (1..1_500_u64).prop_map(|after_ms| Behaviour::ComeBack { after_ms }),
        1 => Just(Behaviour::FalselyGone),
        1 => (1..6_u8).prop_map(|attempts| Behaviour::Lossy { attempts }),
        1 => (1..6_u8).prop_map(|attempts| Behaviour::Ambiguous { attempts }),
        1 => (10..longest).prop_map(|ms| Behaviour::Slow { ms }),
        1 => Just(Behaviour::Rejects),
    ]
}

fn publish(with_foreign: bool) -> impl Strategy<Value = Publish> {
    let foreign = u32::from(with_foreign);
    let what = prop_oneof![
        4 => Just(What::Everyone),
        3 => Just(What::Topic),
        1 => (0..20_u16).prop_map(What::Connection),
        foreign => Just(What::PreviousRelease),
        foreign => Just(What::TooOld),
        foreign => Just(What::Garbage),
    ];
    let ttl = prop_oneof![3 => Just(None), 1 => (1..4_u32).prop_map(Some)];
    // Before its task is taken, in the middle, or late, when it has ended or
    // what is left is dead.
    let cancelled = prop_oneof![
        8 => Just(None),
        1 => Just(Some(0)),
        3 => (1..1_500_u64).prop_map(Some),
        1 => (1_500..15_000_u64).prop_map(Some),
    ];
    (1..3_000_u64, what, ttl, cancelled).prop_map(|(at_ms, what, ttl_seconds, cancelled)| Publish {
        at_ms,
        what,
        ttl_seconds,
        cancelled_after_ms: cancelled,
    })
}

fn spell() -> impl Strategy<Value = Spell> {
    let answer = prop_oneof![
        4 => Just(SpellAnswer::Throttled),
        1 => Just(SpellAnswer::Forbidden),
        1 => Just(SpellAnswer::TooLarge),
        2 => Just(SpellAnswer::ServerError),
    ];
    (0..6_000_u64, 1..3_000_u64, answer).prop_map(|(from_ms, for_ms, answer)| Spell {
        from_ms,
        for_ms,
        answer,
    })
}

/// A call, by number: the rarer the calls of a port, the lower.
fn call() -> impl Strategy<Value = (Port, u16)> {
    let nth = |port, most: u16| (0..most).prop_map(move |nth| (port, nth));
    prop_oneof![
        2 => nth(Port::Begin, 12),
        3 => nth(Port::Page, 40),
        4 => nth(Port::Write, 16),
        2 => nth(Port::LookUp, 20),
        1 => nth(Port::Forget, 3),
        2 => nth(Port::Send, 6),
        5 => nth(Port::Push, 60),
    ]
}

fn fault(dangers: &[Danger]) -> impl Strategy<Value = Fault> + use<> {
    let weight = |danger, weight: u32| weight * u32::from(dangers.contains(&danger));
    prop_oneof![
        weight(Danger::Errors, 2) =>
            any::<bool>().prop_map(|takes_effect| Fault::Error { takes_effect }),
        weight(Danger::Errors, 2) => (10..1_200_u64).prop_map(|ms| Fault::Slow { ms }),
        weight(Danger::Deaths, 4) =>
            any::<bool>().prop_map(|takes_effect| Fault::Death { takes_effect }),
    ]
}
