//! Problem documents: how the HTTP API says that something went wrong.

use std::collections::BTreeMap;

use serde::Serialize;

/// The media type of a problem document.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// A problem document (RFC 9457) with a stable `code`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// What went wrong, stable across releases: for programs.
    pub code: &'static str,
    /// What went wrong, in general: for people.
    pub title: &'static str,
    /// What went wrong this time.
    pub detail: String,
    /// What is wrong with which field, where it is the body's fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Response headers that belong to the problem, such as `Allow`.
    #[serde(skip)]
    pub headers: BTreeMap<&'static str, String>,
}

/// What is wrong with one field of a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Where the field is: a JSON Pointer (RFC 6901), empty for the whole body.
    pub pointer: String,
    /// What would be right, and what was there.
    pub detail: String,
}

impl FieldError {
    /// Makes an error of the field at `pointer`.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            detail: detail.into(),
        }
    }
}

impl Problem {
    fn new(status: u16, code: &'static str, title: &'static str, detail: String) -> Self {
        Self {
            status,
            code,
            title,
            detail,
            errors: Vec::new(),
            headers: BTreeMap::new(),
        }
    }

    /// 400: the body is no JSON.
    #[must_use]
    pub fn not_json(detail: String) -> Self {
        Self::new(400, "not_json", "The body is not JSON", detail)
    }

    /// 422: the body is JSON, but not what was asked for.
    #[must_use]
    pub fn invalid_fields(errors: Vec<FieldError>) -> Self {
        let fields = match errors.len() {
            1 => "1 field is invalid".to_owned(),
            n => format!("{n} fields are invalid"),
        };
        Self {
            errors,
            ..Self::new(422, "invalid_fields", "The body has invalid fields", fields)
        }
    }

    /// 413: what subscribers would get is larger than a frame may be.
    #[must_use]
    pub fn too_large(bytes: usize, limit: usize) -> Self {
        let detail = format!(
            "the notification would become a frame of {bytes} bytes; at most {limit} are pushed"
        );
        Self::new(413, "too_large", "The notification is too large", detail)
    }

    /// 415: the body is declared as something that is not understood.
    #[must_use]
    pub fn unsupported_media_type(got: &str) -> Self {
        Self::new(
            415,
            "unsupported_media_type",
            "The body's media type is not supported",
            format!(
                "expected content-type application/json or, for notifications, \
                 application/cloudevents+json, got {got:?}"
            ),
        )
    }

    /// 400: the idempotency key is none.
    #[must_use]
    pub fn invalid_idempotency_key(detail: &str) -> Self {
        Self::new(
            400,
            "invalid_idempotency_key",
            "The Idempotency-Key is malformed",
            detail.to_owned(),
        )
    }

    /// 422: the idempotency key was used for another request.
    #[must_use]
    pub fn idempotency_key_reused() -> Self {
        Self::new(
            422,
            "idempotency_key_reused",
            "The Idempotency-Key was used for another request",
            "within the last 24 hours another request was made under this key; \
             this one sent nothing"
                .to_owned(),
        )
    }

    /// 422: a topic's name is malformed.
    #[must_use]
    pub fn invalid_topic(detail: String) -> Self {
        Self::new(
            422,
            "invalid_topic",
            "The topic's name is malformed",
            detail,
        )
    }

    /// 404: there is no such connection.
    #[must_use]
    pub fn no_such_connection(id: &str) -> Self {
        Self::new(
            404,
            "no_such_connection",
            "There is no such connection",
            format!("no connection {id:?} is open"),
        )
    }

    /// 409: everybody whom the notification was for is settled, and none has
    /// failed.
    #[must_use]
    pub fn already_ended(id: &str) -> Self {
        Self::new(
            409,
            "already_ended",
            "The notification has ended",
            format!("nothing is left to cancel of notification {id}"),
        )
    }

    /// 401: who is asking is not known. `challenge` is what a
    /// `WWW-Authenticate` header asks for (RFC 9110, section 11.6.1).
    #[must_use]
    pub fn unauthenticated(detail: &str, challenge: &str) -> Self {
        let detail = detail.to_owned();
        let mut problem = Self::new(401, "unauthenticated", "Authentication is required", detail);
        problem
            .headers
            .insert("www-authenticate", challenge.to_owned());
        problem
    }

    /// 403: who is asking is known, and may not do that.
    #[must_use]
    pub fn forbidden(detail: &str) -> Self {
        Self::new(403, "forbidden", "This is not allowed", detail.to_owned())
    }

    /// 404: there is no such notification.
    #[must_use]
    pub fn no_such_notification(id: &str) -> Self {
        Self::new(
            404,
            "no_such_notification",
            "There is no such notification",
            format!("no notification {id:?} is recorded; records are kept for some days"),
        )
    }

    /// 404: there is no such route.
    #[must_use]
    pub fn no_such_route(method: &str, path: &str, known: &str) -> Self {
        Self::new(
            404,
            "no_such_route",
            "There is no such route",
            format!("{method} {path} is not served; known are {known}"),
        )
    }

    /// 405: the route exists, but not with this method.
    #[must_use]
    pub fn method_not_allowed(method: &str, path: &str, allowed: &str) -> Self {
        let mut problem = Self::new(
            405,
            "method_not_allowed",
            "The method is not allowed here",
            format!("{path} takes {allowed}, got {method}"),
        );
        problem.headers.insert("allow", allowed.to_owned());
        problem
    }

    /// 503: a store or a queue did not answer; nothing was published unless
    /// the detail says so.
    #[must_use]
    pub fn unavailable(detail: &str) -> Self {
        let mut problem = Self::new(
            503,
            "unavailable",
            "The service is temporarily unavailable",
            detail.to_owned(),
        );
        problem.headers.insert("retry-after", "1".to_owned());
        problem
    }
}
