//! Cross-origin requests (<https://fetch.spec.whatwg.org/#http-cors-protocol>).
//!
//! The function answers preflights itself, so that it is the same behind an
//! HTTP API and on one machine; an HTTP API that is configured for CORS would
//! answer in its place.

use std::collections::BTreeSet;

use http::Method;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};

use super::answer::{Response, empty};
use super::routes::METHODS;

/// What a browser may send beside the headers that it may always send, and
/// beside the attributes of an event that it asks for: also what signs a request
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).
const ALLOWED_HEADERS: &str = "authorization, content-type, idempotency-key, \
     x-amz-content-sha256, x-amz-date, x-amz-security-token";
/// What a page may read beside the headers that it may always read.
const EXPOSED_HEADERS: &str = "location, retry-after, www-authenticate, allow";
/// How long a browser may remember a preflight, in seconds: two hours, the
/// most that Chromium takes; Firefox takes 24
/// (<https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Access-Control-Max-Age>).
const MAX_AGE: &str = "7200";

/// Which pages may call the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Any.
    Any,
    /// These, such as `https://shop.example`.
    Only(BTreeSet<String>),
}

impl Origins {
    /// Lets the page that asked read the answer, if it may.
    pub(super) fn allow(&self, asked: &HeaderMap, response: &mut Response) {
        let allowed = match self {
            Self::Any => Some(value("*")),
            Self::Only(origins) => {
                // The answer to one page is not the answer to another.
                response.headers.append(VARY, value("origin"));
                let origin = asked.get(ORIGIN);
                let origin = origin.filter(|origin| {
                    let origin = origin.to_str();
                    origin.is_ok_and(|origin| origins.contains(origin))
                });
                origin.cloned()
            }
        };
        if let Some(origin) = allowed {
            let headers = &mut response.headers;
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, value(EXPOSED_HEADERS));
        }
    }
}

/// Answers a preflight: a browser's question whether a page may send a request.
/// `None` if the request is none.
pub(super) fn preflight(method: &Method, headers: &HeaderMap) -> Option<Response> {
    let is_preflight = method == Method::OPTIONS
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        && headers.contains_key(ORIGIN);
    if !is_preflight {
        return None;
    }
    let mut response = empty(204);
    let allowed = &mut response.headers;
    allowed.insert(ACCESS_CONTROL_ALLOW_METHODS, value(METHODS));
    let headers = allowed_headers(headers);
    let headers = HeaderValue::from_str(&headers).unwrap_or(value(ALLOWED_HEADERS));
    allowed.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers);
    allowed.append(VARY, value("access-control-request-headers"));
    allowed.insert(ACCESS_CONTROL_MAX_AGE, value(MAX_AGE));
    Some(response)
}

/// What may be sent, where a page asks to send these: an event's attributes are
/// the publisher's to choose, extensions too.
fn allowed_headers(asked: &HeaderMap) -> String {
    let asked = asked.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter();
    let names = asked
        .filter_map(|asked| asked.to_str().ok())
        .flat_map(|asked| asked.split(',').map(str::trim));
    let is_attribute = |name: &&str| {
        let attribute = name.strip_prefix("ce-").unwrap_or_default();
        let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        !attribute.is_empty() && attribute.bytes().all(is_allowed)
    };
    let attributes = names.filter(is_attribute);
    let all: Vec<_> = std::iter::once(ALLOWED_HEADERS).chain(attributes).collect();
    all.join(", ")
}

const fn value(text: &'static str) -> HeaderValue {
    HeaderValue::from_static(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed_for(origins: &Origins, origin: &'static str) -> Option<String> {
        let asked = HeaderMap::from_iter([(ORIGIN, value(origin))]);
        let mut response = empty(200);
        origins.allow(&asked, &mut response);
        let allowed = response.headers.get(ACCESS_CONTROL_ALLOW_ORIGIN)?;
        Some(allowed.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_page_reads_answers_if_its_origin_is_listed() {
        let shop = "https://shop.example";
        let only = Origins::Only(BTreeSet::from([shop.to_owned()]));
        assert_eq!(allowed_for(&only, shop).as_deref(), Some(shop));
        assert_eq!(allowed_for(&only, "https://else.example"), None);
        assert_eq!(allowed_for(&Origins::Any, shop).as_deref(), Some("*"));
    }

    #[test]
    fn whatever_attributes_a_page_asks_for_are_allowed() {
        let mut asked = HeaderMap::new();
        assert_eq!(allowed_headers(&asked), ALLOWED_HEADERS);
        let names = "ce-id, content-type,ce-myext2,x-other, ce-, ce-A, ce-a_b";
        asked.insert(ACCESS_CONTROL_REQUEST_HEADERS, value(names));
        let expected = format!("{ALLOWED_HEADERS}, ce-id, ce-myext2");
        assert_eq!(allowed_headers(&asked), expected);
    }

    #[test]
    fn only_a_browsers_question_is_a_preflight() {
        let mut asked = HeaderMap::from_iter([(ORIGIN, value("https://shop.example"))]);
        assert!(preflight(&Method::OPTIONS, &asked).is_none());
        asked.insert(ACCESS_CONTROL_REQUEST_METHOD, value("POST"));
        assert!(preflight(&Method::POST, &asked).is_none());
        let answer = preflight(&Method::OPTIONS, &asked).unwrap();
        assert_eq!(answer.status_code, 204);
        assert_eq!(answer.headers[ACCESS_CONTROL_ALLOW_METHODS], METHODS);
    }
}
