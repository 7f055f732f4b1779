//! Signing pushes: what they have in common is done once.

use std::sync::{Arc, Mutex, PoisonError};

use aws_credential_types::Credentials;
use bytes::BytesMut;
use http::HeaderValue;
use jiff::Timestamp;
use ring::digest::{self, SHA256};

use super::endpoint::{Endpoint, Path};
use super::payloads::HexDigest;
use super::signature::{ALGORITHM, SigningKey, StringStart, time_stamp};

const SERVICE: &str = "execute-api";

/// Signs requests to one endpoint in one region.
pub(super) struct Signer {
    region: String,
    host: HeaderValue,
    /// Of every canonical request, all before the connection's id.
    request_start: digest::Context,
    latest: Mutex<Option<Arc<Moment>>>,
}

/// Signs requests that carry one second's date and one principal's credentials.
///
/// A date may be used for longer than its second: the service allows for clocks
/// that are five minutes apart
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html>).
pub(super) struct Moment {
    second: i64,
    day: String,
    credentials: Arc<Credentials>,
    key: Arc<SigningKey>,
    date: HeaderValue,
    security_token: Option<HeaderValue>,
    request_start: digest::Context,
    /// Of every canonical request, all between the connection's id and the
    /// payload's digest.
    request_end: Vec<u8>,
    string_start: StringStart,
    /// The header's value before the signature.
    authorization_start: Vec<u8>,
}

impl Signer {
    pub(super) fn new(endpoint: &Endpoint, region: &str) -> Self {
        let mut request_start = digest::Context::new(&SHA256);
        request_start.update(b"POST\n");
        request_start.update(endpoint.canonical_start().as_bytes());
        Self {
            region: region.to_owned(),
            host: endpoint.host().clone(),
            request_start,
            latest: Mutex::default(),
        }
    }

    /// Returns what signs now.
    pub(super) fn at(&self, credentials: &Arc<Credentials>, now: Timestamp) -> Arc<Moment> {
        let second = now.as_second();
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let before = latest
            .take()
            .filter(|moment| Arc::ptr_eq(&moment.credentials, credentials));
        let moment = match before {
            Some(moment) if moment.second == second => moment,
            before => Arc::new(self.begin(credentials, now, before.as_deref())),
        };
        Arc::clone(latest.insert(moment))
    }

    /// Makes what signs now, with the key of `before` where the day is the
    /// same.
    fn begin(
        &self,
        credentials: &Arc<Credentials>,
        now: Timestamp,
        before: Option<&Moment>,
    ) -> Moment {
        let time = time_stamp(now);
        let day = time.get(..8).unwrap_or_default();
        let key = before
            .filter(|moment| moment.day == day)
            .map(|moment| Arc::clone(&moment.key));
        let key = key.unwrap_or_else(|| {
            let secret = credentials.secret_access_key();
            Arc::new(SigningKey::derive(secret, day, &self.region, SERVICE))
        });
        // A token that can be no header belongs to no valid credentials: what is
        // sent without it is refused.
        let security_token = credentials
            .session_token()
            .and_then(|token| HeaderValue::from_str(token).ok());
        let signed_headers = match security_token {
            Some(_) => "host;x-amz-date;x-amz-security-token",
            None => "host;x-amz-date",
        };
        let mut request_end = b"\n\nhost:".to_vec();
        request_end.extend(self.host.as_bytes());
        request_end.extend(format!("\nx-amz-date:{time}\n").as_bytes());
        if let Some(token) = &security_token {
            request_end.extend(b"x-amz-security-token:");
            request_end.extend(token.as_bytes());
            request_end.extend(b"\n");
        }
        request_end.extend(format!("\n{signed_headers}\n").as_bytes());
        let (id, scope) = (credentials.access_key_id(), key.scope());
        let authorization_start = format!(
            "{ALGORITHM} Credential={id}/{scope}, SignedHeaders={signed_headers}, Signature="
        );
        Moment {
            second: now.as_second(),
            day: day.to_owned(),
            credentials: Arc::clone(credentials),
            date: HeaderValue::from_str(&time).unwrap_or(HeaderValue::from_static("")),
            security_token,
            request_start: self.request_start.clone(),
            request_end,
            string_start: key.begin(&time),
            authorization_start: authorization_start.into_bytes(),
            key,
        }
    }
}

impl Moment {
    /// Returns the value of `x-amz-date`.
    pub(super) fn date(&self) -> &HeaderValue {
        &self.date
    }

    /// Returns the value of `x-amz-security-token`, where the credentials are
    /// temporary.
    pub(super) fn security_token(&self) -> Option<&HeaderValue> {
        self.security_token.as_ref()
    }

    /// Signs the push of a payload, and returns the value of `authorization`.
    /// `None` where the access key's id can be in no header.
    pub(super) fn authorization(&self, path: &Path, payload: &HexDigest) -> Option<HeaderValue> {
        let mut request = self.request_start.clone();
        // A canonical path is the path encoded once more: of what an encoded id
        // is made of, that changes the percent sign alone.
        let mut between_percents = path.encoded_id().split('%');
        request.update(between_percents.next().unwrap_or_default().as_bytes());
        for piece in between_percents {
            request.update(b"%25");
            request.update(piece.as_bytes());
        }
        request.update(&self.request_end);
        request.update(payload);
        let signature = self.string_start.sign(&request.finish());
        let length = self.authorization_start.len() + signature.len();
        let mut value = BytesMut::with_capacity(length);
        value.extend_from_slice(&self.authorization_start);
        value.extend_from_slice(&signature);
        let mut value = HeaderValue::from_maybe_shared(value.freeze()).ok()?;
        // Over HTTP/2 it is kept out of the table of headers that repeat.
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests;
