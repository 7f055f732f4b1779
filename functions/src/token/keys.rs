//! Keys: a shared secret, or the public keys of a JSON Web Key Set (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

/// The shortest secret: a key must be as long as the hash (RFC 7518, section
/// 3.2).
pub(crate) const MIN_SECRET_BYTES: usize = 32;
/// The shortest modulus of an RSA key (RFC 7518, section 3.3), 2048 bits.
const MIN_MODULUS_BYTES: usize = 256;
/// A coordinate on the curve P-256 (RFC 7518, section 6.2.1.2).
const COORDINATE_BYTES: usize = 32;

/// How tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// A shared secret: HMAC with SHA-256.
    Hs256,
    /// An RSA key: PKCS #1 1.5 with SHA-256.
    Rs256,
    /// A key on the curve P-256: ECDSA with SHA-256.
    Es256,
}

/// Where the keys are from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// The secret that is shared with the issuer.
    Secret(Key),
    /// The issuer's keys, fixed.
    Document(KeySet),
    /// Where the issuer publishes its keys.
    Url(Uri),
}

/// A key to verify signatures with. It shows nothing of itself.
#[derive(Clone, Debug)]
pub struct Key(DecodingKey);

/// The keys of a document that fit the configured algorithm.
#[derive(Clone, Debug)]
pub struct KeySet(Vec<(Option<String>, Key)>);

/// Why a document or a text gives no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoKey {
    /// The secret is too short.
    #[error("expected a secret of at least {MIN_SECRET_BYTES} bytes, got {0}")]
    ShortSecret(usize),
    /// The document is no key set.
    #[error("expected a JSON Web Key Set: {0}")]
    NotAKeySet(String),
    /// The document holds no key that fits.
    #[error("expected a JSON Web Key Set with a key for {0}")]
    NoneFits(&'static str),
}

#[derive(Deserialize)]
struct Document {
    /// Read one by one: a set may hold keys of kinds that are not known here.
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Algorithm {
    /// Returns the name (RFC 7518, section 3.1).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }
}

impl From<Algorithm> for jsonwebtoken::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Hs256 => Self::HS256,
            Algorithm::Rs256 => Self::RS256,
            Algorithm::Es256 => Self::ES256,
        }
    }
}

impl Key {
    /// Makes a key of a shared secret.
    ///
    /// # Errors
    /// The secret is too short.
    pub fn of_secret(secret: &str) -> Result<Self, NoKey> {
        match secret.len() {
            bytes if bytes < MIN_SECRET_BYTES => Err(NoKey::ShortSecret(bytes)),
            _ => Ok(Self(DecodingKey::from_secret(secret.as_bytes()))),
        }
    }

    pub(super) fn decoding(&self) -> &DecodingKey {
        &self.0
    }
}

impl KeySet {
    /// Reads a document, and keeps the public keys that fit `algorithm`.
    ///
    /// # Errors
    /// It is no key set, or none of its keys fits.
    pub fn read(document: &[u8], algorithm: Algorithm) -> Result<Self, NoKey> {
        let Document { keys } = serde_json::from_slice(document)
            .map_err(|error| NoKey::NotAKeySet(error.to_string()))?;
        let keys = keys.into_iter().filter_map(|key| {
            let jwk: Jwk = serde_json::from_value(key).ok()?;
            let key = jwk.key_for(algorithm)?;
            Some((jwk.kid, key))
        });
        let keys: Vec<_> = keys.collect();
        if keys.is_empty() {
            return Err(NoKey::NoneFits(algorithm.name()));
        }
        Ok(Self(keys))
    }

    /// Returns the key of that id, or without an id the one key that there is.
    pub(super) fn find(&self, id: Option<&str>) -> Option<&Key> {
        let is_wanted = |(of, _): &&(Option<String>, Key)| id.is_none() || of.as_deref() == id;
        let mut wanted = self.0.iter().filter(is_wanted);
        match (wanted.next(), wanted.next()) {
            (Some((_, key)), None) => Some(key),
            _ => None,
        }
    }
}

impl Jwk {
    fn key_for(&self, algorithm: Algorithm) -> Option<Key> {
        let is_for_it = self
            .alg
            .as_deref()
            .is_none_or(|alg| alg == algorithm.name())
            && self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self
                .key_ops
                .as_ref()
                .is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !is_for_it {
            return None;
        }
        match (algorithm, self.kty.as_str()) {
            (Algorithm::Rs256, "RSA") => {
                let (n, e) = (unsigned(self.n.as_ref()?)?, unsigned(self.e.as_ref()?)?);
                let is_long = n.len() >= MIN_MODULUS_BYTES;
                is_long.then(|| Key(DecodingKey::from_rsa_raw_components(&n, &e)))
            }
            (Algorithm::Es256, "EC") if self.crv.as_deref() == Some("P-256") => {
                let (x, y) = (self.x.as_ref()?, self.y.as_ref()?);
                let is_coordinate = |text: &String| {
                    URL_SAFE_NO_PAD
                        .decode(text)
                        .is_ok_and(|bytes| bytes.len() == COORDINATE_BYTES)
                };
                let is_point = is_coordinate(x) && is_coordinate(y);
                is_point.then(|| DecodingKey::from_ec_components(x, y).ok().map(Key))?
            }
            // Secrets are never published.
            (Algorithm::Hs256 | Algorithm::Rs256 | Algorithm::Es256, _) => None,
        }
    }
}

/// A `Base64urlUInt` (RFC 7518, section 2), without the leading zeros that some
/// issuers put there all the same.
fn unsigned(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    Some(bytes.into_iter().skip_while(|byte| *byte == 0).collect())
}
