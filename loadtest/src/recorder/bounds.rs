//! How much is remembered.

/// How much the recorder remembers; the bounds of its memory.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Notifications that still miss somebody; each takes two bits for every
    /// subscriber. Beyond it the oldest is given up: it keeps what it misses.
    pub in_flight: usize,
    /// Finished notifications of which is known who received them; each takes
    /// a bit for every subscriber.
    pub recent: usize,
    /// Ids of finished notifications, by which a late duplicate is known.
    pub finished: usize,
    /// Frames whose id no publish answer has named yet.
    pub parked: usize,
}

impl Default for Bounds {
    /// About 55 MB with 18,000 subscribers, if every bound is reached.
    fn default() -> Self {
        Self {
            in_flight: 8_192,
            recent: 64,
            finished: 65_536,
            parked: 262_144,
        }
    }
}
