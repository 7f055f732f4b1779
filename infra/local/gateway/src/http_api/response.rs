//! What a function of the HTTP API answered, in payload format 2.0.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::reply::{self, Reply};

/// Why a function's output is no response.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResponseError {
    #[error("cannot decode the function's output as JSON")]
    NotJson(#[source] serde_json::Error),
    #[error("cannot decode the function's response")]
    WrongShape(#[source] serde_json::Error),
    #[error("{0} is no HTTP status code")]
    Status(Value),
    #[error("cannot decode the body as base64")]
    Base64(#[source] base64::DecodeError),
    #[error("{0:?} cannot be a header")]
    Header(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Declared {
    status_code: Value,
    #[serde(default)]
    headers: Option<Map<String, Value>>,
    #[serde(default)]
    cookies: Option<Vec<String>>,
    #[serde(default)]
    body: Option<Value>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// Makes the client's answer of a function's output.
///
/// Output without a `statusCode` is taken for the body of a 200, as HTTP APIs
/// infer it.
pub(super) fn translate(output: &Bytes) -> Result<Reply, ResponseError> {
    let output: Value = serde_json::from_slice(output).map_err(ResponseError::NotJson)?;
    if output.get("statusCode").is_none() {
        let mut reply = reply::with_body(StatusCode::OK, text_of(output).into());
        reply::set(&mut reply, header::CONTENT_TYPE, "application/json");
        return Ok(reply);
    }
    let declared: Declared = serde_json::from_value(output).map_err(ResponseError::WrongShape)?;
    let body = declared.body.filter(|body| !body.is_null()).map(text_of);
    let body = body.unwrap_or_default();
    let body = if declared.is_base64_encoded {
        STANDARD.decode(body).map_err(ResponseError::Base64)?
    } else {
        body.into_bytes()
    };
    let has_body = !body.is_empty();
    let mut reply = reply::with_body(status(&declared.status_code)?, body.into());
    for (name, value) in declared.headers.unwrap_or_default() {
        append(&mut reply, &name, &text_of(value))?;
    }
    for cookie in declared.cookies.unwrap_or_default() {
        append(&mut reply, header::SET_COOKIE.as_str(), &cookie)?;
    }
    if has_body && !reply.headers().contains_key(header::CONTENT_TYPE) {
        reply::set(
            &mut reply,
            header::CONTENT_TYPE,
            "text/plain; charset=utf-8",
        );
    }
    Ok(reply)
}

/// A string as it is, anything else as JSON.
fn text_of(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn status(value: &Value) -> Result<StatusCode, ResponseError> {
    let number = match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|number| u16::try_from(number).ok()),
    };
    number
        .and_then(|number| StatusCode::from_u16(number).ok())
        .filter(|status| !status.is_informational())
        .ok_or_else(|| ResponseError::Status(value.clone()))
}

fn append(reply: &mut Reply, name: &str, value: &str) -> Result<(), ResponseError> {
    let wrong = || ResponseError::Header(name.to_owned());
    let header_name: HeaderName = name.parse().map_err(|_| wrong())?;
    let value = HeaderValue::from_str(value).map_err(|_| wrong())?;
    // The body decides its own length.
    if header_name != header::CONTENT_LENGTH && header_name != header::TRANSFER_ENCODING {
        reply.headers_mut().append(header_name, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use serde_json::json;

    use super::*;

    async fn answer(output: Value) -> (u16, Vec<(String, String)>, Bytes) {
        let reply = translate(&output.to_string().into()).unwrap();
        let status = reply.status().as_u16();
        let headers = reply.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        (status, headers, body)
    }

    fn header(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[tokio::test]
    async fn a_whole_response_is_passed_on() {
        let output = json!({
            "statusCode": 202,
            "headers": {"Location": "/notifications/7", "content-type": "application/json", "X-N": 3},
            "cookies": ["a=1; Secure", "b=2"],
            "body": "{\"id\":7}",
        });
        let (status, mut headers, body) = answer(output).await;
        headers.sort();
        assert_eq!(status, 202);
        assert_eq!(
            headers,
            [
                header("content-type", "application/json"),
                header("location", "/notifications/7"),
                header("set-cookie", "a=1; Secure"),
                header("set-cookie", "b=2"),
                header("x-n", "3"),
            ]
        );
        assert_eq!(body, r#"{"id":7}"#);
    }

    #[tokio::test]
    async fn output_without_a_status_code_is_the_body_of_a_200() {
        let json = vec![header("content-type", "application/json")];
        let object = answer(json!({"id": 7})).await;
        assert_eq!(object, (200, json.clone(), r#"{"id":7}"#.into()));
        let text = answer(json!("Hello from Lambda!")).await;
        assert_eq!(text, (200, json, "Hello from Lambda!".into()));
    }

    #[tokio::test]
    async fn a_body_in_base64_is_decoded() {
        let output = json!({"statusCode": "200", "body": "//4=", "isBase64Encoded": true});
        let (status, _, body) = answer(output).await;
        assert_eq!((status, body), (200, Bytes::from_static(&[0xff, 0xfe])));
    }

    #[test]
    fn what_is_no_response_is_an_error() {
        let wrong = [
            "not json",
            r#"{"statusCode": 99}"#,
            r#"{"statusCode": 101}"#,
            r#"{"statusCode": "many"}"#,
            r#"{"statusCode": 200, "headers": {"bad name": "x"}}"#,
            r#"{"statusCode": 200, "body": "%", "isBase64Encoded": true}"#,
            r#"{"statusCode": 200, "cookies": 1}"#,
        ];
        for output in wrong {
            assert!(translate(&output.into()).is_err(), "{output}");
        }
    }
}
