//! What a case is, and how it may end.

use futures::future::BoxFuture;

use super::expectation::Unexpected;
use super::trial::Trial;
use crate::api::ApiError;
use crate::socket::SocketError;

/// A thing that a deployment promises, and how it is checked.
#[derive(Clone, Copy)]
pub struct Case {
    /// The promise: a sentence.
    pub name: &'static str,
    /// The check.
    pub run: for<'a> fn(&'a Trial) -> BoxFuture<'a, Ended>,
}

/// How a case that has not failed ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// The promise was kept.
    Kept,
    /// The promise is not made here, and this is why.
    NotMade(&'static str),
}

/// How a case ended.
pub type Ended = Result<Held, Failure>;

/// Why a case failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A socket did not do what was expected.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The API did not answer as expected.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Something else came than what was expected.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

/// Makes the cases of a table of names and checks.
macro_rules! cases {
    ($($name:literal => $check:path,)+) => {
        &[$($crate::suite::case::Case {
            name: $name,
            run: |trial| ::std::boxed::Box::pin($check(trial)),
        }),+]
    };
}
pub(super) use cases;
