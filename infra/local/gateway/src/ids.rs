//! Identifiers in the forms that API Gateway gives them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;

/// How many random bytes an identifier encodes.
const RANDOM_BYTES: usize = 11;
/// What simulated connections' identifiers begin with. A random one does by a
/// chance of 1 in 2^56.
const SIMULATED: &[u8; 7] = b"\x4c\xa6\xee\x69\x6d\xab\x6a";
/// How many characters 11 bytes take in padded base64.
const LENGTH: usize = 16;

/// The identifier of one WebSocket connection, such as `TXzPWdnOjoECGjA=`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ConnectionId([u8; LENGTH]);

impl ConnectionId {
    /// Makes up an identifier that no other connection has.
    pub(crate) fn random() -> Self {
        Self(random_base64())
    }

    /// The identifier of simulated connection `index`: its number, after what
    /// marks it as one.
    pub(crate) fn simulated(index: u32) -> Self {
        let mut bytes = [0; RANDOM_BYTES];
        let (mark, number) = bytes.split_at_mut(SIMULATED.len());
        mark.copy_from_slice(SIMULATED);
        number.copy_from_slice(&index.to_be_bytes());
        Self(base64_of(bytes))
    }

    /// Which simulated connection this is, if it is one.
    pub(crate) fn simulated_index(&self) -> Option<u32> {
        let mut bytes = [0; RANDOM_BYTES + 1];
        let length = URL_SAFE.decode_slice(self.0, &mut bytes).ok()?;
        let number = bytes.get(..length)?.strip_prefix(SIMULATED)?;
        Some(u32::from_be_bytes(number.try_into().ok()?))
    }

    /// Reads an identifier; `None` if it could not be one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; LENGTH] = text.as_bytes().try_into().ok()?;
        let (last, head) = bytes.split_last()?;
        let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
        (*last == b'=' && head.iter().all(is_base64)).then_some(Self(bytes))
    }

    /// The identifier as text.
    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Spreads identifiers evenly over `buckets`.
    pub(crate) fn bucket(&self, buckets: usize) -> usize {
        let sum = self.0.iter().fold(0_usize, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(usize::from(*byte))
        });
        sum % buckets.max(1)
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Makes up a request or message identifier, such as `JKJaXmPLvHcESHA=`.
pub(crate) fn request_id() -> String {
    str::from_utf8(&random_base64())
        .unwrap_or_default()
        .to_owned()
}

/// Makes up the identifier of a management call: a UUID, as in
/// `x-amzn-RequestId`.
pub(crate) fn management_request_id() -> String {
    let random = fastrand::u128(..).to_be_bytes();
    uuid::Builder::from_random_bytes(random)
        .into_uuid()
        .to_string()
}

fn random_base64() -> [u8; LENGTH] {
    base64_of(std::array::from_fn(|_| fastrand::u8(..)))
}

fn base64_of(bytes: [u8; RANDOM_BYTES]) -> [u8; LENGTH] {
    let mut text = [b'='; LENGTH];
    // The text has room for exactly what 11 bytes encode to.
    let _ = URL_SAFE.encode_slice(bytes, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_connection_id_is_sixteen_characters_of_base64_and_reads_back() {
        for _ in 0..1_000 {
            let id = ConnectionId::random();
            assert_eq!(id.as_str().len(), 16);
            assert!(id.as_str().ends_with('='));
            assert_eq!(ConnectionId::parse(id.as_str()), Some(id));
        }
    }

    #[test]
    fn the_number_of_a_simulated_connection_is_read_from_its_id() {
        for index in [0, 1, 999_999, u32::MAX] {
            let id = ConnectionId::simulated(index);
            assert_eq!(ConnectionId::parse(id.as_str()), Some(id));
            assert_eq!(id.simulated_index(), Some(index));
        }
        let mut random = (0..1_000).map(|_| ConnectionId::random());
        assert!(random.all(|id| id.simulated_index().is_none()));
    }

    #[test]
    fn ids_do_not_repeat() {
        let ids: HashSet<_> = (0..100_000).map(|_| ConnectionId::random()).collect();
        assert_eq!(ids.len(), 100_000);
    }

    #[test]
    fn text_of_another_shape_is_no_connection_id() {
        let wrong = [
            "",
            "undefined",
            "TXzPWdnOjoECGjA",
            "TXzPWdnOjoECGjAA",
            "TXzPWdnOjo CGjA=",
            "TXzPWdnOjoECGjA==",
        ];
        for text in wrong {
            assert_eq!(ConnectionId::parse(text), None, "{text:?}");
        }
        assert!(ConnectionId::parse("TXzPWdnOjoECGjA=").is_some());
    }

    #[test]
    fn ids_spread_over_the_buckets() {
        let mut counts = [0_u32; 16];
        for _ in 0..16_000 {
            counts[ConnectionId::random().bucket(16)] += 1;
        }
        assert!(
            counts.iter().all(|count| (700..1_300).contains(count)),
            "{counts:?}"
        );
    }
}
