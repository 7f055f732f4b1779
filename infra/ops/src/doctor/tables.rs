//! Whether the tables are there, as the functions need them.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{KeyType, TableDescription, TableStatus, TimeToLiveStatus};

use super::check::Finding;
use crate::aws::fault::Fault;
use crate::outputs::Outputs;

/// What a table must be.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// What it is called in reports.
    pub subject: &'static str,
    output: fn(&Outputs) -> Option<&String>,
    keys: &'static [(&'static str, KeyKind)],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyKind {
    Partition,
    Sort,
}

/// All tables.
pub const TABLES: [&Table; 3] = [
    &Table {
        subject: "table of connections",
        output: |outputs| outputs.connections_table.as_ref(),
        keys: &[("connectionId", KeyKind::Partition)],
    },
    &Table {
        subject: "table of subscriptions",
        output: |outputs| outputs.subscriptions_table.as_ref(),
        keys: &[
            ("topicShard", KeyKind::Partition),
            ("connectionId", KeyKind::Sort),
        ],
    },
    &Table {
        subject: "table of notifications",
        output: |outputs| outputs.notifications_table.as_ref(),
        keys: &[
            ("notificationId", KeyKind::Partition),
            ("part", KeyKind::Sort),
        ],
    },
];

/// What rows expire by.
const EXPIRES_AT: &str = "expiresAt";

impl Table {
    /// The table's name, where it is known.
    #[must_use]
    pub fn name_in<'a>(&self, outputs: &'a Outputs) -> Option<&'a str> {
        (self.output)(outputs).map(String::as_str)
    }
}

/// What DynamoDB says of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    is_active: bool,
    keys: Vec<(String, KeyKind)>,
    /// The attribute that rows expire by, where they do.
    expires_by: Option<String>,
}

/// Looks at a table.
pub async fn ask(client: &Client, table: &Table, name: &str) -> Finding {
    let described = client.describe_table().table_name(name).send().await;
    let described = match described {
        Ok(described) => described
            .table
            .unwrap_or_else(|| TableDescription::builder().build()),
        Err(error) => return unseen(name, &Fault::of(&error)),
    };
    let expiry = client.describe_time_to_live().table_name(name).send().await;
    let expiry = match expiry {
        Ok(expiry) => expiry.time_to_live_description,
        Err(error) => return unseen(name, &Fault::of(&error)),
    };
    let expires_by = expiry.filter(|expiry| {
        let status = expiry.time_to_live_status();
        matches!(
            status,
            Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)
        )
    });
    let keys = described.key_schema().iter().map(|key| {
        let kind = match key.key_type() {
            KeyType::Range => KeyKind::Sort,
            _ => KeyKind::Partition,
        };
        (key.attribute_name().to_owned(), kind)
    });
    let seen = Seen {
        is_active: matches!(
            described.table_status(),
            Some(TableStatus::Active | TableStatus::Updating)
        ),
        keys: keys.collect(),
        expires_by: expires_by.and_then(|expiry| expiry.attribute_name),
    };
    judge(table, name, &seen)
}

fn judge(table: &Table, name: &str, seen: &Seen) -> Finding {
    let expected: Vec<_> = table
        .keys
        .iter()
        .map(|(key, kind)| ((*key).to_owned(), *kind))
        .collect();
    if !seen.is_active {
        return Finding::fail(
            format!("{name} is not active"),
            "wait, or look at its events",
        );
    }
    if seen.keys != expected {
        let names = |keys: &[(String, KeyKind)]| {
            let names: Vec<_> = keys.iter().map(|(name, _)| name.as_str()).collect();
            names.join(", ")
        };
        return Finding::fail(
            format!(
                "{name} has the keys {}, and not {}",
                names(&seen.keys),
                names(&expected)
            ),
            "is it another one of the tables? A table's keys cannot be changed: make a new one",
        );
    }
    match seen.expires_by.as_deref() {
        Some(EXPIRES_AT) => Finding::Ok(name.to_owned()),
        Some(other) => Finding::fail(
            format!("{name} has rows expire by {other}"),
            format!("set its time to live to {EXPIRES_AT}"),
        ),
        None => Finding::warn(
            format!("{name} has no rows expire"),
            format!("set its time to live to {EXPIRES_AT}, or it grows for ever"),
        ),
    }
}

fn unseen(name: &str, fault: &Fault) -> Finding {
    if fault.is_not_found() {
        return Finding::fail(
            format!("{name} does not exist"),
            "is the name right, and the Region, and the account?",
        );
    }
    let advice = fault.advice().unwrap_or("is the table's name right?");
    Finding::fail(format!("{name}: {fault}"), advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::tests::check_finding;

    fn seen(keys: &[&str], expires_by: Option<&str>) -> Seen {
        let kinds = [KeyKind::Partition, KeyKind::Sort];
        let keys = keys.iter().map(|key| (*key).to_owned()).zip(kinds);
        Seen {
            is_active: true,
            keys: keys.collect(),
            expires_by: expires_by.map(ToOwned::to_owned),
        }
    }

    #[track_caller]
    fn check(seen: &Seen, word: &str, says: &str) {
        check_finding(judge(TABLES[1], "t", seen), word, says);
    }

    #[test]
    fn a_table_has_its_keys_and_its_expiry() {
        let keys = ["topicShard", "connectionId"];
        check(&seen(&keys, Some("expiresAt")), "ok", "t");
        check(&seen(&keys, Some("ttl")), "FAIL", "expire by ttl");
        check(&seen(&keys, None), "WARN", "no rows expire");
        let swapped = ["connectionId", "topicShard"];
        let says = "connectionId, topicShard, and not topicShard, connectionId";
        check(&seen(&swapped, Some("expiresAt")), "FAIL", says);
        check(
            &seen(&["connectionId"], Some("expiresAt")),
            "FAIL",
            "not topicShard",
        );
        let mut creating = seen(&keys, Some("expiresAt"));
        creating.is_active = false;
        check(&creating, "FAIL", "not active");
    }

    #[test]
    fn a_table_that_is_not_there_is_told_from_one_that_is_not_shown() {
        let fault = |code: &str| Fault::Service {
            status: 400,
            code: code.to_owned(),
            message: String::new(),
        };
        let missing = unseen("t", &fault("ResourceNotFoundException"));
        check_finding(missing, "FAIL", "t does not exist");
        let forbidden = unseen("t", &fault("AccessDeniedException"));
        check_finding(forbidden, "FAIL", "use a role that may");
    }
}
