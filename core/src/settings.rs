//! Configuration: read once, from the environment, into typed settings.
//!
//! Every problem is reported together, with what was wrong and what would be
//! right.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// The longest name of a namespace of metrics
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html>).
const LONGEST_NAMESPACE: usize = 255;

/// Reads settings from a map of environment variables.
#[derive(Debug)]
pub struct Reader {
    environment: BTreeMap<String, String>,
    asked: BTreeMap<String, Need>,
    problems: Vec<String>,
}

/// Whether a setting must be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Without it the configuration is invalid.
    Required,
    /// Without it there is a default, or something is off.
    Optional,
}

/// Everything that is wrong with the environment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid configuration: {}", .0.join("; "))]
pub struct InvalidConfiguration(Vec<String>);

impl Reader {
    /// Reads from `environment`.
    #[must_use]
    pub fn new(environment: BTreeMap<String, String>) -> Self {
        Self {
            environment,
            asked: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    /// Reads from the environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self::new(std::env::vars().collect())
    }

    /// Returns a text that must be set and not be empty.
    pub fn text(&mut self, name: &str) -> String {
        self.get(name, Need::Required).unwrap_or_else(|| {
            self.problems.push(format!("{name}: not set"));
            String::new()
        })
    }

    /// Returns a text, or `None` if it is not set or empty.
    pub fn optional_text(&mut self, name: &str) -> Option<String> {
        self.get(name, Need::Optional)
    }

    /// Returns a whole number within `range`, or `default` if it is not set.
    pub fn number<T>(&mut self, name: &str, default: T, range: RangeInclusive<T>) -> T
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let Some(text) = self.get(name, Need::Optional) else {
            return default;
        };
        match text.parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let (low, high) = (range.start(), range.end());
                self.problems.push(format!(
                    "{name}: expected a whole number from {low} to {high}, got {text:?}"
                ));
                default
            }
        }
    }

    /// Returns a positive number that must be set.
    pub fn positive(&mut self, name: &str) -> NonZeroU32 {
        let text = self.text(name);
        text.parse().unwrap_or_else(|_| {
            if !text.is_empty() {
                self.problems
                    .push(format!("{name}: expected a positive integer, got {text:?}"));
            }
            NonZeroU32::MIN
        })
    }

    /// Returns a span given in whole milliseconds, or `default` if it is not
    /// set.
    pub fn milliseconds(
        &mut self,
        name: &str,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Duration {
        Duration::from_millis(self.number(name, default, range))
    }

    /// Returns `true` or `false`, or `default` if it is not set.
    pub fn flag(&mut self, name: &str, default: bool) -> bool {
        match self.get(name, Need::Optional).as_deref() {
            None => default,
            Some("true") => true,
            Some("false") => false,
            Some(other) => {
                self.problems
                    .push(format!("{name}: expected true or false, got {other:?}"));
                default
            }
        }
    }

    /// Returns which of `known` a setting names that must be set. Where it
    /// names none, `otherwise` stands in, and the reading fails at its end.
    pub fn one_of<T: Copy>(&mut self, name: &str, known: &[(&str, T)], otherwise: T) -> T {
        let word = self.text(name);
        if word.is_empty() {
            return otherwise;
        }
        self.among(name, &word, known, otherwise)
    }

    /// Returns which of `known` a setting names, or `default` if it is not set.
    pub fn one_of_or<T: Copy>(&mut self, name: &str, known: &[(&str, T)], default: T) -> T {
        match self.get(name, Need::Optional) {
            None => default,
            Some(word) => self.among(name, &word, known, default),
        }
    }

    fn among<T: Copy>(&mut self, name: &str, word: &str, known: &[(&str, T)], otherwise: T) -> T {
        if let Some((_, value)) = known.iter().find(|(known, _)| *known == word) {
            return *value;
        }
        let words: Vec<_> = known.iter().map(|(word, _)| *word).collect();
        self.problems.push(format!(
            "{name}: expected one of {}, got {word:?}",
            words.join(", ")
        ));
        otherwise
    }

    /// Returns a namespace of `CloudWatch` metrics that is the deployment's own,
    /// or `None` if it is not set.
    pub fn metrics_namespace(&mut self, name: &str) -> Option<String> {
        let namespace = self.get(name, Need::Optional)?;
        self.require(is_namespace(&namespace), || {
            format!(
                "{name}: expected at most {LONGEST_NAMESPACE} letters, digits and . - _ / #, and \
                 not AWS/ before them, got {namespace:?}"
            )
        });
        Some(namespace)
    }

    /// Notes a problem that only shows between settings.
    pub fn require(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        if !holds {
            self.problems.push(problem());
        }
    }

    /// Returns what was asked for so far, by name.
    #[must_use]
    pub fn asked(&self) -> &BTreeMap<String, Need> {
        &self.asked
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// All problems that were found.
    pub fn finish<T>(self, settings: T) -> Result<T, InvalidConfiguration> {
        if self.problems.is_empty() {
            Ok(settings)
        } else {
            Err(InvalidConfiguration(self.problems))
        }
    }

    fn get(&mut self, name: &str, need: Need) -> Option<String> {
        self.asked.insert(name.to_owned(), need);
        self.environment
            .remove(name)
            .filter(|text| !text.is_empty())
    }
}

/// Whether `CloudWatch` takes a namespace of this name from a customer.
fn is_namespace(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_/#".contains(&byte);
    text.len() <= LONGEST_NAMESPACE && !text.starts_with("AWS/") && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_unknown_ones_told_the_known_ones() {
        let known = [("jwt", 1), ("off", 2)];
        let mut read = reader(&[
            ("A", "off"),
            ("B", "JWT"),
            ("D", "false"),
            ("E", "yes"),
            ("G", "off"),
            ("H", "on"),
        ]);
        assert_eq!(read.one_of("A", &known, 0), 2);
        assert_eq!(read.one_of("B", &known, 0), 0);
        assert_eq!(read.one_of("C", &known, 0), 0);
        assert!(!read.flag("D", true));
        assert!(!read.flag("E", false));
        assert!(read.flag("F", true));
        assert_eq!(read.one_of_or("G", &known, 0), 2);
        assert_eq!(read.one_of_or("H", &known, 0), 0);
        assert_eq!(read.one_of_or("I", &known, 3), 3);
        assert_eq!(
            read.finish(()).unwrap_err().to_string(),
            "invalid configuration: \
             B: expected one of jwt, off, got \"JWT\"; \
             C: not set; \
             E: expected true or false, got \"yes\"; \
             H: expected one of jwt, off, got \"on\""
        );
    }

    fn reader(variables: &[(&str, &str)]) -> Reader {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Reader::new(variables.iter().map(own).collect())
    }

    #[test]
    fn every_problem_is_reported_together() {
        let mut read = reader(&[("PUSH_RATE_PER_SECOND", "0"), ("MAX_IN_FLIGHT", "many")]);
        read.positive("PUSH_RATE_PER_SECOND");
        read.number("MAX_IN_FLIGHT", 256_usize, 1..=1_000);
        read.text("CONNECTIONS_TABLE");
        assert_eq!(
            read.finish(()).unwrap_err().to_string(),
            "invalid configuration: \
             PUSH_RATE_PER_SECOND: expected a positive integer, got \"0\"; \
             MAX_IN_FLIGHT: expected a whole number from 1 to 1000, got \"many\"; \
             CONNECTIONS_TABLE: not set"
        );
    }

    #[test]
    fn what_is_not_set_takes_its_default() {
        let mut read = reader(&[("A", "")]);
        assert_eq!(read.number("A", 7_u32, 1..=9), 7);
        assert_eq!(
            read.milliseconds("B", 250, 1..=1_000),
            Duration::from_millis(250)
        );
        assert_eq!(read.optional_text("C"), None);
        assert_eq!(read.finish(()), Ok(()));
    }

    #[test]
    fn what_was_asked_for_is_known_whether_it_is_set_or_not() {
        let mut read = reader(&[("A", "1"), ("E", "not asked for")]);
        read.text("A");
        read.positive("B");
        read.one_of("C", &[("yes", ())], ());
        read.flag("D", true);
        let asked = read
            .asked()
            .iter()
            .map(|(name, need)| (name.as_str(), *need));
        assert_eq!(
            asked.collect::<Vec<_>>(),
            [
                ("A", Need::Required),
                ("B", Need::Required),
                ("C", Need::Required),
                ("D", Need::Optional)
            ]
        );
    }
}
