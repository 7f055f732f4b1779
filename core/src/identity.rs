//! Who a subscriber is, and what it may listen to.

use std::str::FromStr;

use crate::topic::{self, MAX_TOPIC_LENGTH, Topic};

/// Stands for no pattern at all. Not the empty text: an intermediary that drops
/// empty values would turn "none" into "not restricted".
const NONE: &str = "!";

/// Who is behind a connection, as a verified token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user; `None` where connections are not authenticated.
    pub user_id: Option<String>,
    /// The user's organisation.
    pub org_id: Option<String>,
    /// Which topics its connections may choose.
    pub topics: Permission,
}

/// Which topics a connection may choose.
///
/// The topics of users and organisations are never among them: connections
/// listen to their own by themselves, and to nobody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Every topic.
    All,
    /// The topics that match one of these, none if there are none.
    Only(Vec<Pattern>),
}

/// One topic by its name, or all that begin alike: `news`, `stocks/*`, `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

/// Why a text is not a pattern of topics.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a topic's name, or its beginning and *, got {0:?}")]
pub struct PatternError(String);

impl Identity {
    /// Returns the identity of whoever comes where nobody is authenticated.
    #[must_use]
    pub fn anyone() -> Self {
        Self {
            user_id: None,
            org_id: None,
            topics: Permission::All,
        }
    }
}

impl Permission {
    /// Whether a connection may choose `topic`.
    #[must_use]
    pub fn allows(&self, topic: &Topic) -> bool {
        let is_listed = match self {
            Self::All => true,
            Self::Only(patterns) => patterns.iter().any(|pattern| pattern.matches(topic)),
        };
        is_listed && !topic.is_reserved()
    }

    /// Returns the text form: the patterns joined by blanks, or `!` for none.
    /// `None` where every topic is allowed.
    #[must_use]
    pub fn to_text(&self) -> Option<String> {
        match self {
            Self::All => None,
            Self::Only(patterns) if patterns.is_empty() => Some(NONE.to_owned()),
            Self::Only(patterns) => {
                let patterns: Vec<_> = patterns.iter().map(|Pattern(text)| text.as_str()).collect();
                Some(patterns.join(" "))
            }
        }
    }

    /// Reads the text form. An empty text allows nothing.
    ///
    /// # Errors
    /// The first word that is no pattern.
    pub fn from_text(text: Option<&str>) -> Result<Self, PatternError> {
        let patterns = match text {
            None => return Ok(Self::All),
            Some(NONE) => return Ok(Self::Only(Vec::new())),
            Some(text) => text.split_whitespace().map(str::parse),
        };
        patterns.collect::<Result<_, _>>().map(Self::Only)
    }
}

impl Pattern {
    fn matches(&self, topic: &Topic) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => topic.as_str().starts_with(beginning),
            None => topic.as_str() == self.0,
        }
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let name = text.strip_suffix('*').unwrap_or(text);
        let is_name = name.chars().all(topic::is_allowed) && name.len() <= MAX_TOPIC_LENGTH;
        if is_name && !text.is_empty() {
            Ok(Self(text.to_owned()))
        } else {
            Err(PatternError(text.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(permission: Option<&str>, allowed: &[&str], refused: &[&str]) {
        let permission = Permission::from_text(permission).unwrap();
        let allows = |name: &&str| permission.allows(&name.parse().unwrap());
        assert!(allowed.iter().all(allows), "{permission:?}: {allowed:?}");
        assert!(!refused.iter().any(allows), "{permission:?}: {refused:?}");
    }

    #[test]
    fn patterns_are_names_or_beginnings() {
        check(
            Some("news stocks/*"),
            &["news", "stocks/A", "stocks/A/B", "stocks/"],
            &["new", "news2", "stocks", "bonds"],
        );
        check(Some("*"), &["a", "merchant:1"], &[]);
        check(Some("!"), &[], &["a", "-"]);
        check(Some(""), &[], &["a"]);
        check(None, &["a", "merchant:1"], &[]);
    }

    #[test]
    fn topics_of_users_and_organisations_are_nobodys_to_choose() {
        for permission in [None, Some("*"), Some("user:* org:o1 user:u1 u*")] {
            check(permission, &[], &["user:u1", "user:auth0|1", "org:o1"]);
        }
    }

    #[test]
    fn a_wrong_pattern_is_told() {
        let long = "a".repeat(129);
        for wrong in ["a*b", "**", "!", "a|b", "", &long] {
            let error = wrong.parse::<Pattern>().unwrap_err();
            assert_eq!(error, PatternError(wrong.to_owned()));
        }
        let error = Permission::from_text(Some("a ! b")).unwrap_err();
        assert_eq!(error, PatternError("!".to_owned()));
    }

    proptest! {
        #[test]
        fn a_permission_reads_as_written(patterns in prop::collection::vec("[a-z:/._-]{1,8}[*]?|[*]", 0..5)) {
            let patterns = patterns.iter().map(|text| text.parse().unwrap());
            let permission = Permission::Only(patterns.collect());
            let text = permission.to_text().unwrap();
            prop_assert!(!text.is_empty());
            prop_assert_eq!(Permission::from_text(Some(&text)), Ok(permission));
        }

        #[test]
        fn no_text_allows_a_reserved_topic(text in ".{0,40}", id in "[^\\p{Cc}]{1,20}") {
            if let Ok(permission) = Permission::from_text(Some(&text)) {
                prop_assert!(!permission.allows(&Topic::of_user(&id).unwrap()));
                prop_assert!(!permission.allows(&Topic::of_org(&id).unwrap()));
            }
        }
    }
}
