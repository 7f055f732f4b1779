//! Holds `api/environment.json` to the code: which variables each function
//! reads, and which of them must be set whatever the others say.
//!
//! Variables of AWS's own, `AWS_…`, are left out: the SDK and the runtime read
//! them.

use std::collections::{BTreeMap, BTreeSet};

use fanout_core::settings::{Need, Reader};
use serde::{Deserialize, Serialize};

use super::{Authorizer, Connect, Message, Process, Publish, Worker, store};

const COMMITTED: &str = include_str!("../../api/environment.json");

/// The settings on which it depends which others are read.
const MODES: [&[(&str, &str)]; 9] = [
    &[],
    &[("SUBSCRIBER_AUTH", "off")],
    &[("SUBSCRIBER_AUTH", "jwt"), ("TOKEN_ALGORITHM", "HS256")],
    &[("SUBSCRIBER_AUTH", "jwt"), ("TOKEN_ALGORITHM", "RS256")],
    &[("SUBSCRIBER_AUTH", "jwt"), ("TOKEN_ALGORITHM", "ES256")],
    &[("PUBLISHER_AUTH", "off")],
    &[("PUBLISHER_AUTH", "iam")],
    &[("PUBLISHER_AUTH", "jwt"), ("TOKEN_ALGORITHM", "HS256")],
    &[("PUBLISHER_AUTH", "jwt"), ("TOKEN_ALGORITHM", "RS256")],
];

/// What one function reads.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Environment {
    /// Must be set in every mode.
    required: BTreeSet<String>,
    /// All others.
    optional: BTreeSet<String>,
}

#[test]
fn the_committed_environment_is_what_the_functions_read() {
    let committed: BTreeMap<String, Environment> = serde_json::from_str(COMMITTED).unwrap();
    let own = crate::NAMES.map(|name| (name.to_owned(), environment_of(name)));
    // Functions of other packages are held to theirs there.
    let own: BTreeMap<_, _> = BTreeMap::from(own);
    let are_same = own
        .iter()
        .all(|(name, read)| committed.get(name) == Some(read));
    let own = serde_json::to_string_pretty(&own).unwrap();
    assert!(are_same, "functions/api/environment.json must say:\n{own}");
}

fn environment_of(function: &str) -> Environment {
    let asked = MODES.map(|mode| asked_in(function, mode));
    let read: BTreeSet<&String> = asked.iter().flat_map(BTreeMap::keys).collect();
    let is_required = |name: &String| {
        let mut needs = asked.iter().map(|asked| asked.get(name));
        needs.all(|need| need == Some(&Need::Required))
    };
    let (required, optional) = read
        .into_iter()
        .filter(|name| !name.starts_with("AWS_"))
        .cloned()
        .partition(is_required);
    Environment { required, optional }
}

/// What a function asks for where nothing is set but the mode.
fn asked_in(function: &str, mode: &[(&str, &str)]) -> BTreeMap<String, Need> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let mut read = Reader::new(mode.iter().map(own).collect());
    let _ = Process::read(&mut read);
    match function {
        "authorizer" => drop(Authorizer::read(&mut read)),
        "connect" => drop(Connect::read(&mut read)),
        "disconnect" => drop(store(&mut read)),
        "message" => drop(Message::read(&mut read)),
        "publish" => drop(Publish::read(&mut read)),
        "worker" => drop(Worker::read(&mut read)),
        _ => panic!("which settings does {function} read?"),
    }
    read.asked().clone()
}
