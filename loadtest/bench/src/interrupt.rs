//! Ctrl-C.

use anyhow::bail;
use fanout_loadtest::interrupt::interrupted_twice;
use tokio_util::sync::CancellationToken;

/// Does `work`, which is told of the first SIGINT or SIGTERM by its token, and is
/// dropped at the second.
///
/// # Errors
/// What the work fails with, or the second signal.
pub(crate) async fn until_twice<T>(
    work: impl AsyncFnOnce(CancellationToken) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let interrupt = CancellationToken::new();
    tokio::select! {
        worked = work(interrupt.clone()) => worked,
        () = interrupted_twice(&interrupt) => bail!("interrupted before everything had ended"),
    }
}
