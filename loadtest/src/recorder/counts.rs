//! Everything that is counted.

use serde::{Deserialize, Serialize};

macro_rules! counts {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// Everything that is counted.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Counts {
            $($(#[$doc])+ pub $name: u64,)+
        }

        impl Counts {
            /// Adds what another process counted.
            pub const fn add(&mut self, other: &Self) {
                $(self.$name = self.$name.saturating_add(other.$name);)+
            }
        }
    };
}

counts! {
    /// Subscribers that were open at some time.
    connected,
    /// Attempts to connect that were refused and made again.
    connect_retries,
    /// Subscribers that could not connect.
    connect_failures,
    /// Sockets that closed although nobody here closed them.
    unexpected_closes,
    /// Sockets that were closed here and opened again, as asked for.
    reconnects,
    /// Notifications that left.
    sent,
    /// Notifications whose publish was accepted.
    accepted,
    /// Notifications whose publish failed.
    publish_errors,
    /// Notifications whose publish was not answered before the run ended.
    unanswered,
    /// Notifications that left late, by the tool's own fault.
    late_sends,
    /// Deliveries expected: for each accepted notification, the subscribers
    /// that were open when it left and are not excused.
    expected,
    /// Deliveries not expected any more, because the subscriber was
    /// reconnected here before they arrived.
    excused,
    /// Deliveries expected and received, each counted once.
    received,
    /// Deliveries received again.
    duplicates,
    /// Deliveries received that arrived after one of a later notification on
    /// the same socket.
    out_of_order,
    /// Deliveries to subscribers that were not expected to receive them but
    /// may: they connected after the send, or are excused.
    extra,
    /// Deliveries to subscribers of another topic.
    misdirected,
    /// Frames that are not notifications.
    other_frames,
    /// Notifications that no publish of this run can be shown to have caused.
    unattributed,
    /// Notifications dropped from memory with subscribers still missing.
    given_up,
}

impl Counts {
    /// Deliveries expected and not received.
    #[must_use]
    pub const fn missing(&self) -> u64 {
        self.expected.saturating_sub(self.received)
    }

    /// The part of the expected deliveries that was received, in hundredths of
    /// a percent and rounded down, so that only all of them is 100 %. `None`
    /// if nothing was expected.
    #[must_use]
    pub fn reach_basis_points(&self) -> Option<u64> {
        let received = u128::from(self.received) * 10_000;
        let reach = received.checked_div(u128::from(self.expected))?;
        u64::try_from(reach).ok()
    }
}
