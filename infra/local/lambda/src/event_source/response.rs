//! What a function's answer says about the messages of its batch.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>

use std::collections::HashSet;

use serde::Deserialize;

use super::batch::Receipt;

/// Why an answer fails the whole batch.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidAnswer {
    #[error("the answer is not a batch response")]
    Malformed,
    #[error("an item has no identifier")]
    NoIdentifier,
    #[error("no message of the batch has the identifier {0:?}")]
    UnknownIdentifier(String),
}

#[derive(Deserialize)]
struct BatchResponse {
    #[serde(rename = "batchItemFailures")]
    failures: Option<Vec<ItemFailure>>,
}

#[derive(Deserialize)]
struct ItemFailure {
    #[serde(rename = "itemIdentifier")]
    identifier: Option<String>,
}

/// Reads which messages failed: `{"batchItemFailures":[{"itemIdentifier":ID}]}`.
/// An answer that is empty, `null` or without a list means that none did.
///
/// # Errors
/// If the answer fails the whole batch.
pub(super) fn failed_messages(
    answer: &[u8],
    batch: &[Receipt],
) -> Result<HashSet<String>, InvalidAnswer> {
    if answer.trim_ascii().is_empty() {
        return Ok(HashSet::new());
    }
    let response: Option<BatchResponse> =
        serde_json::from_slice(answer).map_err(|_| InvalidAnswer::Malformed)?;
    let failures = response
        .and_then(|response| response.failures)
        .unwrap_or_default();
    let sent: HashSet<_> = batch
        .iter()
        .map(|message| message.message_id.as_str())
        .collect();
    let identify = |failure: ItemFailure| match failure.identifier {
        None => Err(InvalidAnswer::NoIdentifier),
        Some(identifier) if identifier.is_empty() => Err(InvalidAnswer::NoIdentifier),
        Some(identifier) if sent.contains(identifier.as_str()) => Ok(identifier),
        Some(identifier) => Err(InvalidAnswer::UnknownIdentifier(identifier)),
    };
    failures.into_iter().map(identify).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(answer: &str, expected: Result<&[&str], InvalidAnswer>) {
        let batch = ["a", "b", "c"].map(|id| Receipt {
            message_id: id.to_owned(),
            receipt_handle: format!("{id}-handle"),
        });
        let expected = expected.map(|ids| ids.iter().copied().map(str::to_owned).collect());
        assert_eq!(failed_messages(answer.as_bytes(), &batch), expected);
    }

    #[test]
    fn listed_messages_have_failed() {
        check(
            r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#,
            Ok(&["b"]),
        );
        check(
            r#"{"batchItemFailures":[{"itemIdentifier":"c"},{"itemIdentifier":"a"}]}"#,
            Ok(&["a", "c"]),
        );
    }

    #[test]
    fn an_empty_answer_means_that_all_succeeded() {
        for answer in ["", "  ", "null", "{}", r#"{"batchItemFailures":null}"#] {
            check(answer, Ok(&[]));
        }
        check(r#"{"batchItemFailures":[]}"#, Ok(&[]));
    }

    #[test]
    fn an_answer_that_cannot_be_understood_fails_the_whole_batch() {
        check("done", Err(InvalidAnswer::Malformed));
        check(r#""done""#, Err(InvalidAnswer::Malformed));
        check(
            r#"{"batchItemFailures":"b"}"#,
            Err(InvalidAnswer::Malformed),
        );
        check(
            r#"{"batchItemFailures":[{"itemIdentifier":7}]}"#,
            Err(InvalidAnswer::Malformed),
        );
    }

    #[test]
    fn an_item_without_a_known_identifier_fails_the_whole_batch() {
        check(
            r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":""}]}"#,
            Err(InvalidAnswer::NoIdentifier),
        );
        check(
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            Err(InvalidAnswer::NoIdentifier),
        );
        check(
            r#"{"batchItemFailures":[{"messageId":"a"}]}"#,
            Err(InvalidAnswer::NoIdentifier),
        );
        check(
            r#"{"batchItemFailures":[{"itemIdentifier":"z"}]}"#,
            Err(InvalidAnswer::UnknownIdentifier("z".to_owned())),
        );
    }
}
