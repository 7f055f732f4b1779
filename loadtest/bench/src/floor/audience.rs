//! Who a broadcast is to, and how fast that can be.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use serde::Serialize;

use super::Quota;
use crate::figures::thousands;

/// The subscribers of a broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Audience {
    /// Those with a socket.
    pub(crate) sockets: u32,
    /// Those without.
    pub(crate) simulated: u32,
}

impl Audience {
    /// All of them.
    pub(crate) fn subscribers(self) -> u64 {
        u64::from(self.sockets) + u64::from(self.simulated)
    }

    /// How long the quota makes their broadcast: a full bucket is spent at once,
    /// and the rest at its rate.
    pub(crate) fn floor(self, quota: Quota) -> Duration {
        let burst = u64::from(quota.burst.get());
        let at_the_rate = self.subscribers().saturating_sub(burst);
        Duration::from_nanos(at_the_rate * 1_000_000_000 / u64::from(quota.rate.get()))
    }
}

impl Display for Audience {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", thousands(self.subscribers()))?;
        match self.sockets {
            0 => write!(f, ", simulated"),
            sockets => write!(f, ", {} of them sockets", thousands(sockets.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    const QUOTA: Quota = Quota {
        rate: NonZeroU32::new(10_000).unwrap(),
        burst: NonZeroU32::new(5_000).unwrap(),
    };

    #[track_caller]
    fn check(sockets: u32, simulated: u32, floor_millis: u64, name: &str) {
        let audience = Audience { sockets, simulated };
        assert_eq!(audience.floor(QUOTA), Duration::from_millis(floor_millis));
        assert_eq!(audience.to_string(), name);
    }

    #[test]
    fn the_floor_is_what_the_burst_leaves_at_the_rate() {
        check(18_000, 2_000, 1_500, "20,000, 18,000 of them sockets");
        check(0, 1_000_000, 99_500, "1,000,000, simulated");
        check(0, 5_000, 0, "5,000, simulated");
        check(0, 10, 0, "10, simulated");
    }
}
