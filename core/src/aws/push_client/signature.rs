//! AWS Signature Version 4: what follows from a canonical request.
//!
//! The `aws-sigv4` crate derives the signing key anew for each request: four
//! HMACs before the one that signs. The key is good for a day
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>),
//! and is kept here; tests hold the two against each other byte for byte.

use jiff::Timestamp;
use ring::digest::Digest;
use ring::hmac::{self, HMAC_SHA256};

use super::payloads::{HexDigest, hex};

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A signing key, and what it is good for.
pub(super) struct SigningKey {
    key: hmac::Key,
    scope: String,
}

/// All of a string to sign before the request's digest, already signed.
pub(super) struct StringStart(hmac::Context);

impl SigningKey {
    /// Derives the key for one day, such as `20261121`, in a region, at a
    /// service.
    pub(super) fn derive(secret: &str, day: &str, region: &str, service: &str) -> Self {
        let secret = hmac::Key::new(HMAC_SHA256, format!("AWS4{secret}").as_bytes());
        let key = [day, region, service, "aws4_request"]
            .iter()
            .fold(secret, |key, part| {
                hmac::Key::new(HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref())
            });
        Self {
            key,
            scope: format!("{day}/{region}/{service}/aws4_request"),
        }
    }

    /// Returns the scope: the day, the region, the service and `aws4_request`.
    pub(super) fn scope(&self) -> &str {
        &self.scope
    }

    /// Begins the string to sign of all requests of one second, such as
    /// `20261121T120000Z`.
    pub(super) fn begin(&self, time: &str) -> StringStart {
        let mut context = hmac::Context::with_key(&self.key);
        let scope = &self.scope;
        context.update(format!("{ALGORITHM}\n{time}\n{scope}\n").as_bytes());
        StringStart(context)
    }
}

impl StringStart {
    /// Signs a canonical request, given its SHA-256 digest.
    pub(super) fn sign(&self, canonical_request: &Digest) -> HexDigest {
        let mut context = self.0.clone();
        context.update(&hex(canonical_request.as_ref()));
        hex(context.sign().as_ref())
    }
}

/// Writes a time as signatures have it; its first eight characters are the day.
pub(super) fn time_stamp(now: Timestamp) -> String {
    now.strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::digest::{SHA256, digest};

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    /// Checks a signature of AWS's published test suite, which signs for
    /// `us-east-1` and `service`.
    #[track_caller]
    fn check(canonical_request: &str, signature: &str) {
        let key = SigningKey::derive(SECRET, "20150830", "us-east-1", "service");
        let request = digest(&SHA256, canonical_request.as_bytes());
        let signed = key.begin("20150830T123600Z").sign(&request);
        assert_eq!(String::from_utf8_lossy(&signed), signature);
    }

    #[test]
    fn published_requests_have_their_published_signatures() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let host = "host:example.amazonaws.com\nx-amz-date:20150830T123600Z\n";
        check(
            &format!("GET\n/\n\n{host}\nhost;x-amz-date\n{empty}"),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        );
        check(
            &format!("POST\n/\n\n{host}\nhost;x-amz-date\n{empty}"),
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        );
        let token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
        check(
            &format!(
                "GET\n/\n\n{host}x-amz-security-token:{token}\n\n\
                 host;x-amz-date;x-amz-security-token\n{empty}"
            ),
            "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
        );
    }

    #[test]
    fn a_scope_names_what_a_key_is_good_for() {
        let key = SigningKey::derive(SECRET, "20150830", "us-east-1", "execute-api");
        assert_eq!(key.scope(), "20150830/us-east-1/execute-api/aws4_request");
    }

    #[test]
    fn a_time_is_written_without_its_fraction() {
        let time = "2026-01-02T03:04:05.999Z".parse().unwrap();
        assert_eq!(time_stamp(time), "20260102T030405Z");
    }
}
