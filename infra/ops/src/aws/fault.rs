//! Why AWS did not do what it was asked for.

use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

use crate::causes::with_causes;

/// What came of a call in place of its answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The service answered with an error.
    #[error("{status} {code}: {message}")]
    Service {
        /// The HTTP status.
        status: u16,
        /// The error's code, such as `AccessDeniedException`; empty for none.
        code: String,
        /// What the service said; empty for nothing.
        message: String,
    },
    /// There was no answer: no credentials, no Region, no connection.
    #[error("{0}")]
    NoAnswer(String),
}

impl Fault {
    /// Translates an error of the SDK.
    pub fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match error {
            SdkError::ServiceError(service) => Self::Service {
                status: service.raw().status().as_u16(),
                code: service.err().code().unwrap_or_default().to_owned(),
                message: service.err().message().unwrap_or_default().to_owned(),
            },
            other => Self::NoAnswer(with_causes(other)),
        }
    }

    /// Whether the service has not what it was asked for.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Service { code, .. } => [
                "ResourceNotFoundException",
                "QueueDoesNotExist",
                "AWS.SimpleQueueService.NonExistentQueue",
            ]
            .contains(&code.as_str()),
            Self::NoAnswer(_) => false,
        }
    }

    /// Says how to mend what is wrong with the caller, whatever it asked for;
    /// `None` where that is not what is wrong.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Service { code, message, .. } => of_code(code, message),
            Self::NoAnswer(text) => Some(of_text(text)),
        }
    }
}

/// The codes of
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html>, as
/// the services' protocols write them.
fn of_code(code: &str, message: &str) -> Option<&'static str> {
    Some(match code {
        "AccessDeniedException" | "AccessDenied" => {
            "these credentials may not do that: use a role that may, or allow it"
        }
        "ExpiredTokenException" | "ExpiredToken" => {
            "the credentials have expired: sign in again (aws sso login)"
        }
        "UnrecognizedClientException" | "InvalidClientTokenId" => {
            "the credentials are not known here: another account's, deleted, or of a Region that \
             the account has not enabled"
        }
        "InvalidSignatureException" | "SignatureDoesNotMatch"
            if message.contains("scoped to") || message.contains("scope") =>
        {
            "the request is signed for another Region than the endpoint's: set --region to the \
             one in the host's name"
        }
        "InvalidSignatureException" | "SignatureDoesNotMatch" => {
            "the signature does not hold: a wrong secret key, or a clock that is wrong"
        }
        "RequestExpired" | "RequestTimeTooSkewed" => "this machine's clock is wrong: set it by NTP",
        "MissingAuthenticationTokenException" | "MissingAuthenticationToken" => {
            "the request came without a signature that was understood: is the endpoint right?"
        }
        "ThrottlingException" | "LimitExceededException" | "TooManyRequestsException" => {
            "the account is throttled: try again"
        }
        _ => return None,
    })
}

fn of_text(text: &str) -> &'static str {
    let text = text.to_lowercase();
    if text.contains("credential") {
        "no credentials were found: set AWS_PROFILE or sign in (aws sso login)"
    } else if text.contains("region") {
        "no Region is known: give it by --region"
    } else if text.contains("dns") || text.contains("lookup") {
        "the host's name is not known: is it spelt right, and is this machine online?"
    } else if text.contains("refused") {
        "nobody listens there: is the stack running, is the port right?"
    } else if text.contains("certificate") {
        "the certificate is not trusted: is there a proxy in between?"
    } else if text.contains("timed out") || text.contains("timeout") {
        "no answer in time: does a firewall, a VPC or a proxy stand in between?"
    } else {
        "the service could not be asked"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: &str, message: &str, expected: Option<&str>) {
        let fault = Fault::Service {
            status: 403,
            code: code.to_owned(),
            message: message.to_owned(),
        };
        match (fault.advice(), expected) {
            (Some(advice), Some(expected)) => assert!(advice.contains(expected), "{advice}"),
            (advice, expected) => assert_eq!(advice, expected),
        }
    }

    #[test]
    fn what_is_wrong_with_the_caller_is_told_by_the_code() {
        check("AccessDeniedException", "", Some("allow it"));
        check("ExpiredTokenException", "", Some("sign in again"));
        check("UnrecognizedClientException", "", Some("not known here"));
        let scope = "Credential should be scoped to a valid region";
        check("InvalidSignatureException", scope, Some("--region"));
        check(
            "InvalidSignatureException",
            "does not match",
            Some("secret key"),
        );
        check("RequestExpired", "", Some("clock"));
        check("MissingAuthenticationTokenException", "", Some("endpoint"));
        check("ResourceNotFoundException", "", None);
    }

    #[track_caller]
    fn check_no_answer(text: &str, expected: &str) {
        let advice = Fault::NoAnswer(text.to_owned()).advice().unwrap();
        assert!(advice.contains(expected), "{advice}");
    }

    #[test]
    fn why_there_was_no_answer_is_told_by_the_text() {
        check_no_answer("the credential provider was not enabled", "AWS_PROFILE");
        check_no_answer("A region must be set when sending requests", "--region");
        check_no_answer(
            "dispatch failure: Connection refused (os error 111)",
            "port",
        );
        check_no_answer("dns error: failed to lookup address", "spelt");
        check_no_answer("invalid peer certificate: UnknownIssuer", "trusted");
        check_no_answer("request timed out", "firewall");
    }
}
