//! Options that do not go together, or name what cannot be read.

use std::path::PathBuf;

use crate::{body::NoPadding, simulated::MAX_NOTIFICATIONS};

/// What is wrong with the options.
#[derive(Debug, thiserror::Error)]
pub enum ArgsError {
    /// The body has no place for the topic.
    #[error(
        "--topics needs a body that names its topic: publish to /notifications, or give a --body \
         with {{topic}}"
    )]
    TopicNotInBody,
    /// Frames are told by what the body does not carry.
    #[error("--by-mark needs a body that carries the {{mark}}")]
    MarkNotInBody,
    /// The gateway forgets the first.
    #[error(
        "--simulated measures at most {MAX_NOTIFICATIONS} notifications: use -n, or a shorter -z"
    )]
    TooManyToSimulate,
    /// There is no place for padding.
    #[error(
        "cannot pad to --payload-bytes: publish to /notifications, or give a --body with {{padding}}"
    )]
    Padding(#[from] NoPadding),
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}
