//! Queue attributes as texts: read from a map, and written into one.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;
use crate::service::{QueueAttributes, QueueDescription, RedrivePolicy};

/// Attributes of a queue, by name.
pub(super) type JsonQueueAttributes = BTreeMap<String, String>;

const REDRIVE_POLICY: &str = "RedrivePolicy";

/// Names that SQS knows and that a standard queue here never has a value for.
const ABSENT: [&str; 9] = [
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "Policy",
    "RedriveAllowPolicy",
    "SqsManagedSseEnabled",
];

/// A `RedrivePolicy`, whose count comes as a number or as a text.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonRedrivePolicy {
    dead_letter_target_arn: String,
    max_receive_count: Value,
}

/// Sets the attributes in `json`; the others stay as they are.
pub(super) fn set(
    attributes: &mut QueueAttributes,
    json: &JsonQueueAttributes,
) -> Result<(), ApiError> {
    for (name, value) in json {
        let number = || {
            let number = value.parse::<u32>();
            number.map_err(|_| ApiError::invalid_attribute_value(name))
        };
        let seconds = || Ok::<_, ApiError>(Duration::from_secs(number()?.into()));
        match name.as_str() {
            "VisibilityTimeout" => attributes.visibility_timeout = seconds()?,
            "DelaySeconds" => attributes.delay = seconds()?,
            "MessageRetentionPeriod" => attributes.retention = seconds()?,
            "ReceiveMessageWaitTimeSeconds" => attributes.receive_wait = seconds()?,
            "MaximumMessageSize" => {
                let bytes = usize::try_from(number()?);
                attributes.max_message_bytes = bytes.unwrap_or(usize::MAX);
            }
            REDRIVE_POLICY if value.is_empty() => attributes.redrive = None,
            REDRIVE_POLICY => attributes.redrive = Some(parse_redrive(value)?),
            _ => return Err(ApiError::invalid_attribute_name(name)),
        }
    }
    Ok(())
}

/// The attributes of a queue that are asked for by name, or all.
pub(super) fn describe(
    description: &QueueDescription,
    arn: &str,
    dead_letter_arn: Option<&str>,
    names: &[String],
) -> Result<JsonQueueAttributes, ApiError> {
    let all = all(description, arn, dead_letter_arn);
    let is_known = |name: &&String| {
        let name = name.as_str();
        let is_absent = ABSENT.contains(&name) || name == REDRIVE_POLICY;
        name == "All" || is_absent || all.iter().any(|(known, _)| *known == name)
    };
    if let Some(unknown) = names.iter().find(|name| !is_known(name)) {
        return Err(ApiError::invalid_attribute_name(unknown));
    }
    let is_asked = |name: &str| names.iter().any(|asked| asked == name || asked == "All");
    let asked = all.into_iter().filter(|(name, _)| is_asked(name));
    Ok(asked
        .map(|(name, value)| (name.to_owned(), value))
        .collect())
}

fn all(
    description: &QueueDescription,
    arn: &str,
    dead_letter_arn: Option<&str>,
) -> Vec<(&'static str, String)> {
    let attributes = &description.attributes;
    let counts = description.counts;
    let seconds = |span: Duration| span.as_secs().to_string();
    let mut all = vec![
        ("QueueArn", arn.to_owned()),
        ("ApproximateNumberOfMessages", counts.visible.to_string()),
        (
            "ApproximateNumberOfMessagesNotVisible",
            counts.in_flight.to_string(),
        ),
        (
            "ApproximateNumberOfMessagesDelayed",
            counts.delayed.to_string(),
        ),
        ("CreatedTimestamp", seconds(description.created_at)),
        ("LastModifiedTimestamp", seconds(description.modified_at)),
        ("VisibilityTimeout", seconds(attributes.visibility_timeout)),
        ("DelaySeconds", seconds(attributes.delay)),
        ("MessageRetentionPeriod", seconds(attributes.retention)),
        (
            "ReceiveMessageWaitTimeSeconds",
            seconds(attributes.receive_wait),
        ),
        (
            "MaximumMessageSize",
            attributes.max_message_bytes.to_string(),
        ),
    ];
    if let (Some(redrive), Some(target)) = (&attributes.redrive, dead_letter_arn) {
        let max = redrive.max_receive_count;
        let policy = json!({ "deadLetterTargetArn": target, "maxReceiveCount": max });
        all.push((REDRIVE_POLICY, policy.to_string()));
    }
    all
}

fn parse_redrive(text: &str) -> Result<RedrivePolicy, ApiError> {
    let invalid = || ApiError::invalid_attribute_value(REDRIVE_POLICY);
    let policy: JsonRedrivePolicy = serde_json::from_str(text).map_err(|_| invalid())?;
    let count = match &policy.max_receive_count {
        Value::String(text) => text.parse().ok(),
        number => number.as_u64().and_then(|count| count.try_into().ok()),
    };
    Ok(RedrivePolicy {
        dead_letter_queue: policy.dead_letter_target_arn,
        max_receive_count: count.ok_or_else(invalid)?,
    })
}
