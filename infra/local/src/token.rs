//! The issuer of a local stack's tokens.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use serde_json::{Value, json};

use crate::cli::{Options, TokenOptions};

const ALGORITHM: &str = "HS256";
const ISSUER: &str = "fanout-local";
const AUDIENCE: &str = "fanout";

/// What functions must know of authentication.
pub(crate) fn environment(options: &Options) -> BTreeMap<String, String> {
    let auth = if options.auth { "jwt" } else { "off" };
    let mut environment = BTreeMap::from([("SUBSCRIBER_AUTH", auth), ("PUBLISHER_AUTH", auth)]);
    if options.auth {
        environment.extend([
            ("TOKEN_ALGORITHM", ALGORITHM),
            ("TOKEN_SECRET", options.auth_secret.as_str()),
            ("TOKEN_ISSUER", ISSUER),
            ("TOKEN_AUDIENCE", AUDIENCE),
        ]);
    }
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    environment.into_iter().map(own).collect()
}

/// Makes a token that is valid from now on.
pub(crate) fn mint(options: &TokenOptions) -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place here that asks what time it is"
    )]
    let now = Timestamp::now();
    sign(&claims(options, now), &options.auth_secret)
}

fn claims(options: &TokenOptions, now: Timestamp) -> Value {
    let ttl = SignedDuration::try_from(options.ttl).unwrap_or(SignedDuration::MAX);
    let ends = now.checked_add(ttl).unwrap_or(Timestamp::MAX);
    let mut claims = json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": options.user,
        "iat": now.as_second(),
        "exp": ends.as_second(),
    });
    let more = [
        ("org", options.org.clone().map(Value::from)),
        (
            "topics",
            options.topics.as_deref().map(patterns).map(Value::from),
        ),
        ("scope", options.scope.clone().map(Value::from)),
    ];
    for (name, value) in more {
        if let (Some(value), Some(claims)) = (value, claims.as_object_mut()) {
            claims.insert(name.to_owned(), value);
        }
    }
    claims
}

/// The topics as they were meant: an empty list is one of nothing.
fn patterns(topics: &[String]) -> Vec<&str> {
    let topics = topics.iter().map(|topic| topic.trim());
    topics.filter(|topic| !topic.is_empty()).collect()
}

/// The compact form of a signed token (RFC 7515, section 3.1).
fn sign(claims: &Value, secret: &str) -> String {
    let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
    let header = json!({"alg": ALGORITHM, "typ": "JWT"}).to_string();
    let message = format!(
        "{}.{}",
        encode(header.as_bytes()),
        encode(claims.to_string().as_bytes())
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", encode(signature.as_ref()))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Arguments, Command};

    fn claims_of(arguments: &[&str]) -> Value {
        let arguments = ["fanout-local", "token"].iter().chain(arguments);
        let Some(Command::Token(options)) = Arguments::parse_from(arguments).command else {
            panic!("not a token");
        };
        claims(&options, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_token_says_what_was_asked_for() {
        let base = json!({
            "iss": "fanout-local", "aud": "fanout", "sub": "u1", "iat": 0, "exp": 3600,
        });
        assert_eq!(claims_of(&["--user", "u1"]), base);
        let mut more = base.clone();
        more["exp"] = json!(60);
        more["org"] = json!("o1");
        more["topics"] = json!(["a", "b/*"]);
        more["scope"] = json!("publish");
        let arguments = [
            "--user", "u1", "--org", "o1", "--topics", "a,b/*", "--scope", "publish", "--ttl", "1m",
        ];
        assert_eq!(claims_of(&arguments), more);
        let mut none = base;
        none["topics"] = json!([]);
        for empty in [
            &["--topics"][..],
            &["--topics", ""],
            &["--topics=", "--ttl=1h"],
        ] {
            assert_eq!(claims_of(&[&["--user", "u1"], empty].concat()), none);
        }
        let spaced = claims_of(&["--user", "u1", "--topics", " a, ,b/* ,"]);
        assert_eq!(spaced["topics"], json!(["a", "b/*"]));
    }
}
