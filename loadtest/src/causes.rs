//! Errors in one line.

use std::{error::Error, iter::successors};

/// Writes an error and what caused it: `cannot connect to ws://h/p: Connection
/// refused`. A cause that only repeats what was said before it is left out.
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in successors(Some(error), |&error| error.source()) {
        let cause = cause.to_string();
        if parts.last().is_none_or(|last| *last != cause) {
            parts.push(cause);
        }
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{said}")]
    struct Failure {
        said: &'static str,
        source: Option<Box<Failure>>,
    }

    fn because(said: &'static str, source: Option<Failure>) -> Failure {
        Failure {
            said,
            source: source.map(Box::new),
        }
    }

    #[test]
    fn causes_follow_and_are_not_repeated() {
        let root = because("refused", None);
        let error = because("cannot connect", Some(because("refused", Some(root))));
        assert_eq!(with_causes(&error), "cannot connect: refused");
    }
}
