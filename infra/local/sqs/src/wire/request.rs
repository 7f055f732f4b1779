//! What requests have in common: who calls, which queue, and numbers in range.

use std::ops::RangeInclusive;
use std::time::Duration;

use axum::http::{HeaderMap, header};

use super::error::ApiError;

/// Who sent a request, and to which address.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// The access key id that signed the request.
    pub(super) access_key_id: String,
    /// The scheme and authority under which the caller reached the service.
    pub(super) base_url: String,
}

impl Caller {
    /// Reads the headers of a request.
    ///
    /// # Errors
    /// When there is no `SigV4` signature.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let authorization = text(header::AUTHORIZATION).unwrap_or_default();
        let signature = authorization.strip_prefix("AWS4-HMAC-SHA256 ");
        let fields = signature.ok_or_else(ApiError::missing_authentication)?;
        let credential = fields.split("Credential=").nth(1).unwrap_or_default();
        let access_key_id = credential.split('/').next().unwrap_or_default();
        let host = text(header::HOST).unwrap_or("localhost");
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            base_url: format!("http://{host}"),
        })
    }
}

/// The name of the queue that a URL ends in, whatever its host is.
pub(super) fn queue_name(url: Option<&str>) -> Result<&str, ApiError> {
    let name = url.and_then(|url| url.trim_end_matches('/').rsplit('/').next());
    name.filter(|name| !name.is_empty())
        .ok_or_else(ApiError::no_queue)
}

/// A parameter that must be there.
pub(super) fn required<T>(value: Option<T>, parameter: &str) -> Result<T, ApiError> {
    value.ok_or_else(|| ApiError::missing(parameter))
}

/// A number of seconds, if there is one, within a range.
pub(super) fn seconds(
    value: Option<i64>,
    parameter: &str,
    range: RangeInclusive<u64>,
) -> Result<Option<Duration>, ApiError> {
    let number = number(value, parameter, range)?;
    Ok(number.map(Duration::from_secs))
}

/// A number, if there is one, within a range.
pub(super) fn number(
    value: Option<i64>,
    parameter: &str,
    range: RangeInclusive<u64>,
) -> Result<Option<u64>, ApiError> {
    let Some(value) = value else { return Ok(None) };
    let number = u64::try_from(value).ok();
    let (start, end) = (range.start(), range.end());
    let reason = || format!("Must be >= {start} and <= {end}, if provided.");
    match number.filter(|number| range.contains(number)) {
        Some(number) => Ok(Some(number)),
        None => Err(ApiError::invalid(value, parameter, &reason())),
    }
}
