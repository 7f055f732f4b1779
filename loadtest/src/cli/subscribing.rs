//! Who subscribes, from where, and how.

use std::{fs, net::IpAddr, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use http::{HeaderName, HeaderValue, Uri};

use super::{ArgsError, collected, parse_header, parse_http_url};
use crate::{
    connect::handshake::{Handshake, TokenIn},
    slow_readers::SlowReaders,
    topics::Topics,
    units::{Rate, parse_duration},
};

/// Who subscribes, from where, and how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Subscribers")]
pub(super) struct SubscribingArgs {
    /// An address to connect from, such as 127.0.0.2; repeatable, they take turns. Each has about
    /// 28,000 ports
    #[arg(long = "source-ip", value_name = "IP")]
    pub(super) sources: Vec<IpAddr>,

    /// How many subscribers to reconnect, such as 50/s, while publishing
    #[arg(long, value_name = "RATE")]
    pub(super) churn: Option<Rate>,

    /// How many of the subscribers read slowly; they are counted, but not timed
    #[arg(long, value_name = "N", default_value_t = 0)]
    slow_readers: u32,

    /// How long a slow reader waits after each frame
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    slow_pause: Duration,

    /// Each subscriber listens to one topic, and each notification goes to one: 100 (of equal
    /// share), 100:zipf, or news=70,sport=30
    #[arg(long, value_name = "TOPICS")]
    topics: Option<Topics>,

    /// The query parameter that names the topic; empty for none
    #[arg(long, value_name = "NAME", default_value = "topics")]
    topics_parameter: String,

    /// A token to connect with; repeatable, they take turns
    #[arg(long = "token", value_name = "TOKEN")]
    tokens: Vec<String>,

    /// A file with a token on each line
    #[arg(long, value_name = "FILE", conflicts_with = "tokens")]
    token_file: Option<PathBuf>,

    /// Where the token goes
    #[arg(long, value_name = "PLACE", default_value = "query")]
    token_in: TokenPlace,

    /// A header of every WebSocket handshake; repeatable
    #[arg(long = "ws-header", value_name = "NAME: VALUE", value_parser = parse_header)]
    ws_headers: Vec<(HeaderName, HeaderValue)>,

    /// A message to send once connected, with {topic}, {token} and {index} filled in; repeatable
    #[arg(long = "on-open", value_name = "TEXT")]
    greetings: Vec<String>,

    /// Also count and time what the local stack's simulated subscribers take, by what it says here
    #[arg(long, value_name = "http://HOST:PORT/_local/simulated", value_parser = parse_http_url,
        conflicts_with_all = ["listen_only", "topics"])]
    pub(super) simulated: Option<Uri>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TokenPlace {
    /// ?token=TOKEN
    Query,
    /// authorization: Bearer TOKEN
    Header,
    /// sec-websocket-protocol: bearer, TOKEN
    Protocol,
}

impl SubscribingArgs {
    pub(super) fn slow_readers(&self, among: u32) -> Option<SlowReaders> {
        (self.slow_readers > 0).then_some(SlowReaders {
            count: self.slow_readers.min(among),
            among,
            pause: self.slow_pause,
        })
    }

    pub(super) fn handshake(self) -> Result<Handshake, ArgsError> {
        let tokens = match self.token_file {
            Some(path) => match fs::read_to_string(&path) {
                Ok(lines) => lines
                    .lines()
                    .map(str::trim)
                    .filter(|line| !line.is_empty())
                    .map(ToOwned::to_owned)
                    .collect(),
                Err(source) => return Err(ArgsError::File { path, source }),
            },
            None => self.tokens,
        };
        Ok(Handshake {
            headers: collected(&self.ws_headers),
            topics: self.topics,
            topics_parameter: self.topics_parameter,
            tokens: tokens.into(),
            token_in: match self.token_in {
                TokenPlace::Query => TokenIn::Query,
                TokenPlace::Header => TokenIn::Header,
                TokenPlace::Protocol => TokenIn::Protocol,
            },
            greetings: self.greetings,
        })
    }
}
