//! Whether this machine's clock is right enough for signatures.

use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};

use super::check::Finding;

/// AWS refuses what was signed more than five minutes ago
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html>).
const MAX_SKEW: SignedDuration = SignedDuration::from_mins(5);
/// What deserves a look.
const LARGE_SKEW: SignedDuration = SignedDuration::from_secs(30);

/// Judges this machine's time by the `Date` of an answer.
#[must_use]
pub fn judge(date: &str, now: Timestamp) -> Finding {
    // The parser knows no "GMT", which HTTP writes for what it calls +0000.
    let date = date.replace("GMT", "+0000");
    let Ok(theirs) = rfc2822::parse(&date) else {
        return Finding::skipped("the answer has no date");
    };
    let ahead = now.duration_since(theirs.timestamp());
    let seconds = ahead.as_secs().unsigned_abs();
    let side = if ahead.is_negative() {
        "behind"
    } else {
        "ahead"
    };
    let said = format!("this machine's clock is {seconds} s {side}");
    match ahead.abs() {
        skew if skew > MAX_SKEW => Finding::fail(said, "set it by NTP: signatures are refused"),
        skew if skew > LARGE_SKEW => Finding::warn(said, "set it by NTP"),
        _ => Finding::Ok(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::tests::check_finding;

    #[track_caller]
    fn check(ahead: i64, word: &str, says: &str) {
        let date = "Sat, 21 Nov 2026 08:19:30 GMT";
        let then: Timestamp = "2026-11-21T08:19:30Z".parse().unwrap();
        let now = then + SignedDuration::from_secs(ahead);
        check_finding(judge(date, now), word, says);
    }

    #[test]
    fn a_clock_may_be_a_little_wrong() {
        check(0, "ok", "0 s ahead");
        check(-20, "ok", "20 s behind");
        check(31, "WARN", "31 s ahead");
        check(-400, "FAIL", "400 s behind");
        check_finding(judge("", Timestamp::UNIX_EPOCH), "skipped", "no date");
    }
}
