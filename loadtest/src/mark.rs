//! What a notification carries so that any process of the machine can tell
//! which it is and when it was meant to be sent.

use std::{
    fmt::{self, Display, Formatter},
    str::FromStr,
    time::Duration,
};

use serde::{Deserialize, Serialize};

const PREFIX: &str = "flt1-";

/// One run of one publishing process. Written as 8 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RunId(u32);

impl RunId {
    /// A run that nobody else has, as far as chance goes.
    #[must_use]
    pub fn random() -> Self {
        Self(fastrand::u32(..))
    }
}

impl Display for RunId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl From<RunId> for String {
    fn from(run: RunId) -> Self {
        run.to_string()
    }
}

impl TryFrom<String> for RunId {
    type Error = RunIdError;

    fn try_from(text: String) -> Result<Self, RunIdError> {
        text.parse()
    }
}

impl FromStr for RunId {
    type Err = RunIdError;

    fn from_str(text: &str) -> Result<Self, RunIdError> {
        hex8(text).map(Self).ok_or(RunIdError)
    }
}

/// Not a run's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 8 hexadecimal digits such as 3fa9c2d1")]
pub struct RunIdError;

/// The mark of one notification, written as
/// `flt1-RUN-MACHINE-SEQUENCE-INTENDED`: letters, digits and hyphens only, so
/// that it survives in JSON, also quoted twice, in forms and in URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Whose it is.
    pub run: RunId,
    /// The machine whose clock `intended` was read from
    /// ([`identity`](crate::machine::identity)).
    pub machine: u32,
    /// Its number within the run, from 0.
    pub sequence: u64,
    /// When it was meant to be sent, on the machine's monotonic clock, in whole
    /// microseconds.
    pub intended: Duration,
}

impl Mark {
    /// One of no run, as long as most.
    pub const EXAMPLE: Self = Self {
        run: RunId(0),
        machine: 0,
        sequence: 0,
        intended: Duration::from_hours(100),
    };

    /// Finds the first mark in a text, and how it is written there.
    #[must_use]
    pub fn find(text: &str) -> Option<(Self, &str)> {
        let mut rest = text;
        while let Some((_, from)) = rest.split_once(PREFIX) {
            if let Some(found) = Self::read(from, text) {
                return Some(found);
            }
            rest = from;
        }
        None
    }

    /// Reads what follows the prefix, which `text` holds.
    fn read<'a>(from: &'a str, text: &'a str) -> Option<(Self, &'a str)> {
        let end = from
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '-')
            .unwrap_or(from.len());
        let written = from.get(..end)?;
        let mut parts = written.splitn(4, '-');
        let mark = Self {
            run: parts.next()?.parse().ok()?,
            machine: hex8(parts.next()?)?,
            sequence: decimal(parts.next()?)?,
            intended: Duration::from_micros(decimal(parts.next()?)?),
        };
        let start = text.len() - from.len() - PREFIX.len();
        Some((mark, text.get(start..start + PREFIX.len() + end)?))
    }
}

impl Display for Mark {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let intended = self.intended.as_micros();
        write!(
            f,
            "{PREFIX}{}-{:08x}-{}-{intended}",
            self.run, self.machine, self.sequence
        )
    }
}

fn hex8(text: &str) -> Option<u32> {
    let is_hex = text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex.then(|| u32::from_str_radix(text, 16).ok())?
}

fn decimal(text: &str) -> Option<u64> {
    let is_decimal = text.bytes().all(|b| b.is_ascii_digit());
    is_decimal.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WRITTEN: &str = "flt1-3fa9c2d1-000000ff-17-123456789012";

    fn mark() -> Mark {
        Mark {
            run: RunId(0x3fa9_c2d1),
            machine: 255,
            sequence: 17,
            intended: Duration::from_micros(123_456_789_012),
        }
    }

    #[test]
    fn a_mark_is_found_however_the_frame_is_quoted() {
        assert_eq!(mark().to_string(), WRITTEN);
        for frame in [
            WRITTEN.to_owned(),
            format!(r#"{{"data":{{"title":"{WRITTEN}"}}}}"#),
            format!(r#"{{"data":"{{\"title\":\"{WRITTEN}\"}}"}}"#),
            format!("flt1-flt1-00-{WRITTEN}&b=1"),
        ] {
            assert_eq!(Mark::find(&frame), Some((mark(), WRITTEN)), "{frame}");
        }
    }

    #[test]
    fn what_only_looks_like_a_mark_is_none() {
        for frame in [
            "",
            "flt1-",
            "flt1-3fa9c2d1-000000ff-17",
            "flt1-3fa9c2d1-000000ff-17-",
            "flt1-3fa9c2d1-000000ff--1-5",
            "flt1-3fa9c2d-000000ff-17-5",
            "flt1-+fa9c2d1-000000ff-17-5",
            "flt1-3fa9c2d1-000000ff-17-5x",
        ] {
            assert_eq!(Mark::find(frame), None, "{frame}");
        }
    }

    proptest! {
        #[test]
        fn a_mark_written_is_found(
            run: u32, machine: u32, sequence: u64, micros in 0..u64::MAX,
            before in "[^f]{0,20}", after in "[^0-9a-zA-Z-]{0,20}",
        ) {
            let intended = Duration::from_micros(micros);
            let mark = Mark { run: RunId(run), machine, sequence, intended };
            let frame = format!("{before}{mark}{after}");
            prop_assert_eq!(Mark::find(&frame).map(|(found, _)| found), Some(mark));
        }
    }
}
