//! Whether subscribers are let in.

use super::check::Finding;
use super::transport;
use crate::canary::identity;
use crate::causes::with_causes;
use crate::deployment::Deployment;
use crate::socket::{Socket, SocketError};

/// Opens a socket; returns it with its connection's id where that worked.
pub async fn ask(deployment: &Deployment) -> (Finding, Option<(Socket, String)>) {
    let mut socket = match deployment.open(&[]).await {
        Ok(socket) => socket,
        Err(SocketError::Refused { status, text }) => {
            let has_token = deployment.token().is_some();
            return (judge(status.as_u16(), &text, has_token), None);
        }
        Err(error) => return (transport::explain(&error), None),
    };
    match identity(&mut socket).await {
        Ok(connection) => {
            let said = format!("open, as connection {connection}");
            (Finding::Ok(said), Some((socket, connection)))
        }
        Err(lost) => {
            let advice = "look at the log of message, and whether $default has a route response";
            (Finding::fail(with_causes(&lost), advice), None)
        }
    }
}

/// Judges a refusal
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-keys-connect-disconnect.html>).
fn judge(status: u16, text: &str, has_token: bool) -> Finding {
    let fail = |advice: &str| Finding::fail(format!("refused with {status}: {text}"), advice);
    match status {
        400 => fail(
            "connect refuses it, and says why: TOPICS_REQUIRED asks for --topics, under the name \
             of --topics-parameter",
        ),
        401 if has_token => fail(
            "the token is not valid: its signature, iss, aud, exp; the log of authorizer says \
             which",
        ),
        401 => fail("give a token: --token (fanout-local token makes one locally)"),
        403 => fail(
            "no such stage, the authorizer denies it, or a WAF: is the stage in the URL the \
             deployed one?",
        ),
        404 => fail("nothing is served there: is the URL right, has the domain a mapping?"),
        426 => fail("what answers speaks no WebSocket: is this the WebSocket API's URL?"),
        429 => fail("connections come faster than the account allows (500 a second): try again"),
        500 => fail("the authorizer failed: look at its log; with a JWKS, can it be fetched?"),
        502..=504 => {
            fail("the function connect failed: look at its log; CONNECTIONS_TABLE, its rights")
        }
        _ => fail("this is not the subscribers' WebSocket API: is the URL right?"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::tests::check_finding;

    #[track_caller]
    fn check(status: u16, has_token: bool, says: &str) {
        check_finding(judge(status, "text", has_token), "FAIL", says);
    }

    #[test]
    fn each_refusal_has_its_reason() {
        check(400, false, "asks for --topics");
        check(401, false, "--token");
        check(401, true, "not valid");
        check(403, false, "no such stage");
        check(404, false, "nothing is served");
        check(426, false, "speaks no WebSocket");
        check(429, false, "500 a second");
        check(500, true, "authorizer failed");
        check(502, true, "connect failed");
        check(418, true, "is the URL right");
    }
}
