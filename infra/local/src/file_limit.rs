//! The limit of open files: every socket is one.

use anyhow::{Context as _, bail};
use rlimit::Resource;

/// Open files beside the subscribers' sockets: the workers' connections to the
/// gateway, the tables and the queues, listeners, pipes.
const OVERHEAD: u64 = 2_000;

/// Raises the limit as far as it goes, and returns how many sockets can be
/// open.
///
/// # Errors
/// Fewer than were `asked` for.
pub(crate) fn raise(asked: Option<u64>) -> anyhow::Result<u64> {
    let limit = rlimit::increase_nofile_limit(u64::MAX).context("cannot read the file limit")?;
    let (_, hard) = Resource::NOFILE
        .get()
        .context("cannot read the file limit")?;
    let sockets = limit.saturating_sub(OVERHEAD);
    if let Some(asked) = asked
        && asked > sockets
    {
        bail!(
            "--max-sockets {asked} takes {} open files, and this process may open {limit} \
             (hard limit {hard}): ask for at most {sockets}, or raise the limit with ulimit -n",
            asked.saturating_add(OVERHEAD),
        );
    }
    Ok(sockets)
}
