//! Why nobody answered.

use std::error::Error;
use std::io;
use std::iter::successors;

use super::check::Finding;
use crate::causes::with_causes;

/// Explains an error of a connection.
#[must_use]
pub fn explain(error: &(dyn Error + 'static)) -> Finding {
    Finding::fail(with_causes(error), advice(error))
}

fn advice(error: &(dyn Error + 'static)) -> &'static str {
    let kind = successors(Some(error), |&error| error.source())
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .map(io::Error::kind)
        .last();
    let said = with_causes(error).to_lowercase();
    if said.contains("dns") || said.contains("lookup") {
        return "the host's name is not known: is it spelt right, and is this machine online?";
    }
    if said.contains("certificate") {
        return "the certificate is not trusted: the name must be the certificate's; is there a \
                proxy in between?";
    }
    match kind {
        Some(io::ErrorKind::ConnectionRefused) => {
            "nobody listens there: is the port right, does the stack run?"
        }
        Some(io::ErrorKind::TimedOut) => {
            "no answer in time: does a firewall, a VPC or a proxy stand in between?"
        }
        Some(io::ErrorKind::InvalidData) => {
            "what answers does not speak TLS as expected: are scheme and port right?"
        }
        _ if said.contains("no answer") || said.contains("did not come") => {
            "no answer in time: does a firewall, a VPC or a proxy stand in between?"
        }
        _ => "the connection broke: what listens there, is it API Gateway?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot connect")]
    struct Failure(#[source] io::Error);

    #[track_caller]
    fn check(cause: io::Error, expected: &str) {
        let advice = advice(&Failure(cause));
        assert!(advice.contains(expected), "{advice}");
    }

    #[test]
    fn each_kind_of_silence_has_its_reason() {
        check(io::ErrorKind::ConnectionRefused.into(), "nobody listens");
        check(
            io::Error::other("failed to lookup address information"),
            "spelt",
        );
        check(
            io::Error::other("invalid peer certificate: UnknownIssuer"),
            "not trusted",
        );
        check(io::ErrorKind::TimedOut.into(), "firewall");
        check(
            io::Error::new(io::ErrorKind::InvalidData, "corrupt message"),
            "TLS",
        );
        check(io::ErrorKind::ConnectionReset.into(), "broke");
    }
}
