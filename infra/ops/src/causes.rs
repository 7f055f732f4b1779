//! Errors in one line.

use std::error::Error;
use std::iter::successors;

/// Writes an error and what caused it: `cannot connect to h:1: Connection
/// refused`. A cause that only repeats what was said before it is left out.
#[must_use]
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut said = error.to_string();
    for cause in successors(error.source(), |&cause| cause.source()) {
        let cause = cause.to_string();
        if !said.ends_with(&cause) {
            said.push_str(": ");
            said.push_str(&cause);
        }
    }
    said
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
