//! Settings of the function behind the HTTP API.

use std::net::Ipv6Addr;

use fanout_core::aws::dynamodb;
use fanout_core::settings::Reader;

use super::token::Publishers;
use super::{Publishing, management_endpoint, store};
use crate::publish::Origins;

/// Settings of `publish`.
#[derive(Clone, Debug)]
pub struct Publish {
    /// The tables.
    pub store: dynamodb::Settings,
    /// How notifications are published.
    pub publishing: Publishing,
    /// `MANAGEMENT_ENDPOINT`: the stage whose `@connections` are looked at.
    pub management_endpoint: String,
    /// `PUBLISHER_AUTH`.
    pub publishers: Publishers,
    /// `CORS_ORIGINS`: which pages may call from other origins.
    pub origins: Option<Origins>,
}

impl Publish {
    /// Reads the settings.
    pub fn read(read: &mut Reader) -> Self {
        Self {
            store: store(read),
            publishing: Publishing::read(read),
            management_endpoint: management_endpoint(read),
            publishers: Publishers::read(read),
            origins: origins(read),
        }
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

/// Whether a text is what a browser sends as `Origin`: a scheme, a host in lower
/// case, and a port unless it is the scheme's own
/// (<https://html.spec.whatwg.org/multipage/browsers.html#ascii-serialisation-of-an-origin>).
fn is_origin(text: &str) -> bool {
    let (rest, own_port) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => (rest, 443),
        (_, Some(rest)) => (rest, 80),
        (None, None) => return false,
    };
    // The colons of an IPv6 address stand in brackets.
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    is_host(host) && port.is_none_or(|port| is_port(port, own_port))
}

fn is_host(host: &str) -> bool {
    let inside = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    if let Some(address) = inside {
        let parsed = address.parse::<Ipv6Addr>();
        return parsed.is_ok_and(|parsed| parsed.to_string() == address);
    }
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    !host.is_empty()
        && host
            .bytes()
            .all(|byte| is_allowed(byte) || b".-_".contains(&byte))
}

fn is_port(port: &str, own_port: u16) -> bool {
    let parsed = port.parse::<u16>();
    // As it is written out: without a sign or leading zeros.
    parsed.is_ok_and(|parsed| parsed != own_port && parsed.to_string() == port)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

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
        for listed in [
            "http://shop.example:443",
            "https://[::1]:8443",
            "http://[::1]",
        ] {
            let only = Origins::Only([listed.to_owned()].into());
            assert_eq!(read(listed), Ok(Some(only)));
        }
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
            "https://*.shop.example",
            "https://me@shop.example",
            "https://shop.example#a",
            "https://shop.example?a",
            "https://Shop.example",
            "HTTPS://shop.example",
            "https://shop.example:443",
            "http://shop.example:80",
            "https://shop.example:",
            "https://shop.example:080",
            "https://shop.example:65536",
            "https://",
            "https://[::1",
            "https://[0::1]",
            "null",
        ] {
            let problem = read(wrong).unwrap_err();
            assert!(
                problem.contains("expected * or origins"),
                "{wrong}: {problem}"
            );
        }
    }
}
