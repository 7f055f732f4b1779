//! Tokens: JSON Web Tokens (RFC 7519) that say who a client is.
//!
//! Whoever issues tokens is configured: one issuer, one audience, and one
//! algorithm, so that a token cannot choose how it is verified (RFC 8725,
//! section 3.1). What a signature covers is `jsonwebtoken`'s to say, and the
//! signatures are ring's; every claim is checked here, since that crate passes
//! over claims that are absent or of another type, and asks its own clock.

mod claims;
mod error;
mod keys;
pub mod offer;
mod remote;
mod signature;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fanout_core::clock::Clock;
use fanout_core::identity::Identity;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{DecodingKey, Validation};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

pub use self::claims::Rules;
pub use self::error::TokenError;
pub use self::keys::{Algorithm, Key, KeySet, KeySource, NoKey};
use self::remote::Keys;

/// The longest token that is looked at, in bytes: what a header of a request
/// to API Gateway can hold is about as much.
const MAX_LENGTH: usize = 8 * 1024;

/// How tokens are verified.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The one algorithm that is accepted.
    pub algorithm: Algorithm,
    /// What signatures are verified with.
    pub keys: KeySource,
    /// What is asked of the claims.
    pub rules: Rules,
}

/// Verifies tokens. Clones share their keys.
#[derive(Clone, Debug)]
pub struct Verifier {
    algorithm: Algorithm,
    keys: Keys,
    rules: Rules,
    clock: Clock,
}

/// What a valid token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Who its bearer is as a subscriber.
    pub identity: Identity,
    /// `iss`: who issued it.
    pub issuer: String,
    /// `sub`: who its bearer is.
    pub subject: String,
    /// What its bearer may do.
    pub scopes: Vec<String>,
}

/// What is read of a token's header before its signature is verified.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood (RFC 7515, section 4.1.11): none is.
    crit: Option<IgnoredAny>,
}

impl Verifier {
    /// Makes a verifier.
    ///
    /// # Errors
    /// Keys are to be fetched over TLS, and this system trusts no certificates.
    pub fn new(settings: Settings, clock: Clock) -> std::io::Result<Self> {
        let Settings {
            algorithm,
            keys,
            rules,
        } = settings;
        Ok(Self {
            keys: Keys::new(keys, algorithm, clock)?,
            algorithm,
            rules,
            clock,
        })
    }

    /// Verifies a token.
    ///
    /// # Errors
    /// Why it is not valid, or that no key could be had to find out.
    ///
    /// # Cancel safety
    /// A fetch of keys that is given up is begun again by the next call.
    pub async fn verify(&self, token: &str) -> Result<Verified, TokenError> {
        let header = header_of(token)?;
        if header.alg != self.algorithm.name() {
            return Err(TokenError::WrongAlgorithm);
        }
        let key = self.keys.find(header.kid.as_deref()).await?;
        let claims = self.open(token, key.decoding())?;
        self.rules.check(&claims, self.clock.now())
    }

    /// Verifies the signature, and returns the claims under it.
    fn open(&self, token: &str, key: &DecodingKey) -> Result<Map<String, Value>, TokenError> {
        signature::install();
        let mut validation = Validation::new(self.algorithm.into());
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let opened = jsonwebtoken::decode(token, key, &validation);
        match opened {
            Ok(opened) => Ok(opened.claims),
            Err(error) => Err(match error.kind() {
                ErrorKind::InvalidSignature => TokenError::WrongSignature,
                ErrorKind::InvalidAlgorithm => TokenError::WrongAlgorithm,
                _ => TokenError::Malformed,
            }),
        }
    }
}

fn header_of(token: &str) -> Result<Header, TokenError> {
    let malformed = TokenError::Malformed;
    if token.len() > MAX_LENGTH {
        return Err(malformed);
    }
    let (header, _) = token.split_once('.').ok_or(malformed)?;
    let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| malformed)?;
    let header: Header = serde_json::from_slice(&header).map_err(|_| malformed)?;
    match header.crit {
        Some(_) => Err(malformed),
        None => Ok(header),
    }
}

#[cfg(test)]
pub(crate) mod tests;
