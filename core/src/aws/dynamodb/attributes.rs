//! Rows and their attributes.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

/// A row, or a key.
pub(super) type Row = HashMap<String, AttributeValue>;

pub(super) fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(super) fn number(number: impl Display) -> AttributeValue {
    AttributeValue::N(format!("{number}"))
}

pub(super) fn flag(flag: bool) -> AttributeValue {
    AttributeValue::Bool(flag)
}

/// A time that is compared and shown: epoch milliseconds.
pub(super) fn milliseconds(time: Timestamp) -> AttributeValue {
    number(time.as_millisecond())
}

/// A time after which DynamoDB may delete the row: epoch seconds
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-before-you-start.html>).
pub(super) fn seconds(time: Timestamp) -> AttributeValue {
    number(time.as_second())
}

pub(super) fn key<const N: usize>(attributes: [(&str, &str); N]) -> Row {
    attributes
        .into_iter()
        .map(|(name, value)| (name.to_owned(), text(value)))
        .collect()
}

pub(super) fn read_text<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    row.get(name)?.as_s().ok().map(String::as_str)
}

pub(super) fn read_number<T: FromStr>(row: &Row, name: &str) -> Option<T> {
    row.get(name)?.as_n().ok()?.parse().ok()
}

pub(super) fn read_flag(row: &Row, name: &str) -> Option<bool> {
    row.get(name)?.as_bool().ok().copied()
}

pub(super) fn read_milliseconds(row: &Row, name: &str) -> Option<Timestamp> {
    milliseconds_in(row.get(name)?.as_n().ok()?)
}

/// Reads what [`milliseconds`] wrote.
pub(super) fn milliseconds_in(number: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(number.parse().ok()?).ok()
}
