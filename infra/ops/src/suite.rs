//! The black-box suite: holds a deployment to what it promises, from outside
//! only.
//!
//! It may run against a deployment that others use: topics have names of their
//! own, and what strangers publish meanwhile is told apart by its id. The few
//! cases that reach everyone reach the strangers too.

pub mod case;
mod cases;
pub mod expectation;
pub mod known_faults;
pub mod report;
pub mod trial;

use tokio::time::Instant;

use self::case::Case;
pub use self::cases::CASES;
use self::known_faults::KnownFaults;
use self::report::{Finding, Report, Verdict};
use self::trial::Trial;

/// Returns the cases whose names contain a text, in any letter case; all of them
/// where there is none.
pub fn selected(only: Option<&str>) -> impl Iterator<Item = &'static Case> {
    let only = only.map(str::to_lowercase);
    let all = CASES.iter().flat_map(|group| group.iter());
    all.filter(move |case| {
        let name = case.name.to_lowercase();
        only.as_deref().is_none_or(|only| name.contains(only))
    })
}

/// Runs cases one after the other, and tells each finding as soon as it is
/// there.
pub async fn run(
    cases: impl IntoIterator<Item = &'static Case>,
    trial: &Trial,
    known_faults: &KnownFaults,
    mut told: impl FnMut(&Finding),
) -> Report {
    let mut report = Report::default();
    for case in cases {
        let started = Instant::now();
        let ended = (case.run)(trial).await;
        let finding = Finding {
            case: case.name,
            verdict: Verdict::of(ended, known_faults.of(case.name)),
            took: started.elapsed(),
        };
        told(&finding);
        report.findings.push(finding);
    }
    report
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_of_cases_are_their_own() {
        let names: BTreeSet<_> = selected(None).map(|case| case.name).collect();
        assert_eq!(names.len(), selected(None).count());
    }

    #[test]
    fn cases_are_selected_by_a_part_of_their_names() {
        let names: Vec<_> = selected(Some("get_connection"))
            .map(|case| case.name)
            .collect();
        assert_eq!(names, ["GET_CONNECTION_ID is answered as whoami is"]);
        assert_eq!(selected(Some("no such case")).count(), 0);
    }
}
