//! Fan-out tasks: the messages on the queues.
//!
//! A task says whose notification it is, which part of the ledger it settles
//! and what is to be done. It is readable by the release before and the release
//! after: fields may be added, and are ignored where they are not known; a
//! change of meaning takes a new version.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audience::{Cursor, Slice};
use crate::connection::Recipient;
use crate::notification::{Notification, NotificationId, Target};
use crate::topic::Topic;
use crate::trace::TraceHeader;

/// The version that this release writes.
pub const VERSION: u32 = 1;

/// A unit of work on a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// The notification that is pushed.
    pub notification_id: NotificationId,
    /// The part of the ledger that this task settles.
    pub part: Part,
    /// What is to be done.
    pub work: Work,
    /// What is pushed, as text.
    pub frame: String,
    /// The topic in whose audience the work is, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// After this time nothing is pushed any more; the rest counts as expired.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    pub expires_at: Option<Timestamp>,
    /// The trace that it belongs to. It travels beside the message, where AWS
    /// looks for it.
    #[serde(skip)]
    pub trace: Option<TraceHeader>,
}

/// Names a part of a notification's ledger.
///
/// A task that is delivered again, or continues another one's work, names the
/// same part, and so overwrites its counts instead of adding to them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Part(String);

impl Part {
    /// The part that every notification has: its whole audience if that is
    /// small, else the record of how it was cut.
    #[must_use]
    pub fn root() -> Self {
        Self("root".to_owned())
    }

    /// The part of one slice of a large audience.
    #[must_use]
    pub fn of_slice(slice: &Slice) -> Self {
        match slice {
            Slice::Everyone { segment, of } => Self(format!("segment-{segment}-of-{of}")),
            Slice::Topic { shard, .. } => Self(format!("shard-{shard}")),
            Slice::Connection { .. } => Self("connection".to_owned()),
        }
    }

    /// Returns the name, as it stands in the ledger's key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Part {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a task asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Work {
    /// Find out how large the audience is; push if it is small, cut it into
    /// slices if it is not.
    Audience(Target),
    /// Push to exactly this.
    Left(Left),
}

/// What is left to do: where to go on reading, and who was read but is not
/// settled. Nothing is left when both are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Left {
    /// Where to go on reading; `None` when the slice was read to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<Unread>,
    /// Who was taken from the audience, but is not settled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outstanding: Vec<Outstanding>,
}

impl Left {
    /// All of one slice.
    #[must_use]
    pub fn all_of(slice: Slice) -> Self {
        Self {
            unread: Some(Unread { slice, after: None }),
            outstanding: Vec::new(),
        }
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.unread.is_none() && self.outstanding.is_empty()
    }
}

/// The rest of a slice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unread {
    /// The slice.
    pub slice: Slice,
    /// Everything up to and with this position was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Cursor>,
}

/// A recipient who is not settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outstanding {
    /// Whom to push to.
    #[serde(flatten)]
    pub recipient: Recipient,
    /// How often it was tried so far.
    #[serde(flatten)]
    pub tries: Tries,
}

/// How often a recipient was tried without being settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tries {
    /// Attempts that failed: timeouts, resets, server errors.
    pub failed: u32,
    /// Attempts that were throttled. They say nothing against the connection,
    /// so that it gets many more of them.
    pub throttled: u32,
}

impl From<Recipient> for Outstanding {
    fn from(recipient: Recipient) -> Self {
        Self {
            recipient,
            tries: Tries::default(),
        }
    }
}

/// Why a message is not a task, or a task not a message.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The message is no JSON, or lacks what a task has.
    #[error("cannot decode fan-out task: {0}")]
    Malformed(#[source] serde_json::Error),
    /// The message was written by a release that this one does not know.
    #[error("cannot decode fan-out task: unknown version {0}, this release knows {VERSION}")]
    UnknownVersion(u64),
    /// The task could not be written.
    #[error("cannot encode fan-out task: {0}")]
    Encode(#[source] serde_json::Error),
}

impl Task {
    /// Makes the task that sees a notification through, under a trace.
    #[must_use]
    pub fn of(notification: Notification, trace: Option<TraceHeader>) -> Self {
        Self {
            notification_id: notification.id,
            part: Part::root(),
            topic: notification.target.topic().cloned(),
            work: Work::Audience(notification.target),
            frame: notification.frame,
            expires_at: notification.expires_at,
            trace,
        }
    }

    /// Writes the task as a message of the current version.
    pub fn encode(&self) -> Result<String, TaskError> {
        #[derive(Serialize)]
        struct Versioned<'a> {
            version: u32,
            #[serde(flatten)]
            task: &'a Task,
        }
        let versioned = Versioned {
            version: VERSION,
            task: self,
        };
        serde_json::to_string(&versioned).map_err(TaskError::Encode)
    }

    /// Reads a message of any version that this release knows.
    pub fn decode(message: &str) -> Result<Self, TaskError> {
        #[derive(Deserialize)]
        struct Version {
            version: u64,
        }
        let Version { version } = serde_json::from_str(message).map_err(TaskError::Malformed)?;
        if version != u64::from(VERSION) {
            return Err(TaskError::UnknownVersion(version));
        }
        serde_json::from_str(message).map_err(TaskError::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(work: Work) -> Task {
        Task {
            notification_id: "0190163d-8694-739b-aea5-966c26f8ad91".parse().unwrap(),
            part: Part::root(),
            work,
            frame: r#"{"type":"book.ordered"}"#.to_owned(),
            topic: None,
            expires_at: Some(Timestamp::from_millisecond(1_700_000_060_000).unwrap()),
            trace: None,
        }
    }

    fn left() -> Left {
        Left {
            unread: Some(Unread {
                slice: Slice::Everyone { segment: 3, of: 64 },
                after: Some(Cursor("TXzPWdnOjoECGjA=".into())),
            }),
            outstanding: vec![Outstanding {
                recipient: Recipient {
                    connection_id: "TXzPWdnOjoECGjB=".into(),
                    connected_at: Timestamp::from_millisecond(1_700_000_000_000).unwrap(),
                },
                tries: Tries {
                    failed: 2,
                    throttled: 1,
                },
            }],
        }
    }

    #[test]
    fn a_notifications_task_reads_as_written() {
        let task = task(Work::Audience(Target::Everyone));
        let message = task.encode().unwrap();
        insta::assert_snapshot!(message);
        assert_eq!(Task::decode(&message).unwrap(), task);
    }

    #[test]
    fn a_task_of_what_is_left_reads_as_written() {
        let task = task(Work::Left(left()));
        let message = task.encode().unwrap();
        insta::assert_snapshot!(message);
        assert_eq!(Task::decode(&message).unwrap(), task);
    }

    #[test]
    fn fields_of_a_later_release_are_ignored() {
        let message = task(Work::Audience(Target::Everyone)).encode().unwrap();
        let later = message.replacen('{', r#"{"priority":"high","#, 1);
        assert!(Task::decode(&later).is_ok());
    }

    #[test]
    fn an_unknown_version_is_named() {
        let message = task(Work::Audience(Target::Everyone)).encode().unwrap();
        let unknown = message.replacen(r#""version":1"#, r#""version":3"#, 1);
        assert_eq!(
            Task::decode(&unknown).unwrap_err().to_string(),
            "cannot decode fan-out task: unknown version 3, this release knows 1"
        );
    }

    #[test]
    fn what_is_no_task_is_refused() {
        for message in ["", "[]", "{}", r#"{"version":1}"#, r#"{"version":"1"}"#] {
            assert!(Task::decode(message).is_err(), "{message:?}");
        }
    }
}
