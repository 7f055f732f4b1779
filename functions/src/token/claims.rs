//! What is asked of a token's claims, once its signature is verified.

use fanout_core::identity::{Identity, Permission};
use fanout_core::topic::Topic;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::{TokenError, Verified};

/// What is asked of a token's claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What `iss` must be.
    pub issuer: String,
    /// What `aud` must be, or hold.
    pub audience: String,
    /// How far the issuer's clock and this one may be apart.
    pub leeway: SignedDuration,
    /// The claim that names the organisation.
    pub org_claim: String,
    /// The claim that lists the topics which may be chosen.
    pub topics_claim: String,
}

impl Rules {
    /// Checks all claims at the time `now`.
    pub(super) fn check(
        &self,
        claims: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<Verified, TokenError> {
        let Some(Value::String(issuer)) = claims.get("iss") else {
            return Err(TokenError::WrongIssuer);
        };
        if *issuer != self.issuer {
            return Err(TokenError::WrongIssuer);
        }
        if !self.is_audience(claims.get("aud")) {
            return Err(TokenError::WrongAudience);
        }
        self.check_time(claims, now)?;
        let subject = match claims.get("sub") {
            Some(Value::String(subject)) if Topic::of_user(subject).is_ok() => subject,
            _ => return Err(TokenError::InvalidClaim("sub")),
        };
        let identity = Identity {
            user_id: Some(subject.clone()),
            org_id: self.org_of(claims)?,
            topics: self.topics_of(claims)?,
        };
        Ok(Verified {
            identity,
            issuer: issuer.clone(),
            subject: subject.clone(),
            scopes: scopes_of(claims),
        })
    }

    fn is_audience(&self, claim: Option<&Value>) -> bool {
        let is_this = |value: &Value| value.as_str() == Some(self.audience.as_str());
        match claim {
            Some(Value::Array(audience)) => audience.iter().any(is_this),
            Some(audience) => is_this(audience),
            None => false,
        }
    }

    /// A token is valid before `exp` and from `nbf` on (RFC 7519, sections
    /// 4.1.4 and 4.1.5).
    fn check_time(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<(), TokenError> {
        let ends = claims.get("exp").and_then(numeric_date);
        let ends = ends.ok_or(TokenError::InvalidClaim("exp"))?;
        if now.duration_since(ends) >= self.leeway {
            return Err(TokenError::Expired);
        }
        let Some(begins) = claims.get("nbf") else {
            return Ok(());
        };
        let begins = numeric_date(begins).ok_or(TokenError::InvalidClaim("nbf"))?;
        if begins.duration_since(now) > self.leeway {
            return Err(TokenError::NotYetValid);
        }
        Ok(())
    }

    fn org_of(&self, claims: &Map<String, Value>) -> Result<Option<String>, TokenError> {
        match claims.get(&self.org_claim) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(org)) if Topic::of_org(org).is_ok() => Ok(Some(org.clone())),
            Some(_) => Err(TokenError::InvalidClaim("the organisation's claim")),
        }
    }

    /// Only a claim that is absent allows every topic: one that is not
    /// understood may have been meant as a restriction.
    fn topics_of(&self, claims: &Map<String, Value>) -> Result<Permission, TokenError> {
        let invalid = TokenError::InvalidClaim("the topics' claim");
        match claims.get(&self.topics_claim) {
            None => Ok(Permission::All),
            Some(Value::String(topics)) => Permission::from_text(Some(topics)).map_err(|_| invalid),
            Some(Value::Array(topics)) => {
                let pattern = |topic: &Value| topic.as_str()?.parse().ok();
                let patterns: Option<_> = topics.iter().map(pattern).collect();
                patterns.map(Permission::Only).ok_or(invalid)
            }
            Some(_) => Err(invalid),
        }
    }
}

/// A `NumericDate`: seconds since the epoch, which may have a fraction.
fn numeric_date(value: &Value) -> Option<Timestamp> {
    if let Some(seconds) = value.as_i64() {
        return Timestamp::from_second(seconds).ok();
    }
    let since_epoch = SignedDuration::try_from_secs_f64(value.as_f64()?).ok()?;
    Timestamp::from_duration(since_epoch).ok()
}

/// The scopes of an access token (RFC 9068, section 2.2.3.1), or under the name
/// that other issuers use. One that is not understood allows nothing.
fn scopes_of(claims: &Map<String, Value>) -> Vec<String> {
    match claims.get("scope").or_else(|| claims.get("scp")) {
        Some(Value::String(scopes)) => scopes.split_whitespace().map(ToOwned::to_owned).collect(),
        Some(Value::Array(scopes)) => {
            let texts = scopes.iter().filter_map(Value::as_str);
            texts.map(ToOwned::to_owned).collect()
        }
        _ => Vec::new(),
    }
}
