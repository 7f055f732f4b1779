//! Ctrl-C.

use anyhow::bail;
use tokio::signal::unix::{SignalKind, signal};
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

/// Cancels at the first SIGINT or SIGTERM and returns at the second.
async fn interrupted_twice(interrupt: &CancellationToken) {
    let signals = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    );
    let (Ok(mut int), Ok(mut term)) = signals else {
        return std::future::pending().await;
    };
    for _ in 0..2 {
        tokio::select! {
            _ = int.recv() => {}
            _ = term.recv() => {}
        }
        if interrupt.is_cancelled() {
            return;
        }
        interrupt.cancel();
    }
}
