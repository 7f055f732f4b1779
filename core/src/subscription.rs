//! Which topics a connection has chosen once it has asked for a change: decided
//! here, stored by the [registry](crate::store::Registry).

use std::collections::BTreeSet;

use crate::action::ActionError;
use crate::connection::Connection;
use crate::identity::Permission;
use crate::topic::Topic;

/// A change that a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Listen to these topics too.
    Subscribe(Vec<Topic>),
    /// Listen to these topics no more. One that is not listened to is no
    /// mistake.
    Unsubscribe(Vec<Topic>),
}

/// What a client may choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits<'a> {
    /// Which topics.
    pub permission: &'a Permission,
    /// How many of them.
    pub max_topics: usize,
}

impl Change {
    /// Decides which topics `connection` has chosen next: all of them, sorted.
    ///
    /// # Errors
    /// Topics that are not the client's to choose, or more than it may have.
    /// Who has more already, from before the limit was lowered, keeps them.
    pub fn decide(
        &self,
        connection: &Connection,
        limits: &Limits<'_>,
    ) -> Result<Vec<Topic>, ActionError> {
        self.refuse_forbidden(limits.permission)?;
        let now: BTreeSet<&Topic> = connection.topics.iter().collect();
        let next: BTreeSet<&Topic> = match self {
            Self::Subscribe(topics) => now.iter().copied().chain(topics).collect(),
            Self::Unsubscribe(topics) => {
                let is_kept = |topic: &&Topic| !topics.contains(topic);
                now.iter().copied().filter(is_kept).collect()
            }
        };
        let count = next.len();
        let most = limits.max_topics;
        if count > most && count > now.len() {
            return Err(ActionError::TooManyTopics { count, most });
        }
        Ok(next.into_iter().cloned().collect())
    }

    fn refuse_forbidden(&self, permission: &Permission) -> Result<(), ActionError> {
        let forbidden: Vec<&Topic> = match self {
            Self::Subscribe(topics) => topics.iter().filter(|t| !permission.allows(t)).collect(),
            Self::Unsubscribe(topics) => topics.iter().filter(|t| t.is_reserved()).collect(),
        };
        if forbidden.is_empty() {
            Ok(())
        } else {
            Err(ActionError::forbidden_topics(&forbidden))
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn topics(names: &str) -> Vec<Topic> {
        let names = names.split_whitespace();
        names.map(|name| name.parse().unwrap()).collect()
    }

    /// Three topics may be chosen, of `stocks/…` and `news`.
    #[track_caller]
    fn check(listens_to: &str, change: &Change, expected: &Result<&str, ActionError>) {
        let connection = Connection {
            id: "a".into(),
            connected_at: Timestamp::UNIX_EPOCH,
            expires_at: Timestamp::UNIX_EPOCH,
            user_id: Some("u1".to_owned()),
            org_id: None,
            topics: topics(listens_to),
        };
        let permission =
            Permission::Only(vec!["stocks/*".parse().unwrap(), "news".parse().unwrap()]);
        let limits = Limits {
            permission: &permission,
            max_topics: 3,
        };
        let expected = expected.clone().map(topics);
        assert_eq!(change.decide(&connection, &limits), expected, "{change:?}");
    }

    fn subscribe(names: &str) -> Change {
        Change::Subscribe(topics(names))
    }

    fn unsubscribe(names: &str) -> Change {
        Change::Unsubscribe(topics(names))
    }

    #[test]
    fn what_is_chosen_is_added_once_and_sorted() {
        check("", &subscribe("stocks/B news"), &Ok("news stocks/B"));
        check("stocks/B", &subscribe("stocks/A"), &Ok("stocks/A stocks/B"));
        check("news", &subscribe("news news"), &Ok("news"));
    }

    #[test]
    fn what_is_not_wanted_is_taken_away_if_it_is_there() {
        check("news stocks/A", &unsubscribe("news"), &Ok("stocks/A"));
        check("news", &unsubscribe("news"), &Ok(""));
        check("news", &unsubscribe("stocks/A weather"), &Ok("news"));
    }

    #[test]
    fn more_topics_than_a_connection_may_have_change_nothing() {
        let error = |count| Err(ActionError::TooManyTopics { count, most: 3 });
        check("news", &subscribe("stocks/A stocks/B stocks/C"), &error(4));
        // The limit was lowered while it was connected.
        let five = "stocks/A stocks/B stocks/C stocks/D stocks/E";
        check(five, &subscribe("stocks/A"), &Ok(five));
        check(five, &subscribe("stocks/F"), &error(6));
        let four = "stocks/B stocks/C stocks/D stocks/E";
        check(five, &unsubscribe("stocks/A"), &Ok(four));
    }

    #[test]
    fn topics_that_are_not_the_clients_are_named() {
        let forbidden = |names| {
            let names = topics(names);
            Err(ActionError::forbidden_topics(
                &names.iter().collect::<Vec<_>>(),
            ))
        };
        check("", &subscribe("news weather"), &forbidden("weather"));
        check(
            "",
            &subscribe("user:u2 org:o1 news"),
            &forbidden("user:u2 org:o1"),
        );
        check("news", &unsubscribe("news user:u1"), &forbidden("user:u1"));
    }

    #[test]
    fn who_may_choose_all_may_not_choose_somebody_elses() {
        let all = Limits {
            permission: &Permission::All,
            max_topics: 3,
        };
        let connection = Connection {
            id: "a".into(),
            connected_at: Timestamp::UNIX_EPOCH,
            expires_at: Timestamp::UNIX_EPOCH,
            user_id: None,
            org_id: None,
            topics: Vec::new(),
        };
        let decide = |names| subscribe(names).decide(&connection, &all);
        assert_eq!(decide("anything"), Ok(topics("anything")));
        let error = decide("anything user:u1").unwrap_err();
        assert_eq!(error.code(), "forbidden_topics");
    }
}
