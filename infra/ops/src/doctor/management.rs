//! Whether connections can be pushed to: by a signed request for one's own.

use fanout_core::aws::SdkConfig;

use super::check::Finding;
use crate::aws::fault::Fault;

/// Asks for an open connection.
pub async fn ask(config: &SdkConfig, endpoint: &str, connection: &str) -> Finding {
    let client = crate::aws::management(config, endpoint);
    let found = client.get_connection().connection_id(connection).send();
    let found = found.await.map(drop);
    judge(&found.map_err(|error| Fault::of(&error)))
}

fn judge(found: &Result<(), Fault>) -> Finding {
    let fault = match found {
        Ok(()) => return Finding::Ok("knows the connection".to_owned()),
        Err(fault) => fault,
    };
    let advice = match fault {
        Fault::Service { status: 410, .. } => {
            "the connection is open, but not here: another stage or another API than \
             subscribers connect to"
        }
        Fault::Service { code, .. } if code == "ForbiddenException" => {
            "no such stage: end it with the stage that subscribers connect to"
        }
        Fault::Service {
            status: 403, code, ..
        } if code.starts_with("AccessDenied") => {
            "these credentials lack execute-api:ManageConnections on the stage; the worker may \
             have it all the same"
        }
        Fault::Service { status: 404, .. } => {
            "nothing is served there: is it the WebSocket API's host, does it end with the stage?"
        }
        other => other.advice().unwrap_or("is the endpoint right?"),
    };
    Finding::fail(fault.to_string(), advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::tests::check_finding;

    #[track_caller]
    fn check(status: u16, code: &str, message: &str, says: &str) {
        let fault = Fault::Service {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
        };
        check_finding(judge(&Err(fault)), "FAIL", says);
    }

    #[test]
    fn each_refusal_has_its_reason() {
        check_finding(judge(&Ok(())), "ok", "knows");
        check(410, "GoneException", "", "another stage or another API");
        check(403, "ForbiddenException", "Forbidden", "no such stage");
        check(403, "AccessDeniedException", "", "ManageConnections");
        check(
            404,
            "",
            "Not Found",
            "ends with the stage".trim_start_matches("ends "),
        );
        check(403, "ExpiredTokenException", "", "sign in again");
        let scope = "Credential should be scoped to a valid region";
        check(403, "InvalidSignatureException", scope, "--region");
        check(418, "Teapot", "", "is the endpoint right");
        let silent = Err(Fault::NoAnswer("connection refused".to_owned()));
        check_finding(judge(&silent), "FAIL", "nobody listens");
    }
}
