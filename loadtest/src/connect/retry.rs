//! Whether and when a failed connect is tried again.

use std::time::Duration;

use super::ConnectError;

/// How often a refused connect is tried altogether.
pub const MAX_ATTEMPTS: u32 = 8;

const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// What to do about a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Try again after this long.
    RetryAfter(Duration),
    /// The same attempt would fail again, or has failed often enough.
    GiveUp,
}

/// Decides about attempt number `attempt` (from 1) that ended in `error`: waits
/// twice as long every time, with between half and all of it picked by
/// `jitter` (0 to 1).
#[must_use]
pub fn decide(attempt: u32, error: &ConnectError, jitter: f64) -> Decision {
    if attempt >= MAX_ATTEMPTS || !error.is_transient() {
        return Decision::GiveUp;
    }
    let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
    let longest = FIRST_BACKOFF.saturating_mul(doubled).min(LONGEST_BACKOFF);
    Decision::RetryAfter(longest.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0))
}

#[cfg(test)]
mod tests {
    use std::io;

    use http::StatusCode;
    use tokio_tungstenite::tungstenite::{Error as WsError, error::ProtocolError};

    use super::*;

    #[track_caller]
    fn check(attempt: u32, error: impl Into<ConnectError>, jitter: f64, backoff_ms: Option<u64>) {
        let expected = backoff_ms.map_or(Decision::GiveUp, |ms| {
            Decision::RetryAfter(Duration::from_millis(ms))
        });
        assert_eq!(decide(attempt, &error.into(), jitter), expected);
    }

    fn refused(status: u16) -> ConnectError {
        ConnectError::Refused(StatusCode::from_u16(status).unwrap())
    }

    #[test]
    fn throttles_failing_servers_and_lost_connections_are_tried_again() {
        check(1, refused(429), 1.0, Some(100));
        check(1, refused(502), 1.0, Some(100));
        check(
            1,
            io::Error::from(io::ErrorKind::ConnectionReset),
            1.0,
            Some(100),
        );
        check(
            1,
            WsError::Protocol(ProtocolError::HandshakeIncomplete),
            1.0,
            Some(100),
        );
        check(1, ConnectError::TimedOut, 1.0, Some(100));
    }

    #[test]
    fn what_would_fail_again_is_given_up() {
        check(1, refused(403), 1.0, None);
        check(1, refused(404), 1.0, None);
        check(
            1,
            io::Error::from(io::ErrorKind::ConnectionRefused),
            1.0,
            None,
        );
        check(
            1,
            io::Error::from(io::ErrorKind::AddrNotAvailable),
            1.0,
            None,
        );
        check(
            1,
            WsError::Protocol(ProtocolError::WrongHttpVersion),
            1.0,
            None,
        );
    }

    #[test]
    fn backoff_doubles_up_to_a_bound_and_ends() {
        check(1, refused(429), 0.0, Some(50));
        check(3, refused(429), 1.0, Some(400));
        check(7, refused(429), 1.0, Some(5_000));
        check(8, refused(429), 1.0, None);
    }
}
