//! The general form: what `POST /notifications` takes.

use serde_json::Value;

use super::fields::{Fields, MAX_TTL_SECONDS, name_of, positive, text};
use crate::connection::ConnectionId;
use crate::notification::{Draft, Expiry, Target};
use crate::problem::{FieldError, Problem};
use crate::topic::{MAX_ID_LENGTH as MAX_NAME_LENGTH, Topic, TopicError};

/// The most notifications in one batch.
pub const MAX_BATCH: usize = 100;
/// The longest event type, in characters.
pub(super) const MAX_TYPE_LENGTH: usize = 256;
const MAX_ID_LENGTH: usize = 128;
const TARGETS: &str =
    r#""everyone", or an object with one of "topic", "user", "org", "connection""#;

/// Reads a notification: `type`, `data` (any JSON), `target` and optionally
/// `ttlSeconds`.
///
/// # Errors
/// A problem that names every field that is wrong.
pub fn parse(body: &[u8]) -> Result<Draft, Problem> {
    read(super::parse_json(body)?)
}

/// Reads a batch: an object with `notifications`, 1 to [`MAX_BATCH`] of them.
/// Each is read on its own.
///
/// # Errors
/// A problem where it is no batch at all.
pub fn parse_batch(body: &[u8]) -> Result<Vec<Result<Draft, Problem>>, Problem> {
    let expected = format!("an array of 1 to {MAX_BATCH} notifications");
    let mut fields = Fields::of_body(body)?;
    let items = fields.required("notifications", &expected, |items| match items {
        Value::Array(items) if (1..=MAX_BATCH).contains(&items.len()) => Ok(items.clone()),
        Value::Array(items) => Err(format!("expected {expected}, got {}", items.len())),
        other => Err(format!("expected {expected}, got {}", name_of(other))),
    });
    match (items, fields.finish()) {
        (Some(items), errors) if errors.is_empty() => Ok(items.into_iter().map(read).collect()),
        (_, errors) => Err(Problem::invalid_fields(errors)),
    }
}

fn read(notification: Value) -> Result<Draft, Problem> {
    let mut fields = Fields::of_value(notification)?;
    let event_type = fields.required("type", "the event type, a string", text(MAX_TYPE_LENGTH));
    let data = fields.required("data", "what happened, any JSON", |data| Ok(data.clone()));
    let mut target_errors = Vec::new();
    let target = fields.required("target", TARGETS, |target| {
        Ok(read_target(target)
            .map_err(|errors| target_errors = errors)
            .ok())
    });
    fields.adopt(target_errors);
    let ttl_seconds = fields.optional("ttlSeconds", positive(MAX_TTL_SECONDS));
    let errors = fields.finish();
    match (event_type, data, target.flatten(), errors.is_empty()) {
        (Some(event_type), Some(data), Some(target), true) => Ok(Draft {
            expiry: ttl_seconds
                .and_then(|ttl| u32::try_from(ttl).ok())
                .map(Expiry::AfterSeconds),
            ..Draft::new(event_type, target, data)
        }),
        _ => Err(Problem::invalid_fields(errors)),
    }
}

fn read_target(target: &Value) -> Result<Target, Vec<FieldError>> {
    let wrong = |got: &str| {
        let detail = format!("expected {TARGETS}, got {got}");
        vec![FieldError::new("/target", detail)]
    };
    let object = match target {
        Value::String(name) if name == "everyone" => return Ok(Target::Everyone),
        Value::String(name) => return Err(wrong(&format!("{name:?}"))),
        Value::Object(object) => object.clone(),
        other => return Err(wrong(name_of(other))),
    };
    if object.len() != 1 {
        return Err(wrong(&format!("an object with {} fields", object.len())));
    }
    let mut fields = Fields::new(object, "/target".to_owned());
    let topic = |topic_of: fn(&str) -> Result<Topic, TopicError>| {
        move |value: &Value| {
            let topic = topic_of(&text(MAX_NAME_LENGTH)(value)?);
            topic
                .map(|topic| Target::Topic { topic })
                .map_err(|error| error.to_string())
        }
    };
    let target = fields
        .optional("topic", topic(str::parse))
        .or_else(|| fields.optional("user", topic(Topic::of_user)))
        .or_else(|| fields.optional("org", topic(Topic::of_org)))
        .or_else(|| {
            fields.optional("connection", |value| {
                let id = ConnectionId::from(text(MAX_ID_LENGTH)(value)?);
                Ok(Target::Connection { id })
            })
        });
    let errors = fields.finish();
    match (target, errors.is_empty()) {
        (Some(target), true) => Ok(target),
        (None, true) => Err(wrong("null in its place")),
        (_, false) => Err(errors),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check_target(target: &Value, expected: Result<Target, (&str, &str)>) {
        let body = json!({"type": "score", "data": null, "target": target});
        let got = parse(body.to_string().as_bytes());
        match (got, expected) {
            (Ok(draft), Ok(target)) => assert_eq!(draft.target, target),
            (Err(problem), Err((pointer, detail))) => {
                assert_eq!(problem.errors, [FieldError::new(pointer, detail)]);
            }
            (got, expected) => panic!("{target}: {got:?}, expected {expected:?}"),
        }
    }

    fn topic(name: &str) -> Target {
        let topic = name.parse().unwrap();
        Target::Topic { topic }
    }

    #[test]
    fn targets_are_read() {
        check_target(&json!("everyone"), Ok(Target::Everyone));
        check_target(&json!({"topic": "stocks/AAPL"}), Ok(topic("stocks/AAPL")));
        check_target(&json!({"user": "u1"}), Ok(topic("user:u1")));
        check_target(&json!({"org": "o1"}), Ok(topic("org:o1")));
        check_target(&json!({"user": "auth0|1"}), Ok(topic("user:auth0|1")));
        let id = ConnectionId::from("TXzPWdnOjoECGjA=");
        check_target(
            &json!({"connection": "TXzPWdnOjoECGjA="}),
            Ok(Target::Connection { id }),
        );
    }

    #[test]
    fn a_wrong_target_is_told_what_would_be_right() {
        let expected = |got: &str| format!("expected {TARGETS}, got {got}");
        check_target(&json!("all"), Err(("/target", &expected(r#""all""#))));
        check_target(&json!(["a"]), Err(("/target", &expected("an array"))));
        check_target(
            &json!({"topic": "a", "user": "b"}),
            Err(("/target", &expected("an object with 2 fields"))),
        );
        check_target(
            &json!({"topic": null}),
            Err(("/target", &expected("null in its place"))),
        );
        check_target(
            &json!({"group": "a"}),
            Err(("/target/group", "unknown field")),
        );
        check_target(
            &json!({"topic": "a b"}),
            Err((
                "/target/topic",
                "a topic's name is made of letters, digits and . _ - : /, got ' '",
            )),
        );
    }

    #[test]
    fn each_notification_of_a_batch_is_read_on_its_own() {
        let good = json!({"type": "t", "data": 1, "target": "everyone"});
        let body = json!({"notifications": [good, {"type": 7}, 3]}).to_string();
        let drafts = parse_batch(body.as_bytes()).unwrap();
        let wrong = |n: usize| drafts[n].as_ref().unwrap_err().errors.len();
        assert!(drafts[0].is_ok());
        assert_eq!((wrong(1), wrong(2)), (3, 1));
    }

    #[test]
    fn a_batch_is_bounded_and_not_empty() {
        for (items, got) in [(0, "got 0"), (101, "got 101")] {
            let body = json!({"notifications": vec![1; items]}).to_string();
            let problem = parse_batch(body.as_bytes()).unwrap_err();
            assert_eq!(problem.errors[0].pointer, "/notifications");
            assert!(problem.errors[0].detail.ends_with(got), "{problem:?}");
        }
    }

    #[test]
    fn a_time_to_live_is_bounded() {
        let body = |ttl: u64| {
            json!({"type": "t", "data": 1, "target": "everyone", "ttlSeconds": ttl}).to_string()
        };
        let draft = parse(body(60).as_bytes()).unwrap();
        assert_eq!(draft.expiry, Some(Expiry::AfterSeconds(60)));
        let problem = parse(body(604_801).as_bytes()).unwrap_err();
        assert_eq!(problem.errors[0].pointer, "/ttlSeconds");
    }
}
