//! Idempotency keys: the same request, made twice, is one notification.
//!
//! The field's draft standard describes the header
//! (<https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header>).

use std::fmt::Write as _;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

/// The longest key, in characters (all of them ASCII).
pub const MAX_KEY_LENGTH: usize = 255;
/// How long a key is kept at most: for this long a repeated request is known
/// again, unless notifications themselves are kept shorter.
pub const KEPT_FOR: Duration = Duration::from_hours(24);

/// A caller's key, and what it was sent with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    name: String,
    fingerprint: String,
}

/// Why a text is no idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to {MAX_KEY_LENGTH} printable ASCII characters, got {0}")]
pub struct InvalidKey(String);

impl IdempotencyKey {
    /// Makes the key that `caller` sent as `key` with a request, which is made
    /// of parts such as its path and its body.
    ///
    /// # Errors
    /// `key` is empty, too long, or not printable ASCII.
    pub fn new(caller: &str, key: &[u8], request: &[&[u8]]) -> Result<Self, InvalidKey> {
        let is_printable = key.iter().all(|byte| (b' '..=b'~').contains(byte));
        if !is_printable {
            return Err(InvalidKey("others".to_owned()));
        }
        if key.is_empty() || key.len() > MAX_KEY_LENGTH {
            return Err(InvalidKey(key.len().to_string()));
        }
        Ok(Self {
            name: digest(&[caller.as_bytes(), key]),
            fingerprint: digest(request),
        })
    }

    /// Makes the key of the `n`th notification of a request for several.
    #[must_use]
    pub fn of_item(&self, n: usize) -> Self {
        Self {
            name: digest(&[self.name.as_bytes(), n.to_string().as_bytes()]),
            fingerprint: self.fingerprint.clone(),
        }
    }

    /// Returns the name under which the key is stored: other callers' keys, or
    /// other keys, have other names.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the fingerprint of the request.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// Hashes parts so that no two lists of parts look alike: each is preceded by
/// its length.
fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut text = String::with_capacity(64);
    for byte in hash.finalize() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(caller: &str, key: &str, body: &str) -> IdempotencyKey {
        IdempotencyKey::new(caller, key.as_bytes(), &[b"/orders", body.as_bytes()]).unwrap()
    }

    #[test]
    fn the_same_request_has_the_same_key() {
        assert_eq!(key("a", "k", "{}"), key("a", "k", "{}"));
    }

    #[test]
    fn callers_and_keys_are_kept_apart() {
        let name = |caller, text| key(caller, text, "{}").name().to_owned();
        assert_ne!(name("a", "k"), name("b", "k"));
        assert_ne!(name("a", "k"), name("a", "l"));
        assert_ne!(name("a", "bc"), name("ab", "c"));
        assert_ne!(key("a", "k", "{}").of_item(0).name(), name("a", "k"));
        let items = [0, 1].map(|n| key("a", "k", "{}").of_item(n).name().to_owned());
        assert_ne!(items[0], items[1]);
    }

    #[test]
    fn another_body_has_another_fingerprint() {
        let (one, other) = (key("a", "k", "{}"), key("a", "k", "[]"));
        assert_eq!(one.name(), other.name());
        assert_ne!(one.fingerprint(), other.fingerprint());
    }

    #[test]
    fn a_key_is_printable_and_of_bounded_length() {
        let check = |key: &str| IdempotencyKey::new("", key.as_bytes(), &[]).map(|_| ());
        assert_eq!(check(&"k".repeat(255)), Ok(()));
        assert_eq!(check(""), Err(InvalidKey("0".to_owned())));
        assert_eq!(check(&"k".repeat(256)), Err(InvalidKey("256".to_owned())));
        for key in ["a\tb", "a\u{7f}", "né"] {
            assert_eq!(check(key), Err(InvalidKey("others".to_owned())));
        }
    }
}
