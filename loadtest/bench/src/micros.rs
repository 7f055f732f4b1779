//! Spans of time as whole microseconds, for `serde`.

use std::time::Duration;

use serde::Serializer;

/// Writes a span of time.
pub(crate) fn as_micros<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u128(span.as_micros())
}

/// Writes a span of time where there is one.
#[expect(clippy::ref_option, reason = "the signature that serde calls it with")]
pub(crate) fn as_optional_micros<S: Serializer>(
    span: &Option<Duration>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match span {
        Some(span) => as_micros(span, to),
        None => to.serialize_none(),
    }
}
