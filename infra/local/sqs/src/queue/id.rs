//! Ids and receipt handles, derived from a seed and a counter.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

/// The id of a message, displayed as a UUID.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MessageId(Uuid);

impl MessageId {
    /// The id of the `nth` message of the queue with this seed.
    pub(super) fn derive(seed: u64, nth: u64) -> Self {
        let high = mix(seed ^ mix(nth));
        let bytes = (u128::from(high) << 64) | u128::from(mix(high ^ nth));
        Self(uuid::Builder::from_random_bytes(bytes.to_be_bytes()).into_uuid())
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one delivery of one message. Its text is opaque, and carries a
/// checksum so that a handle of another origin is told apart.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ReceiptHandle {
    seed: u64,
    key: u64,
    delivery: u64,
}

/// A text or a handle that no receive of this queue ever returned.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the receipt handle is not valid")]
pub struct InvalidReceiptHandle;

impl ReceiptHandle {
    pub(super) fn new(seed: u64, key: u64, delivery: u64) -> Self {
        Self {
            seed,
            key,
            delivery,
        }
    }

    /// The key of the message, if the handle is of the queue with this seed.
    pub(super) fn key_in(self, seed: u64) -> Result<u64, InvalidReceiptHandle> {
        (self.seed == seed)
            .then_some(self.key)
            .ok_or(InvalidReceiptHandle)
    }

    pub(super) fn delivery(self) -> u64 {
        self.delivery
    }

    fn checksum(self) -> u64 {
        mix(self.seed ^ mix(self.key ^ mix(self.delivery)))
    }
}

impl fmt::Display for ReceiptHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [self.seed, self.key, self.delivery, self.checksum()];
        let bytes: Vec<u8> = words.into_iter().flat_map(u64::to_be_bytes).collect();
        f.write_str(&STANDARD.encode(bytes))
    }
}

impl FromStr for ReceiptHandle {
    type Err = InvalidReceiptHandle;

    fn from_str(text: &str) -> Result<Self, InvalidReceiptHandle> {
        let bytes = STANDARD.decode(text).map_err(|_| InvalidReceiptHandle)?;
        let (words, []) = bytes.as_chunks::<8>() else {
            return Err(InvalidReceiptHandle);
        };
        let &[seed, key, delivery, checksum] = words else {
            return Err(InvalidReceiptHandle);
        };
        let [seed, key, delivery] = [seed, key, delivery].map(u64::from_be_bytes);
        let handle = Self::new(seed, key, delivery);
        (handle.checksum() == u64::from_be_bytes(checksum))
            .then_some(handle)
            .ok_or(InvalidReceiptHandle)
    }
}

/// One step of `SplitMix64`: spreads neighbouring numbers over all of 64 bits.
fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_distinct_uuids_decided_by_seed_and_counter() {
        let ids = |seed| (0..1_000).map(move |nth| MessageId::derive(seed, nth));
        let distinct: std::collections::HashSet<_> = ids(1).chain(ids(2)).collect();
        assert_eq!(distinct.len(), 2_000);
        assert!(ids(1).eq(ids(1)));
        let id = MessageId::derive(1, 1).to_string();
        assert_eq!(Uuid::parse_str(&id).unwrap().get_version_num(), 4);
    }

    #[test]
    fn a_handle_survives_its_text() {
        let handle = ReceiptHandle::new(7, 8, u64::MAX);
        assert_eq!(handle.to_string().parse(), Ok(handle));
    }

    #[test]
    fn a_text_that_no_receive_returned_is_refused() {
        let genuine = ReceiptHandle::new(7, 8, 9).to_string();
        let tampered = genuine.replacen('A', "B", 1);
        let longer = STANDARD.encode([0; 40]);
        let zeros = STANDARD.encode([0; 32]);
        for text in ["", "no handle", &tampered, &genuine[..40], &longer, &zeros] {
            let parsed = text.parse::<ReceiptHandle>();
            assert_eq!(parsed, Err(InvalidReceiptHandle), "{text}");
        }
    }
}
