//! Where a deployment is: what its stack puts out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use http::Uri;
use serde::Deserialize;
use serde_json::{Map, Value};

/// What is known of a deployment. What is not known is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Outputs {
    /// Where subscribers connect: `wss://API.execute-api.REGION.amazonaws.com/STAGE`.
    pub web_socket_url: Option<String>,
    /// Where publishers POST, without a path.
    pub publish_url: Option<String>,
    /// Where connections are pushed to, the stage of the WebSocket API:
    /// `https://API.execute-api.REGION.amazonaws.com/STAGE`.
    pub management_endpoint: Option<String>,
    /// The Region.
    pub region: Option<String>,
    /// The table of connections.
    pub connections_table: Option<String>,
    /// The table of subscriptions.
    pub subscriptions_table: Option<String>,
    /// The table of notifications and their ledgers.
    pub notifications_table: Option<String>,
    /// The queue of notifications.
    pub notifications_queue_url: Option<String>,
    /// The queue of slices of large audiences.
    pub slices_queue_url: Option<String>,
    /// The queue of what could not be finished.
    pub dead_letter_queue_url: Option<String>,
    /// Where a local stack's `DynamoDB` is.
    pub dynamo_db_endpoint: Option<String>,
    /// Where a local stack's SQS is.
    pub sqs_endpoint: Option<String>,
}

/// Why a file of outputs cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OutputsError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is no JSON.
    #[error("{} is not JSON", path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// Why it is none.
        source: serde_json::Error,
    },
    /// It is in none of the shapes that are known.
    #[error(
        "{} has no outputs of a stack: expected what `cdk deploy --outputs-file`, `fanout-local \
         --outputs-file` or `aws cloudformation describe-stacks` writes", .0.display()
    )]
    Shape(PathBuf),
    /// It has not the stack that was asked for.
    #[error("{} has no stack {name:?}; it has {}", path.display(), has.join(", "))]
    NoSuchStack {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        name: String,
        /// What it has.
        has: Vec<String>,
    },
    /// Two stacks say different things.
    #[error("{} has {output} of several stacks: name one by --stack", path.display())]
    Ambiguous {
        /// The file.
        path: PathBuf,
        /// What they differ in.
        output: String,
    },
}

impl Outputs {
    /// Reads a file that `cdk deploy --outputs-file`, `fanout-local
    /// --outputs-file` or `aws cloudformation describe-stacks` wrote. Outputs of
    /// several stacks are taken together, unless `stack` names one.
    ///
    /// # Errors
    /// See [`OutputsError`].
    pub fn read(path: &Path, stack: Option<&str>) -> Result<Self, OutputsError> {
        let path = || path.to_owned();
        let text = std::fs::read(path()).map_err(|source| OutputsError::Read {
            path: path(),
            source,
        })?;
        let document = serde_json::from_slice(&text).map_err(|source| OutputsError::NotJson {
            path: path(),
            source,
        })?;
        let mut stacks = stacks_in(&document).ok_or_else(|| OutputsError::Shape(path()))?;
        if let Some(name) = stack {
            let has = stacks.keys().cloned().collect();
            let found = stacks.remove(name);
            let found = found.ok_or_else(|| OutputsError::NoSuchStack {
                path: path(),
                name: name.to_owned(),
                has,
            })?;
            stacks = BTreeMap::from([(name.to_owned(), found)]);
        }
        let mut outputs = Map::new();
        for (output, value) in stacks.into_values().flatten() {
            if outputs.get(&output).is_some_and(|other| *other != value) {
                let path = path();
                return Err(OutputsError::Ambiguous { path, output });
            }
            outputs.insert(output, value);
        }
        let outputs = serde_json::from_value(Value::Object(outputs));
        outputs.map_err(|source| OutputsError::NotJson {
            path: path(),
            source,
        })
    }

    /// Takes what `other` says in place of what is known.
    #[must_use]
    pub fn overridden_by(self, other: Self) -> Self {
        Self {
            web_socket_url: other.web_socket_url.or(self.web_socket_url),
            publish_url: other.publish_url.or(self.publish_url),
            management_endpoint: other.management_endpoint.or(self.management_endpoint),
            region: other.region.or(self.region),
            connections_table: other.connections_table.or(self.connections_table),
            subscriptions_table: other.subscriptions_table.or(self.subscriptions_table),
            notifications_table: other.notifications_table.or(self.notifications_table),
            notifications_queue_url: other
                .notifications_queue_url
                .or(self.notifications_queue_url),
            slices_queue_url: other.slices_queue_url.or(self.slices_queue_url),
            dead_letter_queue_url: other.dead_letter_queue_url.or(self.dead_letter_queue_url),
            dynamo_db_endpoint: other.dynamo_db_endpoint.or(self.dynamo_db_endpoint),
            sqs_endpoint: other.sqs_endpoint.or(self.sqs_endpoint),
        }
    }

    /// Whether this is a local stack, which verifies no signatures: it has
    /// endpoints of its own, and all of them are on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let given = [&self.sqs_endpoint, &self.dynamo_db_endpoint];
        let mut endpoints = given.into_iter().flatten().peekable();
        endpoints.peek().is_some() && endpoints.all(|endpoint| is_on_this_machine(endpoint))
    }
}

/// Whether a URL's host is this machine.
fn is_on_this_machine(url: &str) -> bool {
    let url = url.parse::<Uri>().unwrap_or_default();
    let host = url.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<IpAddr>();
    host == "localhost"
        || host.ends_with(".localhost")
        || address.is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

/// The outputs of each stack, by its name; `None` where there are none.
fn stacks_in(document: &Value) -> Option<BTreeMap<String, Map<String, Value>>> {
    let document = document.as_object()?;
    let stacks: BTreeMap<_, _> = match document.get("Stacks") {
        Some(Value::Array(stacks)) => stacks.iter().filter_map(described).collect(),
        _ => document
            .iter()
            .filter_map(|(name, outputs)| Some((name.clone(), outputs.as_object()?.clone())))
            .collect(),
    };
    (!stacks.is_empty()).then_some(stacks)
}

/// A stack as `describe-stacks` describes it
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Output.html>).
fn described(stack: &Value) -> Option<(String, Map<String, Value>)> {
    let name = stack.get("StackName")?.as_str()?;
    let outputs = stack.get("Outputs")?.as_array()?.iter();
    let outputs = outputs.filter_map(|output| {
        let key = output.get("OutputKey")?.as_str()?;
        Some((key.to_owned(), output.get("OutputValue")?.clone()))
    });
    Some((name.to_owned(), outputs.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(document: &Value, stack: Option<&str>) -> Result<Outputs, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("outputs.json");
        std::fs::write(&path, document.to_string()).unwrap();
        let read = Outputs::read(&path, stack);
        read.map_err(|error| error.to_string().replace(path.to_str().unwrap(), "FILE"))
    }

    #[track_caller]
    fn check(document: &Value, stack: Option<&str>, expected: Result<(&str, &str), &str>) {
        let found = read(document, stack).map(|outputs| {
            let region = outputs.region.unwrap_or_default();
            (outputs.publish_url.unwrap_or_default(), region)
        });
        let expected = expected.map(|(url, region)| (url.to_owned(), region.to_owned()));
        assert_eq!(found, expected.map_err(ToOwned::to_owned));
    }

    #[test]
    fn outputs_are_read_in_each_of_their_shapes() {
        let cdk = json!({"Fanout": {"PublishUrl": "https://h", "Region": "r", "Dashboard": "d"}});
        check(&cdk, None, Ok(("https://h", "r")));
        let described = json!({"Stacks": [{"StackName": "Fanout", "Outputs": [
            {"OutputKey": "PublishUrl", "OutputValue": "https://h", "Description": "where"},
            {"OutputKey": "Region", "OutputValue": "r"},
        ]}]});
        check(&described, None, Ok(("https://h", "r")));
        check(&described, Some("Fanout"), Ok(("https://h", "r")));
    }

    #[test]
    fn several_stacks_are_taken_together_unless_they_differ() {
        let both = json!({"Data": {"Region": "r"}, "Api": {"PublishUrl": "u", "Region": "r"}});
        check(&both, None, Ok(("u", "r")));
        let two = json!({"A": {"PublishUrl": "a"}, "B": {"PublishUrl": "b"}});
        let ambiguous = "FILE has PublishUrl of several stacks: name one by --stack";
        check(&two, None, Err(ambiguous));
        check(&two, Some("B"), Ok(("b", "")));
        check(
            &two,
            Some("C"),
            Err(r#"FILE has no stack "C"; it has A, B"#),
        );
    }

    #[test]
    fn what_has_no_outputs_is_refused() {
        for document in [json!([]), json!({}), json!({"Stacks": []}), json!({"a": 1})] {
            let error = read(&document, None).unwrap_err();
            assert!(
                error.starts_with("FILE has no outputs of a stack"),
                "{error}"
            );
        }
    }

    #[test]
    fn single_values_override_those_of_the_file() {
        let of = |region: Option<&str>, url: Option<&str>| Outputs {
            region: region.map(ToOwned::to_owned),
            publish_url: url.map(ToOwned::to_owned),
            ..Outputs::default()
        };
        let overridden = of(Some("r"), Some("u")).overridden_by(of(None, Some("v")));
        assert_eq!(overridden, of(Some("r"), Some("v")));
    }

    #[track_caller]
    fn check_local(sqs: Option<&str>, dynamo_db: Option<&str>, is_local: bool) {
        let outputs = Outputs {
            sqs_endpoint: sqs.map(ToOwned::to_owned),
            dynamo_db_endpoint: dynamo_db.map(ToOwned::to_owned),
            ..Outputs::default()
        };
        assert_eq!(outputs.is_local(), is_local, "{sqs:?} {dynamo_db:?}");
    }

    #[test]
    fn a_stack_is_local_when_its_endpoints_are_on_this_machine() {
        for local in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost"] {
            check_local(Some(local), None, true);
            check_local(None, Some(local), true);
        }
        check_local(None, None, false);
        for elsewhere in [
            "https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com",
            "http://localhost.example",
            "http://10.0.0.1:4566",
        ] {
            check_local(Some(elsewhere), None, false);
            check_local(Some(elsewhere), Some("http://127.0.0.1"), false);
        }
    }
}
