//! Why nothing could be measured.

use http::Uri;

use crate::{
    address::without_secrets, connect::ConnectError, limits::LimitError, publisher::PublishError,
};

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// More subscribers than this machine holds.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Nobody answers at a URL, or not like this.
    #[error("cannot connect to {url}")]
    Reach {
        /// The URL of the subscribers or of the publishes.
        url: String,
        /// Why not.
        #[source]
        source: ConnectError,
    },
    /// No publish will be accepted.
    #[error("cannot publish to {url}")]
    Publish {
        /// The URL of the publishes.
        url: String,
        /// Why not.
        #[source]
        source: PublishError,
    },
    /// The local stack does not say what its simulated subscribers took.
    #[error("cannot ask {url} for simulated subscribers")]
    Simulated {
        /// Where it was asked.
        url: String,
        /// Why not.
        #[source]
        source: PublishError,
    },
    /// The publishing process is on another machine.
    #[error(
        "the notifications come from a process on another machine, whose clock says nothing \
         here: listen on the machine that publishes"
    )]
    ForeignClock,
}

/// Says where a connection failed.
pub(super) fn is_here(url: &Uri) -> impl Fn(ConnectError) -> RunError {
    let url = without_secrets(url);
    move |source| RunError::Reach {
        url: url.clone(),
        source,
    }
}
