//! The hashes of what is pushed: a payload goes to many, and is hashed once.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use ring::digest::{SHA256, digest};

/// A SHA-256 digest in lower-case hexadecimal.
pub(super) type HexDigest = [u8; 64];

/// How many payloads are remembered: one for each notification that a worker
/// pushes at a time, and at most this many messages in memory for longer.
const REMEMBERED: usize = 16;

/// The hashes of the payloads that were pushed last.
#[derive(Default)]
pub(super) struct HashedPayloads {
    latest_first: Mutex<VecDeque<(Bytes, HexDigest)>>,
}

impl HashedPayloads {
    /// Returns the hash of a payload.
    ///
    /// A payload is known by where it is in memory: what is remembered is held,
    /// so that nothing else can be there.
    pub(super) fn digest(&self, payload: &Bytes) -> HexDigest {
        let mut latest_first = self
            .latest_first
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_same = |(known, _): &(Bytes, HexDigest)| {
            known.as_ptr() == payload.as_ptr() && known.len() == payload.len()
        };
        let place = latest_first.iter().position(is_same);
        let known = place.and_then(|place| latest_first.swap_remove_front(place));
        let hash = || (payload.clone(), hex(digest(&SHA256, payload).as_ref()));
        let latest = known.unwrap_or_else(hash);
        let hashed = latest.1;
        latest_first.truncate(REMEMBERED - 1);
        latest_first.push_front(latest);
        hashed
    }
}

/// Writes 32 bytes in lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> HexDigest {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
    let mut text = [b'0'; 64];
    for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 0xf)];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(digest: HexDigest) -> String {
        String::from_utf8(digest.to_vec()).unwrap()
    }

    fn remembered(payloads: &HashedPayloads) -> usize {
        payloads.latest_first.lock().unwrap().len()
    }

    #[test]
    fn a_payload_is_hashed_once() {
        let payloads = HashedPayloads::default();
        let payload = Bytes::from("abc".to_owned());
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for _ in 0..3 {
            assert_eq!(text(payloads.digest(&payload.clone())), expected);
        }
        assert_eq!(remembered(&payloads), 1);
    }

    #[test]
    fn payloads_are_told_apart() {
        let payloads = HashedPayloads::default();
        let long = Bytes::from("aa".to_owned());
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(text(payloads.digest(&Bytes::new())), empty);
        assert_ne!(payloads.digest(&long), payloads.digest(&long.slice(..1)));
        let (same_text, elsewhere) = (Bytes::from("b".to_owned()), Bytes::from("b".to_owned()));
        assert_eq!(payloads.digest(&same_text), payloads.digest(&elsewhere));
    }

    #[test]
    fn only_the_latest_are_remembered() {
        let payloads = HashedPayloads::default();
        let texts = (0..REMEMBERED + 5).map(|n| Bytes::from(n.to_string()));
        for payload in texts {
            payloads.digest(&payload);
        }
        assert_eq!(remembered(&payloads), REMEMBERED);
    }
}
