//! What a Lambda authorizer of the `REQUEST` type said.
//!
//! "Control access to WebSocket APIs with AWS Lambda REQUEST authorizers" in
//! the developer guide describes the response.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::integration::IntegrationError;

/// What an authorizer's answer means for the handshake.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The client may come in. What the authorizer said of it is part of every
    /// later event; `None` without an authorizer.
    Allowed(Option<Map<String, Value>>),
    /// The policy does not allow it: 403.
    Denied,
    /// The authorizer failed with `Unauthorized`: 401.
    Unauthorized,
    /// The authorizer failed in another way, or its answer makes no sense: 500.
    Failed,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    principal_id: String,
    policy_document: Policy,
    #[serde(default)]
    context: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    statement: OneOrMany<Statement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    effect: Effect,
    action: OneOrMany<String>,
    resource: OneOrMany<String>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// Judges an authorizer's outcome for the resource `method_arn`.
pub(super) fn judge(outcome: Result<Bytes, IntegrationError>, method_arn: &str) -> Verdict {
    let output = match outcome {
        Ok(output) => output,
        Err(IntegrationError::Failed { message }) if message == "Unauthorized" => {
            return Verdict::Unauthorized;
        }
        Err(
            IntegrationError::Failed { .. }
            | IntegrationError::Throttled
            | IntegrationError::TimedOut,
        ) => return Verdict::Failed,
    };
    let Ok(response) = serde_json::from_slice::<Response>(&output) else {
        return Verdict::Failed;
    };
    if !response.policy_document.allows(method_arn) {
        return Verdict::Denied;
    }
    match context(response.principal_id, response.context) {
        Some(context) => Verdict::Allowed(Some(context)),
        None => Verdict::Failed,
    }
}

impl Policy {
    /// A matching `Deny` outweighs any `Allow`; nothing matching is a denial.
    fn allows(&self, method_arn: &str) -> bool {
        let applies = |statement: &&Statement| {
            let actions = statement.action.as_slice();
            let resources = statement.resource.as_slice();
            actions
                .iter()
                .any(|action| matches_pattern(action, "execute-api:Invoke"))
                && resources
                    .iter()
                    .any(|resource| matches_pattern(resource, method_arn))
        };
        let mut applying = self.statement.as_slice().iter().filter(applies).peekable();
        applying.peek().is_some() && applying.all(|statement| statement.effect == Effect::Allow)
    }
}

/// The context for later events: every value as a string, and the principal.
/// `None` if a value is neither string, number nor boolean.
fn context(principal_id: String, values: Option<Map<String, Value>>) -> Option<Map<String, Value>> {
    let as_text = |(name, value): (String, Value)| {
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        Some((name, Value::String(text)))
    };
    let values = values.unwrap_or_default().into_iter();
    let mut context: Map<_, _> = values.map(as_text).collect::<Option<_>>()?;
    context.insert("principalId".to_owned(), Value::String(principal_id));
    Some(context)
}

/// Whether `text` matches an IAM pattern: `*` for any run of characters, `?`
/// for any one.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // Where to go on if what follows the latest `*` does not fit: the star
    // then takes one character more.
    let mut retry = None;
    loop {
        let unread = text.clone();
        match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                retry = Some((pattern.clone(), unread.clone()));
                text = unread;
            }
            (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {}
            _ => {
                let Some((after_star, mut taken)) = retry.take() else {
                    return false;
                };
                if taken.next().is_none() {
                    return false;
                }
                retry = Some((after_star.clone(), taken.clone()));
                (pattern, text) = (after_star, taken);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:execute-api:us-east-1:123456789012:wsapi00000/prod/$connect";

    fn judge_answer(answer: &Value) -> Verdict {
        judge(Ok(answer.to_string().into()), ARN)
    }

    fn answer(effect: &str, resource: &str) -> Value {
        json!({
            "principalId": "user-1",
            "policyDocument": {
                "Version": "2012-10-17",
                "Statement": [{
                    "Action": "execute-api:Invoke", "Effect": effect, "Resource": resource,
                }],
            },
        })
    }

    #[test]
    fn a_matching_allow_lets_in_and_the_context_becomes_strings() {
        let mut allowed = answer("Allow", ARN);
        allowed["context"] = json!({"org": "acme", "seats": 7, "isAdmin": true});
        let context = json!({
            "principalId": "user-1", "org": "acme", "seats": "7", "isAdmin": "true",
        });
        let context = context.as_object().cloned();
        assert_eq!(judge_answer(&allowed), Verdict::Allowed(context));
    }

    #[test]
    fn a_deny_or_no_matching_statement_is_a_denial() {
        assert_eq!(judge_answer(&answer("Deny", "*")), Verdict::Denied);
        let elsewhere = answer("Allow", "arn:aws:execute-api:*:*:other/*");
        assert_eq!(judge_answer(&elsewhere), Verdict::Denied);
        let mut both = answer("Allow", "*");
        let deny = answer("Deny", ARN)["policyDocument"]["Statement"][0].clone();
        let statements = both["policyDocument"]["Statement"].as_array_mut().unwrap();
        statements.push(deny);
        assert_eq!(judge_answer(&both), Verdict::Denied);
    }

    #[test]
    fn unauthorized_is_told_from_other_failures() {
        let failed = |message: &str| {
            let message = message.to_owned();
            judge(Err(IntegrationError::Failed { message }), ARN)
        };
        assert_eq!(failed("Unauthorized"), Verdict::Unauthorized);
        assert_eq!(failed("unauthorized"), Verdict::Failed);
        assert_eq!(judge(Err(IntegrationError::TimedOut), ARN), Verdict::Failed);
        let throttled = judge(Err(IntegrationError::Throttled), ARN);
        assert_eq!(throttled, Verdict::Failed);
    }

    #[test]
    fn an_answer_out_of_shape_is_a_failure() {
        assert_eq!(
            judge_answer(&json!({"principalId": "user-1"})),
            Verdict::Failed
        );
        let mut nested = answer("Allow", "*");
        nested["context"] = json!({"roles": ["a"]});
        assert_eq!(judge_answer(&nested), Verdict::Failed);
    }

    #[test]
    fn patterns_match_as_in_iam() {
        let cases = [
            ("*", ARN, true),
            (
                "arn:aws:execute-api:*:*:wsapi00000/prod/$connect",
                ARN,
                true,
            ),
            ("arn:aws:execute-api:*/$connect", ARN, true),
            ("arn:aws:execute-api:*/$disconnect", ARN, false),
            ("execute-api:*", "execute-api:Invoke", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXbXbX", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("abc*", "abc", true),
            ("", "", true),
            ("", "a", false),
        ];
        for (pattern, text, is_match) in cases {
            assert_eq!(matches_pattern(pattern, text), is_match, "{pattern} {text}");
        }
    }
}
