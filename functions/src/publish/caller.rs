//! Who calls the HTTP API.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use fanout_core::clock::Clock;
use fanout_core::problem::Problem;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use tracing::{error, info};

use crate::settings::Publishers;
use crate::token::{TokenError, Verifier};

/// What a token must allow.
const SCOPE: &str = "publish";

/// What a `WWW-Authenticate` header asks for (RFC 6750, section 3). A request
/// without a token is told no more than that.
const CHALLENGE: &str = r#"Bearer realm="fanout""#;
const INVALID_TOKEN: &str = r#"Bearer realm="fanout", error="invalid_token""#;
const INSUFFICIENT_SCOPE: &str =
    r#"Bearer realm="fanout", error="insufficient_scope", scope="publish""#;

/// Who may call.
#[derive(Clone, Debug)]
pub enum Callers {
    /// Anyone.
    Anyone,
    /// Whoever API Gateway let in by an AWS signature.
    Iam,
    /// Whoever has a valid token with the scope `publish`.
    Jwt(Box<Verifier>),
}

/// Somebody who may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller(String);

impl Caller {
    /// Returns what is this caller's alone: a token's issuer and subject, an
    /// ARN without the name of a session, or nothing where anyone may call. Not
    /// for logs.
    #[must_use]
    pub fn scope_key(&self) -> &str {
        &self.0
    }
}

impl Callers {
    /// Makes what the settings ask for.
    ///
    /// # Errors
    /// See [`Verifier::new`].
    pub fn new(publishers: Publishers, clock: Clock) -> std::io::Result<Self> {
        Ok(match publishers {
            Publishers::Anyone => Self::Anyone,
            Publishers::Iam => Self::Iam,
            Publishers::Jwt(token) => Self::Jwt(Box::new(Verifier::new(*token, clock)?)),
        })
    }

    /// Finds out who calls.
    ///
    /// # Errors
    /// 401 without a valid token, 403 for a token without the scope or a
    /// request that no signature was asked of, 503 if a token could not be
    /// verified.
    pub async fn identify(&self, request: &ApiGatewayV2httpRequest) -> Result<Caller, Problem> {
        match self {
            Self::Anyone => Ok(Caller(String::new())),
            Self::Iam => signer(request),
            Self::Jwt(verifier) => bearer(verifier, &request.headers).await,
        }
    }
}

fn signer(request: &ApiGatewayV2httpRequest) -> Result<Caller, Problem> {
    let authorizer = request.request_context.authorizer.as_ref();
    let arn = authorizer.and_then(|authorizer| authorizer.iam.as_ref()?.user_arn.clone());
    arn.map(|arn| Caller(without_session(&arn).to_owned())).ok_or_else(|| {
        error!(
            "request without requestContext.authorizer.iam: the route does not ask for a signature"
        );
        Problem::forbidden("the API is not set up to tell who calls it")
    })
}

/// Cuts the session off the ARN of a role that is assumed: another session of
/// the same role, such as that of a new Lambda environment, is the same caller
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns>).
fn without_session(arn: &str) -> &str {
    match arn.rsplit_once('/') {
        // Role names have no slash here: only the session follows one.
        Some((role, _)) if role.contains(":assumed-role/") => role,
        _ => arn,
    }
}

async fn bearer(verifier: &Verifier, headers: &HeaderMap) -> Result<Caller, Problem> {
    let Some(token) = token_of(headers) else {
        let detail = "expected an Authorization header with a bearer token";
        return Err(Problem::unauthenticated(detail, CHALLENGE));
    };
    let caller = verifier
        .verify(token)
        .await
        .map_err(|error| refuse(&error))?;
    if !caller.scopes.iter().any(|scope| scope == SCOPE) {
        info!(reason = "insufficient_scope", "caller refused");
        let mut problem = Problem::forbidden("the token's scope does not hold publish");
        let challenge = INSUFFICIENT_SCOPE.to_owned();
        problem.headers.insert("www-authenticate", challenge);
        return Err(problem);
    }
    // A subject has no control characters, so that the last one separates.
    let (issuer, subject) = (caller.issuer, caller.subject);
    Ok(Caller(format!("{issuer}\n{subject}")))
}

fn refuse(error: &TokenError) -> Problem {
    if error.is_bearers_fault() {
        info!(reason = error.reason(), "caller refused");
        Problem::unauthenticated(&error.to_string(), INVALID_TOKEN)
    } else {
        error!(reason = error.reason(), "caller could not be authenticated");
        Problem::unavailable("the token could not be verified; nothing was done")
    }
}

/// The credentials of the scheme `Bearer`, in any letter case (RFC 9110,
/// section 11.1).
fn token_of(headers: &HeaderMap) -> Option<&str> {
    let credentials = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = credentials.trim().split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::token::tests::{claims, es256_unsigned, hs256, verifier, verifier_without_keys};

    fn request(more: &Value) -> ApiGatewayV2httpRequest {
        let mut request = json!({
            "requestContext": {"http": {"method": "POST", "path": "/orders"}},
        });
        for (name, value) in more.as_object().unwrap() {
            match request[name].as_object_mut() {
                Some(fields) => fields.extend(value.as_object().unwrap().clone()),
                None => request[name] = value.clone(),
            }
        }
        serde_json::from_value(request).unwrap()
    }

    fn by_token() -> Callers {
        let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
        Callers::Jwt(Box::new(verifier(clock)))
    }

    /// Returns the scope key, or the status and the challenge of the problem.
    async fn identify(callers: &Callers, more: &Value) -> Result<String, (u16, Option<String>)> {
        let caller = callers.identify(&request(more)).await;
        caller
            .map(|caller| caller.scope_key().to_owned())
            .map_err(|mut problem| (problem.status, problem.headers.remove("www-authenticate")))
    }

    fn with_authorization(value: &str) -> Value {
        json!({"headers": {"Authorization": value}})
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_with_the_scope_names_its_bearer() {
        for scope in [
            json!({"scope": "read publish"}),
            json!({"scope": ["publish"]}),
            json!({"scp": ["read", "publish"]}),
            json!({"scp": "publish"}),
        ] {
            let token = hs256(&claims(&scope));
            for scheme in ["Bearer", "bearer"] {
                let header = with_authorization(&format!("{scheme} {token}"));
                let caller = identify(&by_token(), &header).await;
                assert_eq!(caller, Ok("issuer\nauth0|1".to_owned()));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_token_one_is_asked_for() {
        let expected = Err((401, Some(CHALLENGE.to_owned())));
        assert_eq!(identify(&by_token(), &json!({})).await, expected);
        let basic = with_authorization("Basic YTpi");
        assert_eq!(identify(&by_token(), &basic).await, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn an_invalid_token_is_told_apart() {
        let expected = Err((401, Some(INVALID_TOKEN.to_owned())));
        let expired = hs256(&claims(&json!({"exp": -31, "scope": "publish"})));
        for token in ["x", "a.b.c", &expired] {
            let header = with_authorization(&format!("Bearer {token} "));
            assert_eq!(identify(&by_token(), &header).await, expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_without_the_scope_is_forbidden() {
        for scope in [
            json!({}),
            json!({"scope": "published"}),
            json!({"scope": {"publish": true}}),
            json!({"scope": "read", "scp": "publish"}),
        ] {
            let token = hs256(&claims(&scope));
            let header = with_authorization(&format!("Bearer {token}"));
            let expected = Err((403, Some(INSUFFICIENT_SCOPE.to_owned())));
            assert_eq!(identify(&by_token(), &header).await, expected);
        }
    }

    #[tokio::test]
    async fn what_cannot_be_verified_is_tried_again_later() {
        let callers = Callers::Jwt(Box::new(verifier_without_keys()));
        let header = with_authorization(&format!("Bearer {}", es256_unsigned()));
        assert_eq!(identify(&callers, &header).await, Err((503, None)));
    }

    #[tokio::test]
    async fn a_signer_is_named_by_its_arn_and_must_be_there() {
        for (arn, expected) in [
            (
                "arn:aws:sts::123456789012:assumed-role/orders/session",
                "arn:aws:sts::123456789012:assumed-role/orders",
            ),
            (
                "arn:aws-cn:sts::123456789012:assumed-role/orders/another",
                "arn:aws-cn:sts::123456789012:assumed-role/orders",
            ),
            (
                "arn:aws:iam::123456789012:user/team/ann",
                "arn:aws:iam::123456789012:user/team/ann",
            ),
            (
                "arn:aws:sts::123456789012:federated-user/ann",
                "arn:aws:sts::123456789012:federated-user/ann",
            ),
        ] {
            let context = json!({"requestContext": {"authorizer": {"iam": {"userArn": arn}}}});
            let caller = identify(&Callers::Iam, &context).await;
            assert_eq!(caller, Ok(expected.to_owned()));
        }
        assert_eq!(identify(&Callers::Iam, &json!({})).await, Err((403, None)));
    }

    #[tokio::test]
    async fn anyone_is_nobody_in_particular() {
        assert_eq!(
            identify(&Callers::Anyone, &json!({})).await,
            Ok(String::new())
        );
    }
}
