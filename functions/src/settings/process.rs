//! Settings of every function's process, whatever it does.

use std::net::SocketAddr;

use fanout_core::settings::Reader;
use tracing::Level;
use tracing_subscriber::filter::Targets;

/// What every function reads beside its own settings.
#[derive(Debug)]
pub struct Process {
    /// `LOG_LEVEL`: which lines are logged, by level and target.
    pub log_filter: Targets,
    /// `METRICS_NAMESPACE`: under which namespace of CloudWatch metrics are
    /// published; without one there are none.
    pub metrics_namespace: Option<String>,
    /// `AWS_XRAY_DAEMON_ADDRESS`, as Lambda sets it: where segments of traces
    /// are sent. Without one, or with one that is not understood, none are.
    pub xray_daemon: Option<SocketAddr>,
}

impl Process {
    /// Reads the settings.
    pub fn read(read: &mut Reader) -> Self {
        Self {
            log_filter: log_filter(read),
            metrics_namespace: read.metrics_namespace("METRICS_NAMESPACE"),
            xray_daemon: read
                .optional_text("AWS_XRAY_DAEMON_ADDRESS")
                .and_then(|address| address.parse().ok()),
        }
    }
}

/// Why a filter of what is logged is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a filter such as info or fanout_core=debug,warn")]
pub struct NotAFilter;

/// Reads a filter: levels, or targets with a level, between commas.
///
/// # Errors
/// A piece is empty, has spaces, or is no level and no target with one.
pub fn parse_filter(text: &str) -> Result<Targets, NotAFilter> {
    // The parser takes an empty piece for errors alone, and spaces for a part of
    // a target's name, which nothing is logged by.
    let is_odd = |piece: &str| piece.is_empty() || piece.contains(char::is_whitespace);
    if text.split(',').any(is_odd) {
        return Err(NotAFilter);
    }
    text.parse().map_err(|_| NotAFilter)
}

fn log_filter(read: &mut Reader) -> Targets {
    let text = read.optional_text("LOG_LEVEL");
    let filter = parse_filter(text.as_deref().unwrap_or("info"));
    filter.unwrap_or_else(|error| {
        read.require(false, || format!("LOG_LEVEL: {error}"));
        Targets::new().with_default(Level::INFO)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(name: &str, value: &str) -> Result<Process, String> {
        let environment = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let mut read = Reader::new(environment);
        let settings = Process::read(&mut read);
        read.finish(settings).map_err(|problem| problem.to_string())
    }

    #[test]
    fn metrics_are_off_until_they_have_a_namespace() {
        assert_eq!(read("OTHER", "a").unwrap().metrics_namespace, None);
        let namespace = read("METRICS_NAMESPACE", "Fanout/prod").unwrap();
        assert_eq!(namespace.metrics_namespace.as_deref(), Some("Fanout/prod"));
        for wrong in ["AWS/Lambda", "a b", "a\n", &"a".repeat(256)] {
            let problem = read("METRICS_NAMESPACE", wrong).unwrap_err();
            assert!(problem.contains("METRICS_NAMESPACE: expected"), "{problem}");
        }
    }

    #[test]
    fn a_filter_that_is_none_is_told() {
        assert!(read("LOG_LEVEL", "fanout_core=debug,warn").is_ok());
        for wrong in [
            "fanout_core=loud",
            "info,",
            "warn, fanout_core=debug",
            "fanout_core =debug",
        ] {
            let problem = read("LOG_LEVEL", wrong).unwrap_err();
            assert!(
                problem.contains("LOG_LEVEL: expected a filter"),
                "{problem}"
            );
        }
    }
}
