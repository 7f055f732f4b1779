//! A notification: what is published once and pushed to many.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::connection::ConnectionId;
use crate::topic::Topic;
use crate::trace::TraceHeader;

/// The id of a notification: a `UUIDv7`, so that ids sort by time.
///
/// It is the same for every subscriber and on every redelivery. It names the
/// notification in the ledger; in the frame it is the event's `id`, unless the
/// publisher sent a `CloudEvent`, which keeps its own. What a client drops
/// duplicates by is the event's `source` and `id` together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NotificationId(Uuid);

impl NotificationId {
    /// Makes a new id for a notification published at `now`.
    #[must_use]
    pub fn generate(now: Timestamp) -> Self {
        let random = u128::from(fastrand::u64(..)) << 64 | u128::from(fastrand::u64(..));
        let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or_default();
        let random = random.to_be_bytes();
        let mut bytes = [0; 10];
        bytes.copy_from_slice(random.first_chunk::<10>().unwrap_or(&[0; 10]));
        Self(uuid::Builder::from_unix_timestamp_millis(milliseconds, &bytes).into_uuid())
    }

    /// Returns how old the notification is at `now`, to the millisecond: its id
    /// says when it was accepted. `None` if the id is of another making.
    #[must_use]
    pub fn age_at(self, now: Timestamp) -> Option<Duration> {
        let (seconds, nanoseconds) = self.0.get_timestamp()?.to_unix();
        let accepted_at = Duration::new(seconds, nanoseconds);
        let now = u64::try_from(now.as_millisecond()).ok()?;
        Some(Duration::from_millis(now).saturating_sub(accepted_at))
    }
}

impl fmt::Display for NotificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Why a text is not the id of a notification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a notification id (a UUID), got {0:?}")]
pub struct InvalidNotificationId(String);

impl FromStr for NotificationId {
    type Err = InvalidNotificationId;

    fn from_str(text: &str) -> Result<Self, InvalidNotificationId> {
        Uuid::try_parse(text)
            .map(Self)
            .map_err(|_| InvalidNotificationId(text.to_owned()))
    }
}

impl TryFrom<String> for NotificationId {
    type Error = InvalidNotificationId;

    fn try_from(text: String) -> Result<Self, InvalidNotificationId> {
        text.parse()
    }
}

impl From<NotificationId> for String {
    fn from(id: NotificationId) -> Self {
        id.to_string()
    }
}

/// Whom a notification is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Target {
    /// Every open connection.
    Everyone,
    /// Who listens to a topic; users and organisations are topics too.
    Topic {
        /// The topic.
        topic: Topic,
    },
    /// One connection.
    Connection {
        /// The connection's id.
        id: ConnectionId,
    },
}

impl Target {
    /// Returns the topic, where there is one.
    #[must_use]
    pub fn topic(&self) -> Option<&Topic> {
        match self {
            Self::Topic { topic } => Some(topic),
            Self::Everyone | Self::Connection { .. } => None,
        }
    }
}

/// What is to be published, before it has an id.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The event type, such as `book.ordered`.
    pub event_type: String,
    /// Whom it is for.
    pub target: Target,
    /// What happened, as the subscriber will see it; `None` for an event
    /// without data, or with `data_base64` among its attributes.
    pub data: Option<Value>,
    /// Context attributes of the `CloudEvent` that the publisher chose itself,
    /// in place of ours or beside them: `id`, `source`, `time`, extensions.
    pub attributes: Map<String, Value>,
    /// When it is not pushed any more; `None` for never.
    pub expiry: Option<Expiry>,
}

/// When a notification expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// So many seconds after it was accepted.
    AfterSeconds(u32),
    /// At this time, which may have passed.
    At(Timestamp),
}

impl Draft {
    /// Makes a draft that does not expire.
    pub fn new(event_type: impl Into<String>, target: Target, data: Value) -> Self {
        Self {
            event_type: event_type.into(),
            target,
            data: Some(data),
            attributes: Map::new(),
            expiry: None,
        }
    }
}

/// A notification that was accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// Its id.
    pub id: NotificationId,
    /// When it was accepted.
    pub time: Timestamp,
    /// Whom it is for.
    pub target: Target,
    /// What every subscriber gets: a `CloudEvent` as text.
    pub frame: String,
    /// After this time it is not pushed any more.
    pub expires_at: Option<Timestamp>,
    /// The trace of the request that asked for it; it is not recorded.
    pub trace: Option<TraceHeader>,
}

impl Notification {
    /// Gives a draft its id, its time and its frame.
    #[must_use]
    pub fn accept(draft: Draft, source: &str, now: Timestamp) -> Self {
        let id = NotificationId::generate(now);
        let frame = frame(id, source, now, &draft);
        let expires_at = draft.expiry.map(|expiry| match expiry {
            Expiry::AfterSeconds(seconds) => now + SignedDuration::from_secs(seconds.into()),
            Expiry::At(time) => time,
        });
        Self {
            id,
            time: now,
            target: draft.target,
            frame,
            expires_at,
            trace: None,
        }
    }
}

/// Writes the frame of a notification: a `CloudEvents` 1.0 event in structured
/// mode (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>).
///
/// `subject` is the topic; what is for everyone or for one connection has none.
/// What the publisher chose itself stands in place of what we would say.
fn frame(id: NotificationId, source: &str, time: Timestamp, draft: &Draft) -> String {
    let mut event = Map::new();
    let mut set = |name: &str, value: Value| event.insert(name.to_owned(), value);
    set("specversion", "1.0".into());
    set("id", id.to_string().into());
    set("source", source.into());
    set("type", draft.event_type.as_str().into());
    set("time", json!(time));
    if let Some(topic) = draft.target.topic() {
        set("subject", topic.as_str().into());
    }
    if draft.data.is_some() {
        set("datacontenttype", "application/json".into());
    }
    event.extend(draft.attributes.clone());
    if let Some(data) = &draft.data {
        event.insert("data".to_owned(), data.clone());
    }
    Value::Object(event).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(milliseconds).unwrap()
    }

    fn draft(target: Target) -> Draft {
        Draft {
            expiry: Some(Expiry::AfterSeconds(60)),
            ..Draft::new("book.ordered", target, json!({"bookId": 123}))
        }
    }

    #[test]
    fn ids_sort_by_time() {
        let earlier = NotificationId::generate(at(1_700_000_000_000));
        let later = NotificationId::generate(at(1_700_000_000_001));
        assert!(earlier.to_string() < later.to_string());
        assert_eq!(earlier.to_string().parse(), Ok(earlier));
    }

    #[test]
    fn ids_say_how_old_a_notification_is() {
        let id = NotificationId::generate(at(1_700_000_000_123));
        let age = |now| id.age_at(at(now)).unwrap().as_millis();
        assert_eq!(age(1_700_000_001_000), 877);
        assert_eq!(age(0), 0, "a clock that is behind");
        let other: NotificationId = "c33b5fac-ebb3-4b57-9d30-9f1b1f9ef6a5".parse().unwrap();
        assert_eq!(other.age_at(at(0)), None);
    }

    #[test]
    fn a_frame_is_a_cloud_event() {
        let topic = "merchant:42".parse().unwrap();
        let draft = draft(Target::Topic { topic });
        let accepted = Notification::accept(draft, "/orders", at(1_700_000_000_123));
        let frame: Value = serde_json::from_str(&accepted.frame).unwrap();
        insta::assert_json_snapshot!(frame, {".id" => "[id]"});
        assert_eq!(frame["id"], json!(accepted.id.to_string()));
    }

    #[test]
    fn what_is_for_everyone_has_no_subject() {
        let accepted = Notification::accept(draft(Target::Everyone), "/orders", at(0));
        let frame: Value = serde_json::from_str(&accepted.frame).unwrap();
        assert_eq!(frame.get("subject"), None);
    }

    #[test]
    fn an_event_without_data_has_none_in_its_frame() {
        let mut draft = draft(Target::Everyone);
        draft.data = None;
        let accepted = Notification::accept(draft, "/orders", at(0));
        let frame: Value = serde_json::from_str(&accepted.frame).unwrap();
        assert_eq!(
            (frame.get("data"), frame.get("datacontenttype")),
            (None, None)
        );
    }

    #[test]
    fn a_notification_expires_at_the_time_that_was_asked_for() {
        let mut draft = draft(Target::Everyone);
        draft.expiry = Some(Expiry::At(at(5_250)));
        let accepted = Notification::accept(draft, "/orders", at(5_000));
        assert_eq!(accepted.expires_at, Some(at(5_250)));
    }

    #[test]
    fn a_notification_expires_its_ttl_after_it_was_accepted() {
        let accepted = Notification::accept(draft(Target::Everyone), "/orders", at(5_000));
        assert_eq!(accepted.expires_at, Some(at(65_000)));
    }
}
