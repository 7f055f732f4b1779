//! What the workers say of the tasks that they have ended.

use std::ops::AddAssign;

use serde::Serialize;

/// What a local stack must log for this: each task that ended, as the worker
/// says it and as the stack passes it on.
pub(crate) const LOG: &str = "error,fanout_core::worker=info,lambda=info";

/// How much pushing took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Effort {
    /// Tasks that ended.
    pub(crate) tasks: u64,
    /// Attempts to push: requests to `@connections`.
    pub(crate) pushes: u64,
    /// Those that were throttled.
    pub(crate) throttled: u64,
    /// Those that failed and may have arrived.
    pub(crate) transient: u64,
}

impl Effort {
    /// What the `log` of a stack tells of one notification.
    pub(crate) fn in_log(log: &str, notification_id: &str) -> Self {
        let mut sum = Self::default();
        let lines = log
            .lines()
            .filter(|line| line.contains("task ended") && line.contains(notification_id));
        for line in lines {
            let count = |name: &str| field(line, name).unwrap_or_default();
            sum += Self {
                tasks: 1,
                pushes: count("pushes"),
                throttled: count("throttled"),
                transient: count("transient"),
            };
        }
        sum
    }
}

impl AddAssign for Effort {
    fn add_assign(&mut self, other: Self) {
        self.tasks += other.tasks;
        self.pushes += other.pushes;
        self.throttled += other.throttled;
        self.transient += other.transient;
    }
}

/// The number in `name=NUMBER`.
fn field(line: &str, name: &str) -> Option<u64> {
    let mut words = line.split_ascii_whitespace();
    words.find_map(|word| {
        let value = word.strip_prefix(name)?.strip_prefix('=')?;
        value.trim_matches('"').parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
        2026-11-21T15:45:00Z INFO lambda: fanout_core::worker: task ended notification_id=\"a\" part=all handled=Cut(8) pushes=0 throttled=0 transient=0 function=\"worker\"\n\
        2026-11-21T15:45:01Z INFO lambda: fanout_core::worker: task ended notification_id=\"b\" part=all handled=Done pushes=9 throttled=9 transient=9 function=\"worker\"\n\
        2026-11-21T15:45:02Z INFO lambda: fanout_core::worker: task ended notification_id=\"a\" part=s0 handled=Done pushes=120 throttled=20 transient=1 function=\"slice-worker\"\n\
        2026-11-21T15:45:02Z INFO lambda: fanout_core::worker: task begun notification_id=\"a\" pushes=7\n";

    #[test]
    fn the_tasks_of_one_notification_are_added_up() {
        let effort = Effort {
            tasks: 2,
            pushes: 120,
            throttled: 20,
            transient: 1,
        };
        assert_eq!(Effort::in_log(LOG, "\"a\""), effort);
        assert_eq!(Effort::in_log(LOG, "\"c\""), Effort::default());
    }
}
