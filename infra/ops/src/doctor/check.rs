//! What was found, and what is to be done about it.

use std::fmt;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub subject: &'static str,
    /// What was found.
    pub finding: Finding,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is as it should be.
    Ok(String),
    /// It works, but may not for long, or not as well as it should.
    Warn {
        /// What is wrong.
        what: String,
        /// How to mend it.
        advice: String,
    },
    /// It is wrong.
    Fail {
        /// What is wrong.
        what: String,
        /// How to mend it.
        advice: String,
    },
    /// It was not looked at, and this is why.
    Skipped(String),
}

impl Check {
    /// Notes what was found.
    #[must_use]
    pub const fn new(subject: &'static str, finding: Finding) -> Self {
        Self { subject, finding }
    }
}

impl Finding {
    /// It is wrong.
    pub fn fail(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Fail {
            what: what.into(),
            advice: advice.into(),
        }
    }

    /// It works, but.
    pub fn warn(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Warn {
            what: what.into(),
            advice: advice.into(),
        }
    }

    /// It was not looked at.
    pub fn skipped(why: impl Into<String>) -> Self {
        Self::Skipped(why.into())
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = self.subject;
        match &self.finding {
            Finding::Ok(what) => write!(f, "ok       {subject}: {what}"),
            Finding::Skipped(why) => write!(f, "skipped  {subject} ({why})"),
            Finding::Warn { what, advice } => {
                write!(f, "WARN     {subject}: {what}\n         → {advice}")
            }
            Finding::Fail { what, advice } => {
                write!(f, "FAIL     {subject}: {what}\n         → {advice}")
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Checks a finding by a word such as `ok` or `FAIL`, and by a part of what
    /// it says.
    #[track_caller]
    pub(in crate::doctor) fn check_finding(finding: Finding, word: &str, says: &str) {
        let line = Check::new("it", finding).to_string();
        assert!(line.starts_with(word) && line.contains(says), "{line}");
    }

    #[test]
    fn what_is_wrong_is_told_with_what_to_do_about_it() {
        check_finding(Finding::Ok("fine".to_owned()), "ok ", "it: fine");
        check_finding(Finding::skipped("not given"), "skipped ", "it (not given)");
        check_finding(
            Finding::warn("slow", "wait"),
            "WARN ",
            "it: slow\n         → wait",
        );
        check_finding(
            Finding::fail("down", "start"),
            "FAIL ",
            "it: down\n         → start",
        );
    }
}
