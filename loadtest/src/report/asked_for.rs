//! What was asked for, as it can be shown to others.

use serde::{Deserialize, Serialize};

use crate::{
    address::without_secrets, body::BodyKind, latency::whole_ms, mark::Mark, settings::Settings,
    topics::Topics, units::Rate,
};

/// What was asked for. Secrets are left out: of headers only the names are
/// told, of tokens nothing, and of URLs neither the user nor the values of
/// parameters that look like credentials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AskedFor {
    /// Where subscribers connected.
    pub ws: String,
    /// Where notifications were posted; `None` for a process that listened.
    pub publish: Option<String>,
    /// How many subscribers were to be opened.
    pub subscribers: u32,
    /// How many a second.
    pub ramp_per_second: f64,
    /// How many notifications were to be published.
    pub notifications: u64,
    /// How many a second.
    pub notifications_per_second: f64,
    /// How long publishing was to take, or listening.
    pub lasting_ms: u64,
    /// What was published.
    pub body: Option<BodyKind>,
    /// About how many bytes each publish had.
    pub body_bytes: Option<usize>,
    /// The names of the headers of a publish.
    pub header_names: Vec<String>,
    /// How many topics there were; 0 where everything went to everyone.
    pub topics: usize,
    /// How many subscribers a second were to be reconnected.
    pub churn_per_second: Option<f64>,
    /// How many subscribers were to read slowly.
    pub slow_readers: u32,
    /// Where simulated subscribers were asked for.
    pub simulated: Option<String>,
    /// How long to wait between the last connect and the first publish.
    pub settle_ms: u64,
    /// How long to wait for what is missing.
    pub drain_timeout_ms: u64,
}

impl From<&Settings> for AskedFor {
    fn from(settings: &Settings) -> Self {
        let topics = settings.handshake.topics.as_ref();
        let example = || {
            let topic = topics.map(|topics| topics.name(0));
            settings.body.of(&Mark::EXAMPLE, topic)
        };
        let publish = settings.publish.as_ref();
        Self {
            ws: without_secrets(&settings.ws),
            publish: publish.map(without_secrets),
            subscribers: settings.subscribers,
            ramp_per_second: settings.ramp.as_per_second(),
            notifications: settings.schedule.sends(),
            notifications_per_second: settings.schedule.rate().as_per_second(),
            lasting_ms: whole_ms(settings.schedule.span()),
            body: publish.map(|_| settings.body.kind()),
            body_bytes: publish.map(|_| example().len()),
            header_names: settings.headers.keys().map(ToString::to_string).collect(),
            topics: topics.map_or(0, Topics::count),
            churn_per_second: settings.churn.map(Rate::as_per_second),
            slow_readers: settings.slow_readers.map_or(0, |slow| slow.count),
            simulated: settings.simulated.as_ref().map(without_secrets),
            settle_ms: whole_ms(settings.settle),
            drain_timeout_ms: whole_ms(settings.drain_timeout),
        }
    }
}
