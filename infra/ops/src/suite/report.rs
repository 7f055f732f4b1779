//! What came of the cases.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::case::{Ended, Held};
use super::known_faults::KnownFault;
use crate::causes::with_causes;

/// What came of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The case's name.
    pub case: &'static str,
    /// What came of it.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
}

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The promise was kept.
    Passed,
    /// The promise is not made here.
    Skipped {
        /// Why not.
        why: &'static str,
    },
    /// The promise was not kept.
    Failed {
        /// What happened in its place.
        why: String,
    },
    /// It failed, in the way that was known.
    KnownFault {
        /// What the endpoint gets wrong.
        fault: String,
        /// What happened this time.
        why: String,
    },
    /// It was known to fail, and did not.
    NoLongerFails {
        /// What the endpoint is said to get wrong.
        fault: String,
    },
}

impl Verdict {
    /// Judges how a case ended.
    #[must_use]
    pub fn of(ended: Ended, known: Option<&KnownFault>) -> Self {
        match (ended, known) {
            (Ok(Held::NotMade(why)), _) => Self::Skipped { why },
            (Ok(Held::Kept), None) => Self::Passed,
            (Ok(Held::Kept), Some(known)) => Self::NoLongerFails {
                fault: known.fault.clone(),
            },
            (Err(failure), known) => {
                let why = with_causes(&failure);
                match known.filter(|known| known.explains(&why)) {
                    None => Self::Failed { why },
                    Some(known) => Self::KnownFault {
                        fault: known.fault.clone(),
                        why,
                    },
                }
            }
        }
    }

    /// Its name in the JSON report.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Skipped { .. } => "skipped",
            Self::Failed { .. } => "failed",
            Self::KnownFault { .. } => "known_fault",
            Self::NoLongerFails { .. } => "no_longer_fails",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (case, seconds) = (self.case, self.took.as_secs_f64());
        match &self.verdict {
            Verdict::Passed => write!(f, "ok       {case} ({seconds:.1} s)"),
            Verdict::Skipped { why } => write!(f, "skipped  {case}: {why}"),
            Verdict::Failed { why } => {
                write!(f, "FAIL     {case} ({seconds:.1} s)\n         {why}")
            }
            Verdict::KnownFault { fault, why } => {
                write!(f, "known    {case}: {fault}\n         {why}")
            }
            Verdict::NoLongerFails { fault } => write!(
                f,
                "FAIL     {case}\n         no longer fails: remove it from the known faults \
                 ({fault})"
            ),
        }
    }
}

/// What came of all cases that ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order in which they ran.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether every promise was kept, but for what is known.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.failed() == 0
    }

    fn failed(&self) -> usize {
        self.count(|verdict| {
            matches!(
                verdict,
                Verdict::Failed { .. } | Verdict::NoLongerFails { .. }
            )
        })
    }

    fn passed(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Passed))
    }

    fn known_faults(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::KnownFault { .. }))
    }

    fn skipped(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Skipped { .. }))
    }

    fn count(&self, is: impl Fn(&Verdict) -> bool) -> usize {
        let verdicts = self.findings.iter().map(|finding| &finding.verdict);
        verdicts.filter(|verdict| is(verdict)).count()
    }

    /// The report for programs: `cases`, each with `case`, `outcome` (`passed`,
    /// `skipped`, `failed`, `known_fault`, `no_longer_fails`), `seconds` and,
    /// where there is something to say, `why` and `fault`; and the counts.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let cases: Vec<_> = self.findings.iter().map(finding_to_json).collect();
        json!({
            "cases": cases,
            "passed": self.passed(),
            "failed": self.failed(),
            "knownFaults": self.known_faults(),
            "skipped": self.skipped(),
        })
    }
}

fn finding_to_json(finding: &Finding) -> Value {
    let Finding {
        case,
        verdict,
        took,
    } = finding;
    let (why, fault) = match verdict {
        Verdict::Passed => (None, None),
        Verdict::Skipped { why } => (Some(*why), None),
        Verdict::Failed { why } => (Some(why.as_str()), None),
        Verdict::KnownFault { fault, why } => (Some(why.as_str()), Some(fault)),
        Verdict::NoLongerFails { fault } => (None, Some(fault)),
    };
    let mut document = json!({
        "case": case,
        "outcome": verdict.name(),
        "seconds": took.as_secs_f64(),
    });
    if let Some(members) = document.as_object_mut() {
        members.extend(why.map(|why| ("why".to_owned(), why.into())));
        members.extend(fault.map(|fault| ("fault".to_owned(), fault.as_str().into())));
    }
    document
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "suite: {} passed, {} failed, {} known faults",
            self.passed(),
            self.failed(),
            self.known_faults()
        )?;
        match self.skipped() {
            0 => Ok(()),
            skipped => write!(f, ", {skipped} skipped"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::SocketError;

    fn known() -> KnownFault {
        KnownFault {
            case: "it works".to_owned(),
            fault: "it never works".to_owned(),
            evidence: "seen".to_owned(),
            says: Some("closed with code 1006".to_owned()),
        }
    }

    fn failed() -> Ended {
        Err(SocketError::Closed { code: 1006 }.into())
    }

    #[track_caller]
    fn check(ended: Ended, is_known: bool, name: &str, line: &str) {
        let known = known();
        let verdict = Verdict::of(ended, is_known.then_some(&known));
        assert_eq!(verdict.name(), name);
        let finding = Finding {
            case: "it works",
            verdict,
            took: Duration::from_millis(250),
        };
        assert_eq!(finding.to_string(), line);
    }

    #[test]
    fn a_case_is_judged_by_how_it_ended_and_by_what_is_known() {
        check(Ok(Held::Kept), false, "passed", "ok       it works (0.2 s)");
        check(
            Ok(Held::NotMade("off")),
            true,
            "skipped",
            "skipped  it works: off",
        );
        check(
            failed(),
            false,
            "failed",
            "FAIL     it works (0.2 s)\n         the socket was closed with code 1006",
        );
        check(
            failed(),
            true,
            "known_fault",
            "known    it works: it never works\n         the socket was closed with code 1006",
        );
        check(
            Ok(Held::Kept),
            true,
            "no_longer_fails",
            "FAIL     it works\n         no longer fails: remove it from the known faults \
             (it never works)",
        );
    }

    #[test]
    fn another_failure_than_the_known_one_is_a_failure() {
        let other = Err(SocketError::Closed { code: 1011 }.into());
        let verdict = Verdict::of(other, Some(&known()));
        let why = "the socket was closed with code 1011".to_owned();
        assert_eq!(verdict, Verdict::Failed { why });
    }

    #[test]
    fn what_was_known_is_counted_apart() {
        let known = known();
        let finding = |ended, known| Finding {
            case: "it works",
            verdict: Verdict::of(ended, known),
            took: Duration::ZERO,
        };
        let mut report = Report {
            findings: vec![
                finding(Ok(Held::Kept), None),
                finding(failed(), Some(&known)),
                finding(Ok(Held::NotMade("off")), None),
            ],
        };
        assert!(report.is_good());
        assert_eq!(
            report.to_string(),
            "suite: 1 passed, 0 failed, 1 known faults, 1 skipped"
        );
        report.findings.push(finding(Ok(Held::Kept), Some(&known)));
        assert!(!report.is_good());
        let json = report.to_json();
        assert_eq!(json["failed"], 1);
        assert_eq!(json["cases"][1]["fault"], "it never works");
    }
}
