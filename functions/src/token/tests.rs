use http::Uri;
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use serde_json::json;
use std::time::Duration;

use super::*;

mod properties;

pub(crate) const SECRET: &str = "a secret of at least 32 characters";

/// An RSA key for these tests alone, PKCS #8.
const RSA: &[u8] = include_bytes!("testdata/rsa.pk8");

/// Valid claims at the epoch, with `changes`; null takes a claim out.
pub(crate) fn claims(changes: &Value) -> Value {
    let mut claims = json!({
        "iss": "issuer", "aud": "fanout", "sub": "auth0|1", "exp": 60,
    });
    let fields = claims.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        fields.remove(name);
        if !value.is_null() {
            fields.insert(name.clone(), value.clone());
        }
    }
    claims
}

/// A token signed with [`SECRET`].
pub(crate) fn hs256(claims: &Value) -> String {
    hs256_with(SECRET.as_bytes(), &json!({"alg": "HS256"}), claims)
}

/// A token that asks for a key by its id.
pub(crate) fn es256_unsigned() -> String {
    sign(
        &json!({"alg": "ES256", "kid": "1"}),
        &claims(&json!({})),
        |_| vec![0; 64],
    )
}

pub(crate) fn verifier(clock: Clock) -> Verifier {
    with_keys(
        Algorithm::Hs256,
        KeySource::Secret(Key::of_secret(SECRET).unwrap()),
        clock,
    )
}

/// A verifier whose keys would be where nothing listens.
pub(crate) fn verifier_without_keys() -> Verifier {
    let url = KeySource::Url(Uri::from_static("http://127.0.0.1:1/"));
    with_keys(Algorithm::Es256, url, Clock::System)
}

pub(super) fn with_keys(algorithm: Algorithm, keys: KeySource, clock: Clock) -> Verifier {
    let settings = Settings {
        algorithm,
        keys,
        rules: Rules {
            issuer: "issuer".to_owned(),
            audience: "fanout".to_owned(),
            leeway: SignedDuration::from_secs(30),
            org_claim: "org".to_owned(),
            topics_claim: "topics".to_owned(),
        },
    };
    Verifier::new(settings, clock).unwrap()
}

pub(super) fn sign(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let message = format!("{header}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn hs256_with(secret: &[u8], header: &Value, claims: &Value) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    sign(header, claims, |message| {
        hmac::sign(&key, message).as_ref().to_vec()
    })
}

fn rsa() -> RsaKeyPair {
    RsaKeyPair::from_pkcs8(RSA).unwrap()
}

fn rs256(header: &Value, claims: &Value) -> String {
    let key = rsa();
    sign(header, claims, |message| {
        let mut signature = vec![0; key.public().modulus_len()];
        let random = SystemRandom::new();
        key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
            .unwrap();
        signature
    })
}

/// A key pair on P-256, and its public half as a JSON Web Key.
pub(super) struct Signer {
    key: EcdsaKeyPair,
    id: String,
}

impl Signer {
    pub(super) fn new(id: &str) -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap();
        let id = id.to_owned();
        Self { key, id }
    }

    pub(super) fn jwk(&self) -> Value {
        // 4, x, y: an uncompressed point.
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        json!({"kty": "EC", "crv": "P-256", "kid": self.id, "x": x, "y": y})
    }

    pub(super) fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({"alg": "ES256", "kid": self.id}), claims)
    }

    fn token_with(&self, header: &Value, claims: &Value) -> String {
        sign(header, claims, |message| {
            let signature = self.key.sign(&SystemRandom::new(), message).unwrap();
            signature.as_ref().to_vec()
        })
    }
}

fn rsa_jwk(more: &Value) -> Value {
    let RsaPublicKeyComponents { n, e } = rsa().public().into();
    let [n, e]: [Vec<u8>; 2] = [n, e];
    let [n, e] = [n, e].map(|number| URL_SAFE_NO_PAD.encode(number));
    let mut jwk = json!({"kty": "RSA", "n": n, "e": e});
    jwk.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    jwk
}

fn set(algorithm: Algorithm, keys: &[Value]) -> Result<KeySet, NoKey> {
    KeySet::read(json!({"keys": keys}).to_string().as_bytes(), algorithm)
}

fn fixed(algorithm: Algorithm, keys: &[Value]) -> Verifier {
    let keys = KeySource::Document(set(algorithm, keys).unwrap());
    with_keys(algorithm, keys, Clock::starting_at(Timestamp::UNIX_EPOCH))
}

async fn verify_claims(changes: Value) -> Result<Verified, TokenError> {
    let verifier = verifier(Clock::starting_at(Timestamp::UNIX_EPOCH));
    verifier.verify(&hs256(&claims(&changes))).await
}

#[tokio::test(start_paused = true)]
async fn a_valid_token_says_who_its_bearer_is() {
    let verified = verify_claims(json!({
        "aud": ["other", "fanout"], "nbf": 30, "exp": 60.5,
        "org": "acme", "topics": "news stocks/*", "scope": "publish read",
    }));
    let expected = Verified {
        identity: Identity {
            user_id: Some("auth0|1".to_owned()),
            org_id: Some("acme".to_owned()),
            topics: fanout_core::identity::Permission::from_text(Some("news stocks/*")).unwrap(),
        },
        issuer: "issuer".to_owned(),
        subject: "auth0|1".to_owned(),
        scopes: vec!["publish".to_owned(), "read".to_owned()],
    };
    assert_eq!(verified.await, Ok(expected));
}

#[tokio::test(start_paused = true)]
async fn the_topics_claim_restricts_and_its_absence_does_not() {
    for (topics, text) in [
        (Value::Null, None),
        (json!(["a", "b/*"]), Some("a b/*")),
        (json!("a b/*"), Some("a b/*")),
        (json!([]), Some("!")),
        (json!(""), Some("!")),
    ] {
        let verified = verify_claims(json!({"topics": topics})).await.unwrap();
        assert_eq!(
            verified.identity.topics.to_text().as_deref(),
            text,
            "{topics}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn every_wrong_claim_has_its_reason() {
    use TokenError as Error;
    let long = "a".repeat(256);
    for (changes, expected) in [
        (json!({"iss": "other"}), Error::WrongIssuer),
        (json!({"iss": null}), Error::WrongIssuer),
        (json!({"iss": ["issuer"]}), Error::WrongIssuer),
        (json!({"aud": "other"}), Error::WrongAudience),
        (json!({"aud": null}), Error::WrongAudience),
        (json!({"aud": []}), Error::WrongAudience),
        (json!({"aud": {"fanout": 1}}), Error::WrongAudience),
        (json!({"exp": null}), Error::InvalidClaim("exp")),
        (json!({"exp": "60"}), Error::InvalidClaim("exp")),
        (json!({"exp": 1e300}), Error::InvalidClaim("exp")),
        (json!({"exp": u64::MAX}), Error::InvalidClaim("exp")),
        (json!({"exp": -60}), Error::Expired),
        (json!({"nbf": "0"}), Error::InvalidClaim("nbf")),
        (json!({"nbf": 31}), Error::NotYetValid),
        (json!({"sub": null}), Error::InvalidClaim("sub")),
        (json!({"sub": 1}), Error::InvalidClaim("sub")),
        (json!({"sub": ""}), Error::InvalidClaim("sub")),
        (json!({"sub": "a\nb"}), Error::InvalidClaim("sub")),
        (json!({"sub": long}), Error::InvalidClaim("sub")),
        (
            json!({"org": ""}),
            Error::InvalidClaim("the organisation's claim"),
        ),
        (
            json!({"org": ["acme"]}),
            Error::InvalidClaim("the organisation's claim"),
        ),
        (
            json!({"topics": {"a": 1}}),
            Error::InvalidClaim("the topics' claim"),
        ),
        (
            json!({"topics": ["a", 1]}),
            Error::InvalidClaim("the topics' claim"),
        ),
        (
            json!({"topics": ["a b"]}),
            Error::InvalidClaim("the topics' claim"),
        ),
        (
            json!({"topics": "a|b"}),
            Error::InvalidClaim("the topics' claim"),
        ),
    ] {
        let got = verify_claims(changes.clone()).await;
        assert_eq!(got, Err(expected), "{changes}");
        assert!(expected.is_bearers_fault());
    }
    // Not understood is not absent, which would allow every topic.
    let mut with_null = claims(&json!({}));
    with_null["topics"] = Value::Null;
    let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
    let got = verifier(clock).verify(&hs256(&with_null)).await;
    assert_eq!(got, Err(Error::InvalidClaim("the topics' claim")));
}

#[tokio::test(start_paused = true)]
async fn a_token_is_valid_from_nbf_until_exp_give_or_take_the_leeway() {
    let verifier = verifier(Clock::starting_at(Timestamp::UNIX_EPOCH));
    let token = hs256(&claims(&json!({"nbf": 100, "exp": 200})));
    let mut now = 0;
    for (then, expected) in [
        (69_999, Err(TokenError::NotYetValid)),
        (70_000, Ok(())),
        (229_999, Ok(())),
        (230_000, Err(TokenError::Expired)),
    ] {
        tokio::time::advance(Duration::from_millis(then - now)).await;
        now = then;
        let answer = verifier.verify(&token).await.map(|_| ());
        assert_eq!(answer, expected, "at {then} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_signed_token_is_malformed() {
    let verifier = verifier(Clock::starting_at(Timestamp::UNIX_EPOCH));
    let valid = hs256(&claims(&json!({})));
    let (message, _) = valid.rsplit_once('.').unwrap();
    let critical = hs256_with(
        SECRET.as_bytes(),
        &json!({"alg": "HS256", "crit": ["b64"], "b64": false}),
        &claims(&json!({})),
    );
    let not_an_object = hs256(&json!([1]));
    let long = hs256(&claims(&json!({"more": "a".repeat(8 * 1024)})));
    for token in [
        "",
        ".",
        "..",
        "a.b.c",
        message,
        &format!("{valid}.x"),
        &format!("{valid}="),
        &critical,
        &not_an_object,
        &long,
    ] {
        assert_eq!(
            verifier.verify(token).await,
            Err(TokenError::Malformed),
            "{token}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_does_not_choose_its_algorithm() {
    let valid = claims(&json!({}));
    let by_secret = verifier(Clock::starting_at(Timestamp::UNIX_EPOCH));
    for name in ["none", "None", "HS384", "HS512", "RS256", "hs256", ""] {
        let unsigned = sign(&json!({"alg": name}), &valid, |_| Vec::new());
        let signed = hs256_with(SECRET.as_bytes(), &json!({"alg": name}), &valid);
        for token in [unsigned, signed] {
            let got = by_secret.verify(&token).await;
            assert_eq!(got, Err(TokenError::WrongAlgorithm), "{name}");
        }
    }
    let unsigned = sign(&json!({"alg": "HS256"}), &valid, |_| Vec::new());
    assert_eq!(
        by_secret.verify(&unsigned).await,
        Err(TokenError::WrongSignature)
    );

    // The public key as the secret of an HMAC.
    let by_rsa = fixed(Algorithm::Rs256, &[rsa_jwk(&json!({}))]);
    let public = rsa().public().as_ref().to_vec();
    let RsaPublicKeyComponents { n: modulus, .. } = rsa().public().into();
    let modulus: Vec<u8> = modulus;
    for secret in [
        public.as_slice(),
        &modulus,
        rsa_jwk(&json!({})).to_string().as_bytes(),
    ] {
        let confused = hs256_with(secret, &json!({"alg": "HS256"}), &valid);
        assert_eq!(
            by_rsa.verify(&confused).await,
            Err(TokenError::WrongAlgorithm)
        );
        let claimed = hs256_with(secret, &json!({"alg": "RS256"}), &valid);
        assert_eq!(
            by_rsa.verify(&claimed).await,
            Err(TokenError::WrongSignature)
        );
    }

    // A key that the token itself brings.
    let own = Signer::new("own");
    let header = json!({"alg": "ES256", "jwk": own.jwk()});
    let by_curve = fixed(Algorithm::Es256, &[Signer::new("theirs").jwk()]);
    let brought = own.token_with(&header, &valid);
    assert_eq!(
        by_curve.verify(&brought).await,
        Err(TokenError::WrongSignature)
    );
}

#[tokio::test(start_paused = true)]
async fn signatures_of_all_algorithms_are_verified() {
    let valid = claims(&json!({}));
    let other_secret = hs256_with(&[7; 32], &json!({"alg": "HS256"}), &valid);
    let by_secret = verifier(Clock::starting_at(Timestamp::UNIX_EPOCH));
    assert_eq!(
        by_secret.verify(&other_secret).await,
        Err(TokenError::WrongSignature)
    );

    let by_rsa = fixed(
        Algorithm::Rs256,
        &[rsa_jwk(&json!({"kid": "1", "alg": "RS256", "use": "sig"}))],
    );
    let token = rs256(&json!({"alg": "RS256", "kid": "1"}), &valid);
    assert!(by_rsa.verify(&token).await.is_ok());
    let forged = sign(&json!({"alg": "RS256"}), &valid, |_| vec![1; 256]);
    assert_eq!(
        by_rsa.verify(&forged).await,
        Err(TokenError::WrongSignature)
    );

    let signer = Signer::new("1");
    let by_curve = fixed(Algorithm::Es256, &[signer.jwk()]);
    assert!(by_curve.verify(&signer.token(&valid)).await.is_ok());
    let other = Signer::new("1").token(&valid);
    assert_eq!(
        by_curve.verify(&other).await,
        Err(TokenError::WrongSignature)
    );
    // Zeros once verified under any key in another implementation.
    let zeros = sign(&json!({"alg": "ES256"}), &valid, |_| vec![0; 64]);
    assert_eq!(
        by_curve.verify(&zeros).await,
        Err(TokenError::WrongSignature)
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_is_found_by_its_id_or_for_being_the_only_one() {
    let valid = claims(&json!({}));
    let (a, b) = (Signer::new("a"), Signer::new("b"));
    let anonymous = |signer: &Signer| signer.token_with(&json!({"alg": "ES256"}), &valid);

    let one = fixed(Algorithm::Es256, &[a.jwk(), rsa_jwk(&json!({}))]);
    assert!(one.verify(&anonymous(&a)).await.is_ok());
    assert_eq!(
        one.verify(&b.token(&valid)).await,
        Err(TokenError::UnknownKey)
    );

    let two = fixed(Algorithm::Es256, &[a.jwk(), b.jwk()]);
    assert!(two.verify(&b.token(&valid)).await.is_ok());
    assert_eq!(
        two.verify(&anonymous(&a)).await,
        Err(TokenError::UnknownKey)
    );
}

#[test]
fn only_keys_that_fit_are_used() {
    let curve = Signer::new("1").jwk();
    let with = |more: Value| {
        let mut key = curve.clone();
        key.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        set(Algorithm::Es256, &[key])
    };
    assert!(with(json!({"key_ops": ["verify"], "use": "sig", "alg": "ES256"})).is_ok());
    for wrong in [
        json!({"use": "enc"}),
        json!({"alg": "ES384"}),
        json!({"key_ops": ["encrypt"]}),
        json!({"crv": "P-384"}),
        json!({"kty": "RSA"}),
        json!({"x": "AA"}),
        json!({"y": "not base64!"}),
        json!({"y": null}),
    ] {
        assert_eq!(
            with(wrong.clone()).unwrap_err(),
            NoKey::NoneFits("ES256"),
            "{wrong}"
        );
    }
    assert!(set(Algorithm::Rs256, std::slice::from_ref(&curve)).is_err());
    let short = json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode([255; 128]), "e": "AQAB"});
    assert!(set(Algorithm::Rs256, &[short]).is_err());
    let secret = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(SECRET)});
    assert!(set(Algorithm::Hs256, &[secret]).is_err());
    // What is no key at all does not make the others useless.
    assert!(set(Algorithm::Es256, &[json!(1), json!({"kty": 1}), curve]).is_ok());
}

#[test]
fn nothing_secret_is_shown() {
    let verifier = verifier(Clock::System);
    let bytes = format!("{:?}", SECRET.as_bytes());
    for shown in [format!("{verifier:?}"), format!("{verifier:#?}")] {
        assert!(
            !shown.contains(SECRET) && !shown.contains(&bytes),
            "{shown}"
        );
    }
}
