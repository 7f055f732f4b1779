//! A set of subscribers in one bit each.

/// A subscriber, by the order in which it was asked to connect, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SubscriberIndex(pub u32);

/// Some of the subscribers of a run: 18,000 of them take 2,250 bytes.
#[derive(Debug, Clone)]
pub struct SubscriberSet {
    words: Box<[u64]>,
    len: u32,
}

impl SubscriberSet {
    /// Nobody, with room for the subscribers 0 to `capacity - 1`.
    #[must_use]
    pub fn with_capacity(capacity: u32) -> Self {
        Self {
            words: (0..capacity.div_ceil(u64::BITS)).map(|_| 0).collect(),
            len: 0,
        }
    }

    /// Nobody, with the same capacity.
    #[must_use]
    pub fn emptied(&self) -> Self {
        Self {
            words: self.words.iter().map(|_| 0).collect(),
            len: 0,
        }
    }

    /// Adds a subscriber. `false` if it was there, or is beyond the capacity.
    pub fn insert(&mut self, subscriber: SubscriberIndex) -> bool {
        let is_new = self
            .word(subscriber)
            .is_some_and(|(word, bit)| std::mem::replace(word, *word | bit) & bit == 0);
        self.len += u32::from(is_new);
        is_new
    }

    /// Takes a subscriber out. `false` if it was not there.
    pub fn remove(&mut self, subscriber: SubscriberIndex) -> bool {
        let was_there = self
            .word(subscriber)
            .is_some_and(|(word, bit)| std::mem::replace(word, *word & !bit) & bit != 0);
        self.len -= u32::from(was_there);
        was_there
    }

    /// Whether a subscriber is in the set.
    #[must_use]
    pub fn contains(&self, SubscriberIndex(index): SubscriberIndex) -> bool {
        let word = usize::try_from(index / u64::BITS).ok();
        word.and_then(|word| self.words.get(word))
            .is_some_and(|word| word & (1 << (index % u64::BITS)) != 0)
    }

    /// Keeps only those for whom `is_kept` holds.
    pub fn retain(&mut self, is_kept: impl Fn(SubscriberIndex) -> bool) {
        for (word, first) in self.words.iter_mut().zip((0..).step_by(64)) {
            let mut left = *word;
            while left != 0 {
                let bit = left.trailing_zeros();
                left &= left - 1;
                if !is_kept(SubscriberIndex(first + bit)) {
                    *word &= !(1 << bit);
                }
            }
        }
        self.len = self.words.iter().map(|word| word.count_ones()).sum();
    }

    /// Keeps only those who are in `other`, of the same capacity, too.
    pub fn intersect(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
        self.len = self.words.iter().map(|word| word.count_ones()).sum();
    }

    /// How many subscribers are in the set.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether nobody is in the set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn word(&mut self, SubscriberIndex(index): SubscriberIndex) -> Option<(&mut u64, u64)> {
        let word = self
            .words
            .get_mut(usize::try_from(index / u64::BITS).ok()?)?;
        Some((word, 1 << (index % u64::BITS)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_subscriber_beyond_the_capacity_is_never_in() {
        let mut set = SubscriberSet::with_capacity(64);
        assert!(!set.insert(SubscriberIndex(64)));
        assert!(!set.remove(SubscriberIndex(64)));
        assert!(set.is_empty());
    }

    #[test]
    fn intersection_keeps_who_is_in_both() {
        let mut set = SubscriberSet::with_capacity(200);
        let mut other = set.clone();
        for (ours, theirs) in [(1, 2), (70, 70), (199, 198)] {
            set.insert(SubscriberIndex(ours));
            other.insert(SubscriberIndex(theirs));
        }
        set.intersect(&other);
        assert_eq!(set.len(), 1);
        assert!(set.remove(SubscriberIndex(70)));
    }

    proptest! {
        #[test]
        fn it_behaves_like_a_hash_set(steps in prop::collection::vec((any::<bool>(), 0_u32..200), 0..400)) {
            let mut set = SubscriberSet::with_capacity(200);
            let mut model = HashSet::new();
            for (is_insert, index) in steps {
                if is_insert {
                    prop_assert_eq!(set.insert(SubscriberIndex(index)), model.insert(index));
                } else {
                    prop_assert_eq!(set.remove(SubscriberIndex(index)), model.remove(&index));
                }
                prop_assert_eq!(usize::try_from(set.len()).unwrap(), model.len());
                prop_assert_eq!(set.contains(SubscriberIndex(index)), model.contains(&index));
            }
            set.retain(|SubscriberIndex(index)| index % 3 == 1);
            model.retain(|index| index % 3 == 1);
            prop_assert_eq!(usize::try_from(set.len()).unwrap(), model.len());
            prop_assert!(model.iter().all(|&index| set.contains(SubscriberIndex(index))));
        }
    }
}
