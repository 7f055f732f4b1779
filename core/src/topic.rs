//! Topics: what subscribers listen to and publishers address.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::connection::ConnectionId;

/// The longest name of a topic, in characters (all of them ASCII).
pub const MAX_TOPIC_LENGTH: usize = 128;

/// The longest id of a user or an organisation, in characters: that of a `sub`
/// (`OpenID` Connect Core 1.0, section 2).
pub const MAX_ID_LENGTH: usize = 255;

const USER: &str = "user:";
const ORG: &str = "org:";

/// The name of a topic: 1 to 128 ASCII letters, digits and `. _ - : /`.
///
/// A user and an organisation are topics too, `user:<id>` and `org:<id>`, where
/// an id is any 1 to 255 characters but control characters: whoever issues
/// tokens chooses it (`auth0|123`).
///
/// In the key of the subscriptions table a topic is followed by `#` and the
/// number of its shard. An id may hold a `#` all the same: a number holds none,
/// so what follows the last `#` is the shard, and no two topics share a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Topic(String);

/// Why a text is not the name of a topic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// The name is empty.
    #[error("a topic's name must not be empty")]
    Empty,
    /// The name is longer than [`MAX_TOPIC_LENGTH`].
    #[error("a topic's name has at most {MAX_TOPIC_LENGTH} characters, got {0}")]
    TooLong(usize),
    /// The name has a character outside the alphabet.
    #[error("a topic's name is made of letters, digits and . _ - : /, got {0:?}")]
    Character(char),
    /// The id of a user or an organisation is empty.
    #[error("an id must not be empty")]
    EmptyId,
    /// The id is longer than [`MAX_ID_LENGTH`].
    #[error("an id has at most {MAX_ID_LENGTH} characters, got {0}")]
    TooLongId(usize),
    /// The id has a control character.
    #[error("an id has no control characters, got {0:?}")]
    ControlCharacter(char),
}

impl Topic {
    /// Returns the topic of a user, to which all connections of the user
    /// listen.
    ///
    /// # Errors
    /// The id is empty, longer than [`MAX_ID_LENGTH`], or has a control
    /// character.
    pub fn of_user(id: &str) -> Result<Self, TopicError> {
        Self::of_id(USER, id)
    }

    /// Returns the topic of an organisation, to which the connections of all
    /// its users listen.
    ///
    /// # Errors
    /// As of [`Topic::of_user`].
    pub fn of_org(id: &str) -> Result<Self, TopicError> {
        Self::of_id(ORG, id)
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether only a token may give a connection this topic: those of a user
    /// and of an organisation are nobody else's to listen to.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        id_of(&self.0).is_some()
    }

    /// Returns which of `shards` shards of this topic holds `connection`.
    ///
    /// The same connection is always in the same shard, whatever process asks:
    /// the hash is FNV-1a over the connection id, which no release may change
    /// while subscriptions are stored.
    #[must_use]
    pub fn shard_of(connection: &ConnectionId, shards: u16) -> u16 {
        let hash = connection
            .as_str()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        let shard = hash % u64::from(shards.max(1));
        u16::try_from(shard).unwrap_or_default()
    }

    fn of_id(prefix: &str, id: &str) -> Result<Self, TopicError> {
        check_id(id).map(|()| Self(format!("{prefix}{id}")))
    }
}

/// Whether a chosen name may hold a character.
pub(crate) fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-:/".contains(c)
}

/// The id in the name of a user's or an organisation's topic.
fn id_of(name: &str) -> Option<&str> {
    name.strip_prefix(USER).or_else(|| name.strip_prefix(ORG))
}

fn check_id(id: &str) -> Result<(), TopicError> {
    if id.is_empty() {
        return Err(TopicError::EmptyId);
    }
    if let Some(control) = id.chars().find(|c| c.is_control()) {
        return Err(TopicError::ControlCharacter(control));
    }
    match id.chars().count() {
        length if length > MAX_ID_LENGTH => Err(TopicError::TooLongId(length)),
        _ => Ok(()),
    }
}

impl TryFrom<String> for Topic {
    type Error = TopicError;

    fn try_from(name: String) -> Result<Self, TopicError> {
        if let Some(id) = id_of(&name) {
            return check_id(id).map(|()| Self(name));
        }
        if name.is_empty() {
            return Err(TopicError::Empty);
        }
        if let Some(other) = name.chars().find(|c| !is_allowed(*c)) {
            return Err(TopicError::Character(other));
        }
        if name.len() > MAX_TOPIC_LENGTH {
            return Err(TopicError::TooLong(name.len()));
        }
        Ok(Self(name))
    }
}

impl FromStr for Topic {
    type Err = TopicError;

    fn from_str(name: &str) -> Result<Self, TopicError> {
        Self::try_from(name.to_owned())
    }
}

impl From<Topic> for String {
    fn from(topic: Topic) -> Self {
        topic.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(name: &str, expected: &Result<(), TopicError>) {
        assert_eq!(&name.parse::<Topic>().map(|_| ()), expected, "{name:?}");
    }

    #[test]
    fn names_keep_to_their_alphabet_and_length() {
        check("stocks/AAPL", &Ok(()));
        check("merchant:42", &Ok(()));
        check(&"a".repeat(128), &Ok(()));
        check("", &Err(TopicError::Empty));
        check(&"a".repeat(129), &Err(TopicError::TooLong(129)));
        check("a#1", &Err(TopicError::Character('#')));
        check("a b", &Err(TopicError::Character(' ')));
        check("naïve", &Err(TopicError::Character('ï')));
    }

    proptest! {
        #[test]
        fn a_well_formed_name_is_a_topic_and_stays_as_it_is(name in "[a-zA-Z0-9._:/-]{1,128}") {
            let topic: Topic = name.parse().unwrap();
            prop_assert_eq!(topic.as_str(), &name);
            let json = serde_json::to_string(&topic).unwrap();
            prop_assert_eq!(serde_json::from_str::<Topic>(&json).unwrap(), topic);
        }

        #[test]
        fn no_other_text_is_a_topic(name in "([^a-z]{0,3}|user:|[a-z/:.]{100,150}).{0,40}") {
            let is_reserved = name.starts_with("user:") || name.starts_with("org:");
            let is_well_formed = name.chars().all(is_allowed) && (1..=128).contains(&name.len());
            if !is_reserved {
                prop_assert_eq!(name.parse::<Topic>().is_ok(), is_well_formed);
            }
            if let Ok(topic) = name.parse::<Topic>() {
                prop_assert_eq!(topic.as_str(), &name);
            }
        }
    }

    #[test]
    fn ids_are_whatever_a_tokens_issuer_chose() {
        check("user:auth0|123", &Ok(()));
        check("org:Müller & Söhne #1", &Ok(()));
        check(&format!("user:{}", "ü".repeat(255)), &Ok(()));
        check("user:", &Err(TopicError::EmptyId));
        check("org:a\nb", &Err(TopicError::ControlCharacter('\n')));
        let long = format!("user:{}", "ü".repeat(256));
        check(&long, &Err(TopicError::TooLongId(256)));
        // Not theirs: the ordinary alphabet.
        check("users:a|b", &Err(TopicError::Character('|')));

        assert_eq!(Topic::of_user("a").unwrap().as_str(), "user:a");
        assert_eq!(Topic::of_org("a").unwrap().as_str(), "org:a");
        assert_eq!(Topic::of_org(""), Err(TopicError::EmptyId));
        assert!(Topic::of_user("a").unwrap().is_reserved());
    }

    #[test]
    fn a_connection_stays_in_its_shard() {
        // Stored subscriptions depend on these values.
        let shard = |id: &str| Topic::shard_of(&ConnectionId::from(id), 4);
        assert_eq!(["TXzPWdnOjoECGjA=", "a", "b", "c"].map(shard), [3, 0, 1, 2]);
    }

    #[test]
    fn connections_spread_evenly_over_shards() {
        let mut counts = [0_u32; 8];
        for n in 0..8_000 {
            let id = ConnectionId::from(format!("connection-{n}").as_str());
            counts[usize::from(Topic::shard_of(&id, 8))] += 1;
        }
        assert!(
            counts.iter().all(|n| (850..1_150).contains(n)),
            "{counts:?}"
        );
    }
}
