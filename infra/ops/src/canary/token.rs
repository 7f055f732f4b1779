//! The canary's token, where one is asked for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fanout_core::topic::Topic;
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use serde_json::json;

use crate::deployment::Token;

/// For how long a token is valid: longer than a canary flies.
const VALID_FOR: SignedDuration = SignedDuration::from_mins(5);

/// Where a token comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum Tokens {
    /// None is asked for.
    None,
    /// One that somebody else made.
    Ready(Token),
    /// One is signed for each flight.
    Signed(Signer),
}

/// Signs tokens with a secret that is shared with the functions (HS256).
#[derive(Clone, PartialEq, Eq)]
pub struct Signer {
    /// The secret, at least 32 bytes.
    pub secret: String,
    /// What `iss` must be.
    pub issuer: String,
    /// What `aud` must hold.
    pub audience: String,
    /// The topics that may be chosen.
    pub topics: Vec<Topic>,
}

impl std::fmt::Debug for Tokens {
    /// Tells no secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Ready(_) => "Ready(…)",
            Self::Signed(_) => "Signed(…)",
        })
    }
}

impl Tokens {
    /// Returns a token that is valid now.
    #[must_use]
    pub fn token(&self, now: Timestamp) -> Option<Token> {
        match self {
            Self::None => None,
            Self::Ready(token) => Some(token.clone()),
            Self::Signed(signer) => Some(signer.sign(now)),
        }
    }
}

impl Signer {
    /// The compact form of a signed token (RFC 7515, section 3.1): of a user
    /// `canary` who may publish, and may choose these topics
    /// alone.
    fn sign(&self, now: Timestamp) -> Token {
        let Self {
            secret,
            issuer,
            audience,
            topics,
        } = self;
        let ends = now.checked_add(VALID_FOR).unwrap_or(Timestamp::MAX);
        let header = json!({"alg": "HS256", "typ": "JWT"});
        let claims = json!({
            "iss": issuer,
            "aud": audience,
            "sub": "canary",
            "scope": "publish",
            "topics": topics,
            "iat": now.as_second(),
            "exp": ends.as_second(),
        });
        let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
        let message = format!(
            "{}.{}",
            encode(header.to_string().as_bytes()),
            encode(claims.to_string().as_bytes())
        );
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signature = hmac::sign(&key, message.as_bytes());
        Token::from(format!("{message}.{}", encode(signature.as_ref())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_signed_for_each_flight() {
        let signer = Signer {
            secret: "s".repeat(32),
            issuer: "issuer".to_owned(),
            audience: "fanout".to_owned(),
            topics: vec!["canary".parse().unwrap()],
        };
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let token = Tokens::Signed(signer).token(now).unwrap();
        let parts: Vec<_> = token.as_str().split('.').collect();
        let [header, claims, signature] = parts[..] else {
            panic!("{parts:?}");
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, "s".repeat(32).as_bytes());
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let message = format!("{header}.{claims}");
        hmac::verify(&key, message.as_bytes(), &signature).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(claims).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["exp"], 1_700_000_300);
        assert_eq!(claims["scope"], "publish");
        assert_eq!(claims["topics"], json!(["canary"]));
    }

    #[test]
    fn tokens_are_not_shown() {
        let secret = Token::from("secret".to_owned());
        let ready = Tokens::Ready(secret.clone());
        assert_eq!(format!("{ready:?} {secret:?}"), "Ready(…) Token(…)");
        assert_eq!(ready.token(Timestamp::UNIX_EPOCH), Some(secret));
        assert_eq!(Tokens::None.token(Timestamp::UNIX_EPOCH), None);
    }
}
