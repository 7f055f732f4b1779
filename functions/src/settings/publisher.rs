//! Settings of the function behind the HTTP API.

use std::collections::BTreeMap;

use fanout_core::aws::dynamodb;
use fanout_core::queue::Lane;
use fanout_core::settings::{InvalidConfiguration, Reader};
use http::Uri;

use super::token::Publishers;
use super::{event_source, management_endpoint, max_frame_bytes, notifications_queue, store};
use crate::publish::Origins;

/// Settings of `publish`.
#[derive(Clone, Debug)]
pub struct Publish {
    /// The tables.
    pub store: dynamodb::Settings,
    /// `NOTIFICATIONS_QUEUE_URL`.
    pub queues: BTreeMap<Lane, String>,
    /// `EVENT_SOURCE`: the `source` of every `CloudEvent`.
    pub event_source: String,
    /// `MAX_FRAME_BYTES`.
    pub max_frame_bytes: usize,
    /// `MANAGEMENT_ENDPOINT`: the stage whose `@connections` are looked at.
    pub management_endpoint: String,
    /// `PUBLISHER_AUTH`.
    pub publishers: Publishers,
    /// `CORS_ORIGINS`: which pages may call from other origins.
    pub origins: Option<Origins>,
}

impl Publish {
    /// Reads the settings.
    pub fn read(mut read: Reader) -> Result<Self, InvalidConfiguration> {
        let settings = Self {
            store: store(&mut read),
            queues: notifications_queue(&mut read),
            event_source: event_source(&mut read),
            max_frame_bytes: max_frame_bytes(&mut read),
            management_endpoint: management_endpoint(&mut read),
            publishers: Publishers::read(&mut read),
            origins: origins(&mut read),
        };
        read.finish(settings)
    }
}

fn origins(read: &mut Reader) -> Option<Origins> {
    let text = read.optional_text("CORS_ORIGINS")?;
    if text == "*" {
        return Some(Origins::Any);
    }
    let origins: Vec<_> = text.split(',').map(str::trim).collect();
    let wrong = origins.iter().find(|origin| !is_origin(origin));
    read.require(wrong.is_none(), || {
        let wrong = wrong.unwrap_or(&"");
        format!(
            "CORS_ORIGINS: expected * or origins such as https://shop.example, \
             separated by commas, got {wrong:?}"
        )
    });
    Some(Origins::Only(
        origins.into_iter().map(String::from).collect(),
    ))
}

/// Whether a text is what a browser sends as `Origin`: a scheme, a host and
/// perhaps a port, and nothing behind them.
fn is_origin(text: &str) -> bool {
    let has_scheme = text.starts_with("https://") || text.starts_with("http://");
    let parsed = text.parse::<Uri>();
    has_scheme
        && !text.ends_with('/')
        && parsed.is_ok_and(|uri| uri.path() == "/" && uri.query().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(origins: &str) -> Result<Option<Origins>, String> {
        let variable = ("CORS_ORIGINS".to_owned(), origins.to_owned());
        let mut read = Reader::new(BTreeMap::from([variable]));
        let origins = super::origins(&mut read);
        read.finish(origins).map_err(|error| error.to_string())
    }

    #[test]
    fn origins_are_any_or_listed() {
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("*"), Ok(Some(Origins::Any)));
        let listed = ["http://localhost:8080", "https://shop.example"].map(String::from);
        assert_eq!(
            read("https://shop.example, http://localhost:8080"),
            Ok(Some(Origins::Only(listed.into())))
        );
    }

    #[test]
    fn what_no_browser_sends_is_no_origin() {
        for wrong in [
            "shop.example",
            "https://shop.example/",
            "https://a.b/c",
            "https://a,",
        ] {
            let problem = read(wrong).unwrap_err();
            assert!(
                problem.contains("expected * or origins"),
                "{wrong}: {problem}"
            );
        }
    }
}
