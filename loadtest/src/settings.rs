//! What a run is asked to do.

use std::{net::IpAddr, num::NonZeroU64, time::Duration};

use http::{HeaderMap, Uri};

use crate::{
    body::Body, connect::handshake::Handshake, identity::Identity, mark::RunId, schedule::Schedule,
    slow_readers::SlowReaders, tls::Trust, units::Rate,
};

/// One run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where subscribers connect: `ws://HOST[:PORT]/PATH`, or `wss://`.
    pub ws: Uri,
    /// Where notifications are posted: `http://HOST[:PORT]/PATH`, or
    /// `https://`. `None`: another process of this machine publishes, this one
    /// listens for as long as the schedule lasts.
    pub publish: Option<Uri>,
    /// How many subscribers to open.
    pub subscribers: u32,
    /// How many to open per span of time.
    pub ramp: Rate,
    /// When to publish.
    pub schedule: Schedule,
    /// What to publish.
    pub body: Body,
    /// Headers of every publish, and of the request for the ledger.
    pub headers: HeaderMap,
    /// How long to wait, after the last publish, for what is still missing.
    pub drain_timeout: Duration,
    /// What subscribers say when they connect.
    pub handshake: Handshake,
    /// The addresses that subscribers connect from in turn; what the system
    /// picks if there are none.
    pub sources: Vec<IpAddr>,
    /// Which servers are believed over TLS.
    pub trust: Trust,
    /// How frames are told apart.
    pub identity: Identity,
    /// How many subscribers to reconnect per span of time, while publishing.
    pub churn: Option<Rate>,
    /// Subscribers that read slowly.
    pub slow_readers: Option<SlowReaders>,
    /// How long to wait between the last connect and the first publish.
    pub settle: Duration,
    /// Where the local stack says what its simulated subscribers took.
    pub simulated: Option<Uri>,
    /// The run's id; picked by the publishing process if it is not given.
    pub run: Option<RunId>,
}

impl Settings {
    /// Ten subscribers and ten seconds at one notification a second, or as
    /// long of listening.
    #[must_use]
    pub fn new(ws: Uri, publish: Option<Uri>) -> Self {
        const ONE_A_SECOND: Rate = Rate::per_second(NonZeroU64::MIN);
        /// What API Gateway takes by default.
        const CONNECTS_PER_SECOND: NonZeroU64 = NonZeroU64::MIN.saturating_add(499);
        Self {
            ws,
            publish,
            subscribers: 10,
            ramp: Rate::per_second(CONNECTS_PER_SECOND),
            schedule: Schedule::counting(ONE_A_SECOND, 10),
            body: Body::book_order(),
            headers: HeaderMap::new(),
            drain_timeout: Duration::from_secs(10),
            handshake: Handshake::default(),
            sources: Vec::new(),
            trust: Trust::System,
            identity: Identity::Event,
            churn: None,
            slow_readers: None,
            settle: Duration::ZERO,
            simulated: None,
            run: None,
        }
    }
}
