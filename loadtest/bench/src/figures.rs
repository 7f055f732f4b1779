//! How figures are written in tables.

use crate::spread::Spread;

/// How figures of one kind are written.
pub(crate) struct Unit {
    /// How many of what is measured make one of what is written.
    scale: f64,
    name: &'static str,
    is_whole: bool,
}

impl Unit {
    pub(crate) const COUNT: Self = Self {
        scale: 1.0,
        name: "",
        is_whole: true,
    };
    pub(crate) const SECONDS: Self = Self {
        scale: 1.0,
        name: " s",
        is_whole: false,
    };
    pub(crate) const MICROS: Self = Self {
        scale: 1.0,
        name: " µs",
        is_whole: false,
    };
    pub(crate) const PERCENT: Self = Self {
        scale: 0.01,
        name: " %",
        is_whole: false,
    };
    pub(crate) const RATIO: Self = Self {
        scale: 1.0,
        name: "",
        is_whole: false,
    };
    pub(crate) const MILLIS: Self = Self {
        scale: 1e-3,
        name: " ms",
        is_whole: false,
    };
    pub(crate) const MEBIBYTES: Self = Self {
        scale: 1_048_576.0,
        name: " MiB",
        is_whole: false,
    };
    pub(crate) const MEGABYTES: Self = Self {
        scale: 1e6,
        name: " MB",
        is_whole: false,
    };

    fn number(&self, value: f64) -> String {
        let value = value / self.scale;
        if self.is_whole {
            grouped(value)
        } else {
            significant(value)
        }
    }
}

/// The median with its unit, and how far the values lie apart.
pub(crate) fn written(spread: &Spread, unit: &Unit) -> String {
    let [median, lowest, highest] =
        [spread.median, spread.lowest, spread.highest].map(|value| unit.number(value));
    let name = unit.name;
    if lowest == highest {
        format!("{median}{name}")
    } else {
        format!("{median}{name} ({lowest}–{highest})")
    }
}

/// The same, or a dash.
pub(crate) fn optional(spread: Option<&Spread>, unit: &Unit) -> String {
    spread.map_or_else(|| "–".to_owned(), |spread| written(spread, unit))
}

/// A ratio, or a dash.
pub(crate) fn times(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "–".to_owned(), significant)
}

/// Three digits, and more where the whole part has them.
pub(crate) fn significant(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => grouped(value),
    }
}

/// Rounded, with its digits in groups.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rounded figure, neither negative nor beyond 2^52"
)]
pub(crate) fn grouped(value: f64) -> String {
    thousands(value.round() as u64)
}

/// A whole number with its digits in groups: `10,000`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits() {
        let values = [0.0, 0.123_4, 9.876, 12.34, 99.94, 123.4, 45_678.9];
        let written = values.map(significant);
        let expected = ["0.00", "0.12", "9.88", "12.3", "99.9", "123", "45,679"];
        assert_eq!(written, expected);
    }

    #[test]
    fn a_spread_is_shown_where_there_is_one() {
        let spread = Spread::of([1.5, 1.25, 2.0]).unwrap();
        assert_eq!(written(&spread, &Unit::SECONDS), "1.50 s (1.25–2.00)");
        let one = Spread::of([34_000_000.0]).unwrap();
        assert_eq!(written(&one, &Unit::MEGABYTES), "34.0 MB");
        assert_eq!(optional(None, &Unit::SECONDS), "–");
    }

    #[test]
    fn digits_are_grouped_from_the_right() {
        let written = [0, 999, 1_000, 1_234_567].map(thousands);
        assert_eq!(written, ["0", "999", "1,000", "1,234,567"]);
    }
}
