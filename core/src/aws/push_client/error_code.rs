//! Which error an answer names.

use serde::Deserialize;

/// Returns the error's name: from the header, or else from the body, without
/// the namespace before it and the address behind it
/// (<https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization>).
pub(super) fn error_code(header: Option<&str>, body: &[u8]) -> Option<String> {
    if let Some(code) = header {
        return Some(shape_name(code).to_owned());
    }
    let error: ErrorBody = serde_json::from_slice(body).ok()?;
    let code = error.code.or(error.shape)?;
    Some(shape_name(&code).to_owned())
}

#[derive(Deserialize)]
struct ErrorBody {
    code: Option<String>,
    #[serde(rename = "__type")]
    shape: Option<String>,
}

fn shape_name(code: &str) -> &str {
    let without_address = code.split(':').next().unwrap_or(code);
    without_address
        .rsplit('#')
        .next()
        .unwrap_or(without_address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: Option<&str>, body: &str, expected: Option<&str>) {
        assert_eq!(error_code(header, body.as_bytes()).as_deref(), expected);
    }

    #[test]
    fn an_error_is_named_in_the_header_or_else_in_the_body() {
        let gone = Some("GoneException");
        check(gone, r#"{"code":"Other"}"#, gone);
        check(Some("GoneException:http://internal.amazon.com/"), "", gone);
        check(Some("aws.execute-api#GoneException:http://x/"), "", gone);
        check(None, r#"{"code":"GoneException"}"#, gone);
        check(None, r#"{"__type":"a.b#GoneException"}"#, gone);
        check(None, r#"{"message":"Gone"}"#, None);
        check(None, r#"{"code":7}"#, None);
        check(None, "{", None);
        check(None, "", None);
    }
}
