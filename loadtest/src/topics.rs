//! Who listens to which topic, and which topic a notification goes to.

use std::str::FromStr;

use crate::subscriber_set::SubscriberIndex;

/// The most topics of a run.
pub const MAX_TOPICS: usize = 10_000;

/// Topics and the share of the subscribers that listens to each. Every
/// subscriber listens to one; the notifications go to one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Topics {
    names: Vec<String>,
    /// Where each topic's share of 0 to 1 ends.
    ends: Vec<f64>,
}

impl Topics {
    /// The number of a subscriber's topic. Any number of consecutive
    /// subscribers is spread in the same shares.
    #[must_use]
    pub fn of(&self, SubscriberIndex(index): SubscriberIndex) -> usize {
        /// The golden ratio's fraction: multiples of it fill 0 to 1 evenly.
        const STEP: f64 = 0.618_033_988_749_894_9;
        let at = ((f64::from(index) + 0.5) * STEP).fract();
        let topic = self.ends.partition_point(|&end| end <= at);
        topic.min(self.names.len().saturating_sub(1))
    }

    /// The number of the topic that notification `sequence` goes to.
    #[must_use]
    pub fn of_notification(&self, sequence: u64) -> usize {
        let count = u64::try_from(self.names.len()).unwrap_or(u64::MAX).max(1);
        usize::try_from(sequence % count).unwrap_or_default()
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.names.len()
    }

    /// The name of a topic.
    #[must_use]
    pub fn name(&self, topic: usize) -> &str {
        self.names.get(topic).map_or("", String::as_str)
    }

    fn weighted(weighted: Vec<(String, f64)>) -> Self {
        let total: f64 = weighted.iter().map(|(_, weight)| weight).sum();
        let mut sum = 0.0;
        let ended = weighted.into_iter().map(|(name, weight)| {
            sum += weight;
            (name, sum / total)
        });
        let (names, ends) = ended.unzip();
        Self { names, ends }
    }
}

impl FromStr for Topics {
    type Err = TopicsError;

    /// Reads `100`: as many topics, `topic-0` and so on, of equal share;
    /// `100:zipf`: topic `n` has the share of 1 / (n + 1); or their names and
    /// weights, `news=70,sport=30`.
    fn from_str(text: &str) -> Result<Self, TopicsError> {
        let error = || TopicsError(text.to_owned());
        let (count, weight): (&str, fn(u32) -> f64) = match text.split_once(':') {
            Some((count, "zipf")) => (count, |n| 1.0 / f64::from(n + 1)),
            Some((count, "uniform")) => (count, |_| 1.0),
            Some((count, _)) if count.parse::<u32>().is_ok() => return Err(error()),
            Some(_) | None => (text, |_| 1.0),
        };
        let weighted: Vec<_> = match count.parse::<u32>() {
            Ok(count) => (0..count.min(1 + u32::try_from(MAX_TOPICS).unwrap_or(u32::MAX)))
                .map(|n| (format!("topic-{n}"), weight(n)))
                .collect(),
            Err(_) => text
                .split(',')
                .map(|part| named(part).ok_or_else(error))
                .collect::<Result<_, _>>()?,
        };
        if weighted.is_empty() || weighted.len() > MAX_TOPICS {
            return Err(error());
        }
        Ok(Self::weighted(weighted))
    }
}

fn named(part: &str) -> Option<(String, f64)> {
    let (name, weight) = part.split_once('=').unwrap_or((part, "1"));
    let weight: f64 = weight.parse().ok()?;
    let is_share = weight.is_finite() && weight > 0.0;
    // What the connect route takes as a topic's name.
    let is_name = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-:/".contains(c));
    (is_share && is_name).then(|| (name.to_owned(), weight))
}

/// Not a description of topics.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected topics such as 100, 100:zipf or news=70,sport=30 (at most {MAX_TOPICS}), got \"{0}\""
)]
pub struct TopicsError(String);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How many of the first `subscribers` listen to each topic.
    fn spread(topics: &Topics, first: u32, subscribers: u32) -> Vec<u32> {
        let mut counts = vec![0; topics.names.len()];
        for index in first..first + subscribers {
            counts[topics.of(SubscriberIndex(index))] += 1;
        }
        counts
    }

    #[test]
    fn topics_are_counted_or_named() {
        let even: Topics = "4".parse().unwrap();
        assert_eq!(even.name(3), "topic-3");
        assert_eq!(even, "4:uniform".parse().unwrap());
        let named: Topics = "news=70,user:7=29.5,x/y=0.5".parse().unwrap();
        assert_eq!(named.name(1), "user:7");
        let zipf = spread(&"3:zipf".parse().unwrap(), 0, 11_000);
        for (count, expected) in zipf.iter().zip([6_000_u32, 3_000, 2_000]) {
            assert!(count.abs_diff(expected) <= 5, "{zipf:?}");
        }
        for wrong in [
            "", "0", "10001", "4:often", "a=0", "a=-1", "a=x", "a b", "a,", "a=inf",
        ] {
            assert!(wrong.parse::<Topics>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn notifications_go_to_one_topic_after_the_other() {
        let topics: Topics = "a,b".parse().unwrap();
        assert_eq!([0, 1, 2].map(|n| topics.of_notification(n)), [0, 1, 0]);
    }

    proptest! {
        #[test]
        fn every_stretch_of_subscribers_has_the_same_shares(
            first in 0_u32..1_000_000, share in 1_u32..100,
        ) {
            let topics: Topics = format!("a={share},b={}", 100 - share).parse().unwrap_or_else(
                |_| "a=99,b=1".parse().unwrap());
            let counts = spread(&topics, first, 1_000);
            prop_assert!(counts[0].abs_diff(share * 10) <= 10, "{:?}", counts);
        }
    }
}
