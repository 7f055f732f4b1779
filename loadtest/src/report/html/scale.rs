//! Where a value lies along an axis, and which values are named on it.

/// An axis: its scale, and its ticks.
pub(super) struct Axis {
    /// What the values are, with their unit.
    pub(super) label: &'static str,
    /// Where they lie.
    pub(super) scale: Scale,
    /// The values that are named.
    pub(super) ticks: Vec<(f64, String)>,
}

/// How values are laid out between two ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scale {
    /// Evenly.
    Linear { from: f64, to: f64 },
    /// By their logarithm; both ends are above zero.
    Logarithmic { from: f64, to: f64 },
}

impl Scale {
    /// 0 at the start, 1 at the end; what lies beyond is put at the end.
    pub(super) fn position(self, value: f64) -> f64 {
        let position = match self {
            Self::Linear { from, to } => (value - from) / (to - from),
            Self::Logarithmic { from, to } => (value / from).ln() / (to / from).ln(),
        };
        if position.is_finite() {
            position.clamp(0.0, 1.0)
        } else {
            0.0
        }
    }
}

impl Axis {
    /// An even axis around `from` and `to`, with about five ticks at round
    /// values, the first and the last at its ends.
    pub(super) fn linear(
        label: &'static str,
        (from, to): (f64, f64),
        name: impl Fn(f64) -> String,
    ) -> Self {
        let step = round_up((to - from).max(f64::MIN_POSITIVE) / 5.0);
        let (first, last) = ((from / step).floor(), (to / step).ceil());
        let (first, last) = (first, last.max(first + 1.0));
        Self {
            label,
            scale: Scale::Linear {
                from: first * step,
                to: last * step,
            },
            ticks: steps(first, last)
                .map(|n| (n * step, name(n * step)))
                .collect(),
        }
    }

    /// A logarithmic axis around two values above zero, with ticks at 1, 2 and 5
    /// times a power of ten, or at the powers alone where there are many.
    pub(super) fn logarithmic(
        label: &'static str,
        (from, to): (f64, f64),
        name: impl Fn(f64) -> String,
    ) -> Self {
        let first = round_down(from.max(1.0));
        let last = round_up(to.max(first * 1.001));
        let decades = steps(first.log10().floor(), last.log10().ceil());
        let is_wide = last / first > 1_000.0;
        let multiples: &[f64] = if is_wide { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let ticks = decades.flat_map(|exponent| {
            multiples
                .iter()
                .map(move |multiple| multiple * 10_f64.powf(exponent))
        });
        Self {
            label,
            scale: Scale::Logarithmic {
                from: first,
                to: last,
            },
            ticks: ticks
                .filter(|tick| (first * 0.999..=last * 1.001).contains(tick))
                .map(|tick| (tick, name(tick)))
                .collect(),
        }
    }
}

/// `first`, `first + 1` and so on to `last`, at most a hundred.
fn steps(first: f64, last: f64) -> impl Iterator<Item = f64> {
    (0_u8..100)
        .map(move |n| first + f64::from(n))
        .take_while(move |n| *n <= last)
}

/// The next 1, 2 or 5 times a power of ten at or above `value`.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let multiples = [1.0, 2.0, 5.0].map(|multiple| multiple * power);
    let fits = |multiple: &f64| *multiple >= value * 0.999_999;
    multiples.into_iter().find(fits).unwrap_or(power * 10.0)
}

/// The next 1, 2 or 5 times a power of ten at or below `value`.
fn round_down(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let multiples = [5.0, 2.0].map(|multiple| multiple * power);
    let fits = |multiple: &f64| *multiple <= value * 1.000_001;
    multiples.into_iter().find(fits).unwrap_or(power)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, name)| name.as_str()).collect()
    }

    fn plain(value: f64) -> String {
        format!("{value}")
    }

    #[test]
    fn linear_ticks_are_round_and_reach_beyond_the_values() {
        let axis = Axis::linear("", (0.0, 47.3), plain);
        assert_eq!(names(&axis), ["0", "10", "20", "30", "40", "50"]);
        let axis = Axis::linear("", (12.0, 13.1), plain);
        assert_eq!(names(&axis), ["12", "12.5", "13", "13.5"]);
        assert_eq!(names(&Axis::linear("", (0.0, 0.0), plain)).len(), 2);
    }

    #[test]
    fn logarithmic_ticks_are_round() {
        let axis = Axis::logarithmic("", (130.0, 4_100.0), plain);
        assert_eq!(names(&axis), ["100", "200", "500", "1000", "2000", "5000"]);
        let axis = Axis::logarithmic("", (1.0, 2_000_000.0), plain);
        assert_eq!(names(&axis).len(), 7);
    }

    proptest! {
        #[test]
        fn every_value_lies_within_its_axis(low in 1_u32..1_000_000, more in 0_u32..600_000_000) {
            let (from, to) = (f64::from(low), f64::from(low) + f64::from(more));
            for axis in [
                Axis::linear("", (from, to), plain),
                Axis::logarithmic("", (from, to), plain),
            ] {
                let (low, high) = (axis.scale.position(from), axis.scale.position(to));
                prop_assert!((0.0..=1.0).contains(&low) && (low..=1.0).contains(&high));
                prop_assert!((1..=16).contains(&axis.ticks.len()), "{:?}", axis.ticks);
            }
        }
    }
}
