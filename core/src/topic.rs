//! Topics: what subscribers listen to and publishers address.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::connection::ConnectionId;

/// The longest name of a topic, in characters (all of them ASCII).
pub const MAX_TOPIC_LENGTH: usize = 128;

/// The name of a topic: 1 to 128 ASCII letters, digits and `. _ - : /`.
///
/// A user and an organisation are topics too, `user:<id>` and `org:<id>`.
/// `#` is kept out because it separates the topic from its shard in the key
/// of the subscriptions table.
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
}

impl Topic {
    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether only a token may give a connection this topic: those of a user
    /// and of an organisation are nobody else's to listen to.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with("user:") || self.0.starts_with("org:")
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
}

impl TryFrom<String> for Topic {
    type Error = TopicError;

    fn try_from(name: String) -> Result<Self, TopicError> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-:/".contains(c);
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
