//! The authorizer of `$connect`: who a client is, by its token.
//!
//! API Gateway asks it once, before `$connect`, and hands what it says of the
//! client to the functions with every later event
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html>).

use aws_lambda_events::apigw::ApiGatewayCustomAuthorizerRequestTypeRequest;
use fanout_core::clock::Clock;
use lambda_runtime::Error;
use serde::Serialize;
use tracing::{error, info};

use crate::metrics::{Line, Metric, Metrics};
use crate::token::offer::Offer;
use crate::token::{Verified, Verifier};
use crate::{runtime, settings};

type Request = ApiGatewayCustomAuthorizerRequestTypeRequest;

/// The error that API Gateway answers with 401; it answers any other with 500.
const UNAUTHORIZED: &str = "Unauthorized";

/// Says who may come in.
#[derive(Clone, Debug)]
pub struct Authorizer {
    /// Verifies tokens; `None` lets everybody in, as nobody in particular.
    pub verifier: Option<Verifier>,
    /// Where it is told.
    pub metrics: Metrics,
}

/// What API Gateway is told: a policy, and who the client is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    principal_id: String,
    policy_document: Policy,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Context>,
}

/// The keys are those that [`crate::websocket`] reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    user_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    org_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topics: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    version: &'static str,
    statement: [Statement; 1],
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    action: &'static str,
    effect: &'static str,
    resource: String,
}

impl Authorizer {
    /// Handles an authorizer's event of the `REQUEST` type.
    ///
    /// # Errors
    /// `Unauthorized` where there is no token or one that is not valid: the
    /// client gets 401. Another error where that could not be found out: 500.
    pub async fn handle(&self, event: &Request) -> Result<Answer, Error> {
        let Some(method_arn) = event.method_arn.as_deref() else {
            self.count(Metric::AuthorizerFailed, "no_method_arn");
            return Err("event has no methodArn: not for an authorizer".into());
        };
        let Some(verifier) = &self.verifier else {
            return Ok(allow("anyone".to_owned(), method_arn, None));
        };
        let offer = Offer::read(
            [
                &event.multi_value_query_string_parameters,
                &event.query_string_parameters,
            ],
            [&event.multi_value_headers, &event.headers],
        );
        let token = match offer.token() {
            Ok(Some(token)) => token,
            Ok(None) => return Err(self.refuse("no_token")),
            Err(_) => return Err(self.refuse("conflicting_tokens")),
        };
        match verifier.verify(token).await {
            Ok(client) => {
                let context = context_of(&client);
                Ok(allow(client.subject, method_arn, Some(context)))
            }
            Err(error) if error.is_bearers_fault() => Err(self.refuse(error.reason())),
            Err(error) => {
                error!(reason = error.reason(), "client could not be authenticated");
                self.count(Metric::AuthorizerFailed, error.reason());
                Err(error.into())
            }
        }
    }

    fn refuse(&self, reason: &'static str) -> Error {
        info!(reason, "client refused");
        self.count(Metric::ConnectionsRefused, reason);
        UNAUTHORIZED.into()
    }

    fn count(&self, metric: Metric, reason: &'static str) {
        let mut line = Line::default();
        line.count(metric, 1);
        line.field("reason", reason);
        self.metrics.write(line);
    }
}

fn context_of(client: &Verified) -> Context {
    Context {
        user_id: client.subject.clone(),
        org_id: client.identity.org_id.clone(),
        topics: client.identity.topics.to_text(),
    }
}

fn allow(principal_id: String, method_arn: &str, context: Option<Context>) -> Answer {
    Answer {
        principal_id,
        policy_document: Policy {
            version: "2012-10-17",
            statement: [Statement {
                action: "execute-api:Invoke",
                effect: "Allow",
                resource: method_arn.to_owned(),
            }],
        },
        context,
    }
}

/// Runs the function.
///
/// # Errors
/// See [`crate::run`].
pub async fn run() -> Result<(), Error> {
    let started = runtime::start(settings::Authorizer::read)?;
    let settings = started.settings;
    settings.subscribers.warn_if_off();
    let verifier = settings
        .token
        .map(|token| Verifier::new(token, Clock::System));
    let authorizer = Authorizer {
        verifier: verifier.transpose()?,
        metrics: started.metrics,
    };
    let authorizer = &authorizer;
    runtime::serve(|event| async move { authorizer.handle(&event.payload).await }).await
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use lambda_runtime::Diagnostic;
    use serde_json::{Value, json};

    use super::*;
    use crate::token::tests::{claims, hs256, verifier};

    const ARN: &str = "arn:aws:execute-api:us-east-1:123456789012:api/prod/$connect";

    /// What API Gateway gets: the answer, or the message of the error.
    async fn ask(authorizer: &Authorizer, event: &Value) -> Result<Value, String> {
        let mut whole = json!({"type": "REQUEST", "methodArn": ARN, "requestContext": {}});
        let fields = whole.as_object_mut().unwrap();
        fields.extend(event.as_object().unwrap().clone());
        let event = serde_json::from_value(whole).unwrap();
        match authorizer.handle(&event).await {
            Ok(answer) => Ok(serde_json::to_value(answer).unwrap()),
            Err(error) => Err(Diagnostic::from(error).error_message),
        }
    }

    fn with_tokens() -> Authorizer {
        let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
        let verifier = Some(verifier(clock));
        authorizer(verifier)
    }

    fn authorizer(verifier: Option<Verifier>) -> Authorizer {
        let metrics = Metrics::new(None, Clock::System);
        Authorizer { verifier, metrics }
    }

    #[tokio::test(start_paused = true)]
    async fn a_valid_token_lets_in_with_what_it_says() {
        let token = hs256(&claims(&json!({"org": "acme", "topics": ["a", "b/*"]})));
        let query = json!({"queryStringParameters": {"token": token}});
        let expected = json!({
            "principalId": "auth0|1",
            "policyDocument": {
                "Version": "2012-10-17",
                "Statement": [{
                    "Action": "execute-api:Invoke", "Effect": "Allow", "Resource": ARN,
                }],
            },
            "context": {"userId": "auth0|1", "orgId": "acme", "topics": "a b/*"},
        });
        assert_eq!(ask(&with_tokens(), &query).await, Ok(expected));

        let token = hs256(&claims(&json!({})));
        let protocols = format!("fanout.v1, bearer.{token}");
        let header = json!({"headers": {"Sec-WebSocket-Protocol": protocols}});
        let answer = ask(&with_tokens(), &header).await.unwrap();
        assert_eq!(answer["context"], json!({"userId": "auth0|1"}));
    }

    #[tokio::test(start_paused = true)]
    async fn no_valid_token_is_unauthorized_to_the_letter() {
        let token = hs256(&claims(&json!({})));
        for event in [
            json!({}),
            json!({"queryStringParameters": {"token": "no token"}}),
            json!({"queryStringParameters": {"token": format!("{token}x")}}),
            json!({
                "queryStringParameters": {"token": token},
                "headers": {"Sec-WebSocket-Protocol": "bearer.other"},
            }),
        ] {
            let (metrics, written) = crate::metrics::tests::recording(Clock::System);
            let authorizer = Authorizer {
                metrics,
                ..with_tokens()
            };
            let answer = ask(&authorizer, &event).await;
            assert_eq!(answer, Err("Unauthorized".to_owned()), "{event}");
            assert_eq!(written.take_figures()["ConnectionsRefused"], json!(1));
        }
    }

    #[tokio::test]
    async fn keys_that_cannot_be_had_are_another_error() {
        // Nothing listens where the keys should be.
        let verifier = Some(crate::token::tests::verifier_without_keys());
        let token = crate::token::tests::es256_unsigned();
        let query = json!({"queryStringParameters": {"token": token}});
        let (metrics, written) = crate::metrics::tests::recording(Clock::System);
        let answer = ask(&Authorizer { verifier, metrics }, &query).await;
        let error = "keys to verify tokens with are unavailable";
        assert_eq!(answer, Err(error.to_owned()));
        assert_eq!(written.take_figures()["AuthorizerFailed"], json!(1));
    }

    #[tokio::test]
    async fn switched_off_it_lets_everybody_in_as_nobody() {
        let anyone = authorizer(None);
        let answer = ask(&anyone, &json!({})).await.unwrap();
        assert_eq!(answer["principalId"], "anyone");
        assert_eq!(answer.get("context"), None);
    }
}
