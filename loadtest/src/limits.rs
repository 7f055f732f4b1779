//! How many sockets this machine lets one process open.

use std::fs;

/// Publishes that may wait for their answer at once, each on a connection of
/// its own (HTTP/1.1).
pub const MAX_UNANSWERED_PUBLISHES: usize = 512;

/// Open files besides sockets to the system under test: the runtime's, the
/// terminal's, those of name look-ups.
const SPARE_FILES: u64 = 64;

/// Raises the soft limit on open files as far as needed and checks that so
/// many subscribers can be held, connecting from so many addresses (one, where
/// none is given).
///
/// # Errors
/// [`LimitError`] names the limit that is too low.
pub fn make_room(subscribers: u32, source_addresses: usize) -> Result<(), LimitError> {
    let wanted = files_wanted(subscribers);
    let files = rlimit::increase_nofile_limit(wanted).map_err(LimitError::Unknown)?;
    let addresses = u32::try_from(source_addresses).unwrap_or(u32::MAX).max(1);
    let ports = local_ports().map(|ports| ports.saturating_mul(addresses));
    check(subscribers, files, ports)
}

fn check(subscribers: u32, files: u64, ports: Option<u32>) -> Result<(), LimitError> {
    let wanted = files_wanted(subscribers);
    if files < wanted {
        return Err(LimitError::OpenFiles {
            subscribers,
            wanted,
            limit: files,
            fits: files.saturating_sub(files_wanted(0)),
        });
    }
    match ports {
        Some(ports) if subscribers > ports => Err(LimitError::LocalPorts { subscribers, ports }),
        _ => Ok(()),
    }
}

fn files_wanted(subscribers: u32) -> u64 {
    let publishes = u64::try_from(MAX_UNANSWERED_PUBLISHES).unwrap_or(u64::MAX);
    u64::from(subscribers)
        .saturating_add(publishes)
        .saturating_add(SPARE_FILES)
}

/// The size of Linux's range of local ports (`ip(7)`): each connection to one
/// address and port takes one of them. `None` where there is no such file.
fn local_ports() -> Option<u32> {
    parse_port_range(&fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?)
}

fn parse_port_range(range: &str) -> Option<u32> {
    let mut ports = range.split_whitespace().map(str::parse::<u32>);
    let (Some(Ok(first)), Some(Ok(last))) = (ports.next(), ports.next()) else {
        return None;
    };
    last.checked_sub(first).map(|between| between + 1)
}

/// More subscribers than this machine lets one process open.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    /// The hard limit on open files.
    #[error(
        "{subscribers} subscribers need {wanted} open files, but the hard limit is {limit} \
         (ulimit -Hn): raise it, or use -c {fits} at most"
    )]
    OpenFiles {
        /// The subscribers asked for.
        subscribers: u32,
        /// The open files that they need.
        wanted: u64,
        /// The hard limit.
        limit: u64,
        /// The subscribers that fit.
        fits: u64,
    },
    /// The range of local ports.
    #[error(
        "{subscribers} subscribers need as many local ports, but the source addresses have {ports} \
         (net.ipv4.ip_local_port_range): add a --source-ip, widen the range, or use -c {ports} at \
         most"
    )]
    LocalPorts {
        /// The subscribers asked for.
        subscribers: u32,
        /// The ports there are.
        ports: u32,
    },
    /// The limit on open files cannot be read or raised.
    #[error("cannot raise the limit on open files")]
    Unknown(#[source] std::io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_message(subscribers: u32, files: u64, ports: Option<u32>, expected: &str) {
        let error = check(subscribers, files, ports).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn subscribers_within_every_limit_fit() {
        assert!(check(1_000, 1_576, Some(1_000)).is_ok());
        assert!(check(1_000, 1_576, None).is_ok());
    }

    #[test]
    fn the_limit_that_is_too_low_is_named() {
        check_message(
            30_000,
            20_000,
            Some(28_232),
            "30000 subscribers need 30576 open files, but the hard limit is 20000 (ulimit -Hn): \
             raise it, or use -c 19424 at most",
        );
        check_message(
            30_000,
            100_000,
            Some(28_232),
            "30000 subscribers need as many local ports, but the source addresses have 28232 \
             (net.ipv4.ip_local_port_range): add a --source-ip, widen the range, or use -c 28232 \
             at most",
        );
    }

    #[test]
    fn the_range_of_ports_is_inclusive() {
        assert_eq!(parse_port_range("32768\t60999\n"), Some(28_232));
        assert_eq!(parse_port_range("60999 32768"), None);
        assert_eq!(parse_port_range("many"), None);
    }
}
