//! Rates and spans of time in words: `500/s`, `60s`, `500ms`.

use std::{num::NonZeroU64, str::FromStr, time::Duration};

/// Events per span of time, exact: `500/s` is 500 events in 1 s, `0.5/s` is 5
/// events in 10 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    events: NonZeroU64,
    per: Duration,
}

impl Rate {
    /// A whole number of events a second.
    #[must_use]
    pub const fn per_second(events: NonZeroU64) -> Self {
        Self {
            events,
            per: Duration::from_secs(1),
        }
    }

    /// When event `n` happens, counted from event 0.
    #[must_use]
    pub fn offset(self, n: u64) -> Duration {
        duration_from_nanos(
            self.per.as_nanos().saturating_mul(u128::from(n)) / u128::from(self.events.get()),
        )
    }

    /// How many events happen before `span` has passed, event 0 included.
    #[must_use]
    pub fn events_within(self, span: Duration) -> u64 {
        let events = span
            .as_nanos()
            .saturating_mul(u128::from(self.events.get()))
            .div_ceil(self.per.as_nanos());
        u64::try_from(events).unwrap_or(u64::MAX)
    }

    /// Events a second, for people and for JSON.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "shown to people; rates stay far below 2^52"
    )]
    pub fn as_per_second(self) -> f64 {
        self.events.get() as f64 / self.per.as_secs_f64()
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    /// Reads `500/s`, `30/m`, `0.5/s`, or `500`, which means a second.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError::Rate(text.to_owned());
        let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
        let per = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            _ => return Err(error()),
        };
        let decimal = Decimal::parse(number).ok_or_else(error)?;
        Ok(Self {
            events: NonZeroU64::new(decimal.digits).ok_or_else(error)?,
            per: Duration::from_secs(per * decimal.scale),
        })
    }
}

/// Reads a span of time with its unit: `500ms`, `60s`, `1.5m`, `250us`, `2h`.
///
/// # Errors
/// [`UnitError::Duration`] if the number or the unit is missing or unknown.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let error = || UnitError::Duration(text.to_owned());
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .ok_or_else(error)?;
    let (number, unit) = text.split_at(unit_at);
    let unit_nanos: u128 = match unit {
        "us" | "µs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(error()),
    };
    let decimal = Decimal::parse(number).ok_or_else(error)?;
    let nanos = u128::from(decimal.digits) * unit_nanos / u128::from(decimal.scale);
    Ok(duration_from_nanos(nanos))
}

/// Writes a span of time the way [`parse_duration`] reads it, in the largest
/// unit that leaves no fraction.
#[must_use]
pub fn format_duration(span: Duration) -> String {
    let micros = span.as_micros();
    match micros {
        0 => "0s".to_owned(),
        _ if micros.is_multiple_of(1_000_000) => format!("{}s", micros / 1_000_000),
        _ if micros.is_multiple_of(1_000) => format!("{}ms", micros / 1_000),
        _ => format!("{micros}us"),
    }
}

/// A value that is not in the words expected; the message says what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a rate above zero.
    #[error("expected a rate above zero such as 500/s, 30/m or 0.5/s, got \"{0}\"")]
    Rate(String),
    /// Not a span of time.
    #[error("expected a time with its unit such as 500ms, 60s or 5m, got \"{0}\"")]
    Duration(String),
}

/// `1.25` as 125 hundredths.
struct Decimal {
    digits: u64,
    scale: u64,
}

impl Decimal {
    const MAX_FRACTION_DIGITS: u32 = 6;

    /// At most 12 digits before and 6 after the point, so that no product of
    /// a unit and a number overflows.
    fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
        let has_point = whole.len() < text.len();
        let fraction_digits = u32::try_from(fraction.len()).ok()?;
        if whole.is_empty()
            || whole.len() > 12
            || fraction_digits > Self::MAX_FRACTION_DIGITS
            || has_point != (fraction_digits > 0)
            || !is_number(whole)
            || !is_number(fraction)
        {
            return None;
        }
        Some(Self {
            digits: format!("{whole}{fraction}").parse().ok()?,
            scale: 10_u64.pow(fraction_digits),
        })
    }
}

fn duration_from_nanos(nanos: u128) -> Duration {
    let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
    let rest = u32::try_from(nanos % 1_000_000_000).unwrap_or_default();
    Duration::new(seconds, rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_rate(text: &str, per_second: Option<f64>) {
        let read = text.parse::<Rate>().ok().map(Rate::as_per_second);
        assert_eq!(read, per_second, "{text}");
    }

    #[track_caller]
    fn check_duration(text: &str, millis: Option<u64>) {
        let read = parse_duration(text).ok();
        assert_eq!(read, millis.map(Duration::from_millis), "{text}");
    }

    #[test]
    fn rates_are_read_in_words() {
        check_rate("500/s", Some(500.0));
        check_rate("500", Some(500.0));
        check_rate("30/m", Some(0.5));
        check_rate("0.5/s", Some(0.5));
        check_rate("3600/h", Some(1.0));
        for wrong in [
            "", "0/s", "0", "/s", "5/", "5/d", "-1/s", "1e3/s", "1./s", ".5", "+5", "5 /s",
        ] {
            check_rate(wrong, None);
        }
    }

    #[test]
    fn times_are_read_in_words() {
        check_duration("500ms", Some(500));
        check_duration("60s", Some(60_000));
        check_duration("1.5s", Some(1_500));
        check_duration("5m", Some(300_000));
        check_duration("2h", Some(7_200_000));
        check_duration("2000us", Some(2));
        check_duration("0s", Some(0));
        for wrong in [
            "",
            "10",
            "s",
            "10 s",
            "-1s",
            "1.s",
            "1d",
            "1.2.3s",
            "9999999999999s",
        ] {
            check_duration(wrong, None);
        }
    }

    #[test]
    fn a_wrong_value_is_told_what_would_be_right() {
        assert_eq!(
            "fast".parse::<Rate>().unwrap_err().to_string(),
            "expected a rate above zero such as 500/s, 30/m or 0.5/s, got \"fast\""
        );
        assert_eq!(
            parse_duration("10").unwrap_err().to_string(),
            "expected a time with its unit such as 500ms, 60s or 5m, got \"10\""
        );
    }

    proptest! {
        #[test]
        fn a_time_written_is_read_back(micros in 0_u64..=3_600_000_000) {
            let span = Duration::from_micros(micros);
            prop_assert_eq!(parse_duration(&format_duration(span)), Ok(span));
        }
    }
}
