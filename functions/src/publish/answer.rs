//! What the HTTP API answers.

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use fanout_core::problem::{self, Problem};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Serialize;

pub(super) type Response = ApiGatewayV2httpResponse;

/// An answer without a body.
pub(super) fn empty(status: i64) -> Response {
    let mut response = Response::default();
    response.status_code = status;
    response
}

/// An answer of JSON.
pub(super) fn json(status: i64, body: &impl Serialize) -> Response {
    of_type("application/json", status, body)
}

/// A problem document.
pub(super) fn problem(problem: &Problem) -> Response {
    let mut response = of_type(problem::CONTENT_TYPE, problem.status.into(), problem);
    for (name, value) in &problem.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            let name = HeaderName::from_static(name);
            response.headers.insert(name, value);
        }
    }
    response
}

fn of_type(content_type: &'static str, status: i64, body: &impl Serialize) -> Response {
    let mut response = empty(status);
    let headers = &mut response.headers;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.body = serde_json::to_string(body).ok().map(Into::into);
    response
}
