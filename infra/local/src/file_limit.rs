//! The limit of open files: every socket is one.

use anyhow::{Context as _, bail};
use rlimit::Resource;

/// Open files beside the subscribers' sockets: the workers' connections to the
/// gateway, the tables and the queues, listeners, pipes. A small limit is
/// shared evenly.
const MAX_OVERHEAD: u64 = 2_000;

/// Raises the limit as far as it goes, and returns how many sockets may be
/// open: as many as were `asked` for, or else as many as fit.
///
/// # Errors
/// More were `asked` for than fit.
pub(crate) fn raise(asked: Option<u64>) -> anyhow::Result<usize> {
    let limit = rlimit::increase_nofile_limit(u64::MAX).context("cannot read the file limit")?;
    let (_, hard) = Resource::NOFILE
        .get()
        .context("cannot read the file limit")?;
    let overhead = overhead(limit);
    let fitting = limit - overhead;
    let sockets = asked.unwrap_or(fitting);
    if sockets > fitting {
        bail!(
            "--max-sockets {sockets} takes {} open files, and this process may open {limit} \
             (hard limit {hard}): ask for at most {fitting}, or raise the limit with ulimit -n",
            sockets.saturating_add(overhead),
        );
    }
    Ok(usize::try_from(sockets).unwrap_or(usize::MAX))
}

fn overhead(limit: u64) -> u64 {
    MAX_OVERHEAD.min(limit / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_limit_leaves_half_of_it_to_everything_else() {
        let cases = [(1_024, 512), (4_000, 2_000), (20_000, 2_000)];
        for (limit, expected) in cases {
            assert_eq!(overhead(limit), expected);
        }
    }
}
