//! What a case expects, and how it says what came in its place.

use std::fmt::{Debug, Display};

use serde_json::Value;

use crate::api::Answer;

/// What was told of an unexpected value, in characters.
const SHOWN: usize = 600;

/// Something else came than what was expected.
#[derive(Debug, thiserror::Error)]
#[error("{what}: expected {expected}, got {got}")]
pub struct Unexpected {
    what: String,
    expected: String,
    got: String,
}

/// Expects a value.
///
/// # Errors
/// It is another one.
pub fn expect<T: PartialEq + Debug>(what: &str, got: &T, expected: &T) -> Result<(), Unexpected> {
    if got == expected {
        return Ok(());
    }
    Err(unexpected(
        what,
        format!("{expected:?}"),
        format!("{got:?}"),
    ))
}

/// Expects a fact to hold.
///
/// # Errors
/// It does not.
pub fn expect_that(
    holds: bool,
    what: &str,
    expected: &str,
    got: &dyn Display,
) -> Result<(), Unexpected> {
    if holds {
        return Ok(());
    }
    Err(unexpected(what, expected.to_owned(), got.to_string()))
}

/// Expects a document to have these members, with these values; it may have
/// others too.
///
/// # Errors
/// One is missing, or differs.
pub fn expect_members(what: &str, got: &Value, expected: &Value) -> Result<(), Unexpected> {
    if has_members(got, expected) {
        return Ok(());
    }
    Err(unexpected(what, expected.to_string(), got.to_string()))
}

/// Expects an answer to be a problem document (RFC 9457) of this status and
/// code.
///
/// # Errors
/// It is another answer.
pub fn expect_problem(answer: &Answer, status: u16, code: &str) -> Result<(), Unexpected> {
    let got = format!("{} {}", answer.status.as_u16(), answer.body);
    let is_status = answer.status.as_u16() == status;
    let members = serde_json::json!({"status": status, "code": code});
    let is_told = ["title", "detail"].iter().all(|name| {
        let member = answer.body.get(name).and_then(Value::as_str);
        member.is_some_and(|text| !text.is_empty())
    });
    expect_that(
        is_status && is_told && has_members(&answer.body, &members),
        "the answer",
        &format!("{status} with a problem document of the code {code}"),
        &got,
    )?;
    let content_type = answer.header("content-type");
    expect_that(
        content_type.starts_with("application/problem+json"),
        "the problem's content type",
        "application/problem+json",
        &content_type,
    )
}

fn has_members(got: &Value, expected: &Value) -> bool {
    match (got, expected) {
        (Value::Object(got), Value::Object(expected)) => expected.iter().all(|(name, expected)| {
            let member = got.get(name);
            member.is_some_and(|member| has_members(member, expected))
        }),
        _ => got == expected,
    }
}

fn unexpected(what: &str, expected: String, got: String) -> Unexpected {
    Unexpected {
        what: what.to_owned(),
        expected: shortened(expected),
        got: shortened(got),
    }
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(got: &Value, expected: &Value, holds: bool) {
        assert_eq!(expect_members("it", got, expected).is_ok(), holds);
    }

    #[test]
    fn more_members_do_no_harm() {
        check(
            &json!({"a": {"b": 1, "c": 2}, "d": 3}),
            &json!({"a": {"b": 1}}),
            true,
        );
        check(&json!({"a": {"c": 2}}), &json!({"a": {"b": 1}}), false);
        check(&json!({"a": [1, 2]}), &json!({"a": [1]}), false);
        check(&json!("a"), &json!("a"), true);
    }

    #[test]
    fn what_differs_is_shown_and_what_is_long_is_cut() {
        let error = expect("the count", &1, &2).unwrap_err();
        assert_eq!(error.to_string(), "the count: expected 2, got 1");
        let long = "é".repeat(SHOWN + 1);
        let error = expect_members("it", &json!(long), &json!(1)).unwrap_err();
        assert!(error.to_string().ends_with("é…"));
    }
}
