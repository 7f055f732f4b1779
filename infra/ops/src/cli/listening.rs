//! What every socket listens to, on the command line.

use clap::Args;
use fanout_core::topic::Topic;

use crate::deployment::Listening;

/// The options that say what every socket listens to.
#[derive(Clone, Debug, Args)]
pub(super) struct ListeningArgs {
    /// What every socket listens to besides, separated by commas: needed where a
    /// connection must name a topic (`TOPICS_REQUIRED`)
    #[arg(long, value_name = "TOPICS", value_delimiter = ',')]
    topics: Vec<Topic>,
    /// The query parameter that names topics (`TOPICS_PARAMETER`)
    #[arg(long, value_name = "NAME", default_value = "topics")]
    topics_parameter: String,
}

impl From<ListeningArgs> for Listening {
    fn from(args: ListeningArgs) -> Self {
        Self {
            parameter: args.topics_parameter,
            topics: args.topics,
        }
    }
}
