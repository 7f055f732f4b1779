//! Settings of the functions behind the WebSocket API.

use std::time::Duration;

use fanout_core::aws::dynamodb;
use fanout_core::settings::Reader;

use super::token::{self, Subscribers};
use super::{Publishing, max_topics, store};

/// Two hours, after which API Gateway closes a connection, and ten minutes.
const DEFAULT_CONNECTION_LIFETIME_SECONDS: u64 = 2 * 60 * 60 + 10 * 60;
/// What anybody may send where anybody may listen. A token that lets somebody
/// listen does not by itself let them send to everyone.
const DEFAULT_MESSAGES_PER_MINUTE_OF_ANYONE: u32 = 30;
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// Settings of `authorizer`.
#[derive(Clone, Debug)]
pub struct Authorizer {
    /// `SUBSCRIBER_AUTH`.
    pub subscribers: Subscribers,
    /// How tokens are verified, unless nobody needs one.
    pub token: Option<crate::token::Settings>,
}

/// Settings of `connect`.
#[derive(Clone, Debug)]
pub struct Connect {
    /// `SUBSCRIBER_AUTH`.
    pub subscribers: Subscribers,
    /// The tables.
    pub store: dynamodb::Settings,
    /// `TOPICS_PARAMETER`: the query parameter that names topics.
    pub topics_parameter: String,
    /// `TOPICS_REQUIRED`: whether a connection must name one.
    pub topics_required: bool,
    /// `MAX_TOPICS`: how many topics one connection may name.
    pub max_topics: usize,
    /// `CONNECTION_LIFETIME_SECONDS`: when a row expires whose socket vanished
    /// without a trace.
    pub connection_lifetime: Duration,
}

/// Settings of `message`.
#[derive(Clone, Debug)]
pub struct Message {
    /// The tables.
    pub store: dynamodb::Settings,
    /// How clients' messages are published.
    pub publishing: Publishing,
    /// `SUBSCRIBER_AUTH`.
    pub subscribers: Subscribers,
    /// `MAX_TOPICS`: how many topics one connection may choose.
    pub max_topics: usize,
    /// `SENDMESSAGE_PER_MINUTE`: how many messages one connection may send; 0
    /// for none at all, which is the default where tokens are asked for.
    pub messages_per_minute: u32,
}

impl Authorizer {
    /// Reads the settings.
    pub fn read(read: &mut Reader) -> Self {
        let subscribers = Subscribers::read(read);
        let token = match subscribers {
            Subscribers::Jwt => Some(token::token(read)),
            Subscribers::Anyone => None,
        };
        Self { subscribers, token }
    }
}

impl Connect {
    /// Reads the settings.
    pub fn read(read: &mut Reader) -> Self {
        let lifetime = read.number(
            "CONNECTION_LIFETIME_SECONDS",
            DEFAULT_CONNECTION_LIFETIME_SECONDS,
            1..=DAY_SECONDS,
        );
        Self {
            subscribers: Subscribers::read(read),
            store: store(read),
            topics_required: read.flag("TOPICS_REQUIRED", false),
            topics_parameter: read
                .optional_text("TOPICS_PARAMETER")
                .unwrap_or_else(|| "topics".to_owned()),
            max_topics: max_topics(read),
            connection_lifetime: Duration::from_secs(lifetime),
        }
    }
}

impl Message {
    /// Reads the settings.
    pub fn read(read: &mut Reader) -> Self {
        let subscribers = Subscribers::read(read);
        let per_minute = match subscribers {
            Subscribers::Jwt => 0,
            Subscribers::Anyone => DEFAULT_MESSAGES_PER_MINUTE_OF_ANYONE,
        };
        Self {
            store: store(read),
            publishing: Publishing::read(read),
            subscribers,
            max_topics: max_topics(read),
            messages_per_minute: read.number("SENDMESSAGE_PER_MINUTE", per_minute, 0..=60_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message_with(changes: &[(&str, &str)]) -> Result<Message, String> {
        let needed = [
            ("CONNECTIONS_TABLE", "connections"),
            ("SUBSCRIPTIONS_TABLE", "subscriptions"),
            ("NOTIFICATIONS_TABLE", "notifications"),
            ("NOTIFICATIONS_QUEUE_URL", "http://sqs/1/notifications"),
        ];
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment = needed.iter().chain(changes).map(own).collect();
        let mut read = Reader::new(environment);
        let settings = Message::read(&mut read);
        read.finish(settings).map_err(|problem| problem.to_string())
    }

    #[test]
    fn messages_are_not_taken_until_it_is_said_who_may_send_them() {
        let settings = message_with(&[("SUBSCRIBER_AUTH", "off")]).unwrap();
        assert_eq!(settings.subscribers, Subscribers::Anyone);
        assert_eq!(
            (settings.max_topics, settings.messages_per_minute),
            (50, 30)
        );
        let problem = message_with(&[]).unwrap_err();
        assert!(problem.contains("SUBSCRIBER_AUTH: not set"), "{problem}");
        let problem = message_with(&[("SUBSCRIBER_AUTH", "none")]).unwrap_err();
        assert!(problem.contains("expected one of jwt, off"), "{problem}");
    }

    #[test]
    fn a_token_to_listen_lets_nobody_send_unless_that_is_said() {
        for (auth, set, expected) in [
            ("off", None, 30),
            ("off", Some("0"), 0),
            ("jwt", None, 0),
            ("jwt", Some("5"), 5),
        ] {
            let set = set.map(|set| ("SENDMESSAGE_PER_MINUTE", set));
            let variables: Vec<_> = [("SUBSCRIBER_AUTH", auth)].into_iter().chain(set).collect();
            let settings = message_with(&variables).unwrap();
            assert_eq!(settings.messages_per_minute, expected, "{variables:?}");
        }
    }
}
