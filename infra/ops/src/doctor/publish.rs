//! Whether the publish endpoint answers, as what it should.

use fanout_core::clock::Clock;
use http::Method;
use serde_json::Value;

use super::check::Finding;
use super::{clock, transport};
use crate::api::{Answer, Api, Call};

/// A notification that there never was: version 7, at the epoch.
const UNKNOWN: &str = "/notifications/00000000-0000-7000-8000-000000000000";

/// Asks for an unknown notification. Also judges this machine's clock by the
/// answer's.
pub async fn ask(api: &Api) -> (Finding, Finding) {
    match api.send(&Call::new(Method::GET, UNKNOWN)).await {
        Ok(answer) => {
            let skew = clock::judge(answer.header("date"), Clock::System.now());
            (judge(&answer), skew)
        }
        Err(error) => (transport::explain(&error), Finding::skipped("no answer")),
    }
}

/// Judges the answer: ours is a problem document with 404.
fn judge(answer: &Answer) -> Finding {
    let status = answer.status.as_u16();
    let member = |name| answer.body.get(name).and_then(Value::as_str);
    let (code, message) = (member("code"), member("message"));
    let said = code
        .or(message)
        .unwrap_or("something else than JSON of ours");
    let fail = |advice: &str| Finding::fail(format!("answered {status} {said}"), advice);
    match (status, code, message) {
        (404, Some("no_such_notification"), _) => Finding::Ok("answers".to_owned()),
        (401, Some("unauthenticated"), _) => {
            fail("give a token that is valid: --token (fanout-local token makes one locally)")
        }
        (403, Some("forbidden"), _) => fail("the token needs the scope \"publish\""),
        (503, Some("unavailable"), _) => fail(
            "the function cannot read its tables: look at its log; NOTIFICATIONS_TABLE, its rights",
        ),
        (403, None, Some("Missing Authentication Token")) => {
            fail("no such route or stage: is this the HTTP API's URL, and not the WebSocket API's?")
        }
        // Of itself an HTTP API refuses with this what is not signed: right where
        // that is asked for.
        (403, None, Some("Forbidden")) => Finding::skipped(
            "answered 403 Forbidden: signed requests are not made, and PUBLISHER_AUTH=iam asks \
             for them; where it does not, has the domain a mapping?",
        ),
        (401 | 403, None, _) => {
            fail("something before the function refuses: a WAF, a proxy, another authorizer?")
        }
        (404, None, Some("Not Found")) => {
            fail("API Gateway has no such route: is the stage in the URL, is the API deployed?")
        }
        (426, ..) => fail("this is the WebSocket API: give the HTTP API's URL"),
        (429, ..) => fail("the account is throttled: try again, or have its rate raised"),
        (500, None, _) => fail("the function failed: look at the log of publish"),
        (502..=504, None, _) => {
            fail("the function did not answer in time, or cannot be started: look at its log")
        }
        _ => fail("this is not the publisher's API: is the URL right?"),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use serde_json::json;

    use super::*;
    use crate::doctor::check::tests::check_finding;

    #[track_caller]
    fn check(status: u16, body: Value, word: &str, says: &str) {
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body,
        };
        check_finding(judge(&answer), word, says);
    }

    #[test]
    fn ours_is_told_from_api_gateways_own() {
        check(
            404,
            json!({"code": "no_such_notification"}),
            "ok",
            "answers",
        );
        check(401, json!({"code": "unauthenticated"}), "FAIL", "--token");
        check(403, json!({"code": "forbidden"}), "FAIL", "scope");
        check(503, json!({"code": "unavailable"}), "FAIL", "tables");
        let message = |text: &str| json!({"message": text});
        let unsigned = "signed requests are not made";
        check(403, message("Forbidden"), "skipped", unsigned);
        check(403, json!("<html>"), "FAIL", "a WAF");
        let missing = message("Missing Authentication Token");
        check(403, missing, "FAIL", "no such route or stage");
        check(404, message("Not Found"), "FAIL", "stage in the URL");
        check(426, Value::Null, "FAIL", "WebSocket API");
        check(429, message("Too Many Requests"), "FAIL", "throttled");
        check(
            500,
            message("Internal Server Error"),
            "FAIL",
            "log of publish",
        );
        check(503, message("Service Unavailable"), "FAIL", "in time");
        check(404, json!("<html>"), "FAIL", "is the URL right");
    }
}
