//! The page at `/`: a publisher and a subscriber in a browser, in one file that
//! loads nothing else.
//!
//! The page is told where the socket is when the stack starts. A browser may
//! have come by another name than the stack knows itself by, such as
//! `localhost`, a forwarded port or another machine's name for this one: where
//! both addresses are the same host's, the page opens its socket at the host
//! that it was itself loaded from, and with `wss` if that was by `https`. What
//! cannot be guessed, such as a port that was forwarded to another, is typed
//! into the page's address field.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fanout_local_gateway::StaticRoute;
use sha2::{Digest as _, Sha256};

use super::Addresses;

const PAGE: &str = include_str!("page.html");

/// Where the page's policy has the hashes of its own script and style: nothing
/// else is run, whatever a notification holds.
const SCRIPT_HASH: &str = "{{script-hash}}";
const STYLE_HASH: &str = "{{style-hash}}";
const SOCKET: &str = "{{socket}}";
const SAME_HOST: &str = "{{same-host}}";
const TOPICS_PARAMETER: &str = "{{topics-parameter}}";
const EVENT_SOURCE: &str = "{{event-source}}";

/// What the page must know of how the functions are set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings<'a> {
    /// The query parameter in which `$connect` looks for topics.
    pub(super) topics_parameter: &'a str,
    /// The source of the events whose ids are those of their ledgers.
    pub(super) event_source: &'a str,
}

/// Makes the route of the page.
pub(super) fn route(addresses: &Addresses, settings: Settings<'_>) -> StaticRoute {
    StaticRoute {
        path: "/".to_owned(),
        content_type: "text/html; charset=utf-8".to_owned(),
        body: render(addresses, settings).into(),
    }
}

fn render(addresses: &Addresses, settings: Settings<'_>) -> String {
    let Addresses {
        http, ws, stage, ..
    } = addresses;
    let same_host = is_same_host(*http, *ws).to_string();
    PAGE.replace(SCRIPT_HASH, &hash(element("<script>", "</script>")))
        .replace(STYLE_HASH, &hash(element("<style>", "</style>")))
        .replace(SAME_HOST, &same_host)
        .replace(SOCKET, &escape(&format!("ws://{ws}/{stage}")))
        .replace(TOPICS_PARAMETER, &escape(settings.topics_parameter))
        .replace(EVENT_SOURCE, &escape(settings.event_source))
}

/// Whether who reaches the page reaches the socket by the same host name.
fn is_same_host(http: SocketAddr, ws: SocketAddr) -> bool {
    ws.ip().is_unspecified() || ws.ip() == http.ip()
}

/// The text of the page's one element between these tags.
fn element(open: &str, close: &str) -> &'static str {
    let after = PAGE.split_once(open).map_or("", |(_, after)| after);
    after.split_once(close).map_or("", |(text, _)| text)
}

/// Names a text in a policy: <https://www.w3.org/TR/CSP3/#grammardef-hash-source>.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

/// Escapes a text for an attribute's value in double quotes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        // What is put in holds no placeholder either.
        .replace('{', "&#123;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(http: &str, ws: &str, stage: &str) -> Addresses {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Addresses {
            http: http.parse().unwrap(),
            ws: ws.parse().unwrap(),
            dynamodb: any,
            sqs: any,
            stage: stage.to_owned(),
        }
    }

    fn rendered(stage: &str, topics_parameter: &str) -> String {
        let addresses = addresses("127.0.0.1:3000", "127.0.0.1:3001", stage);
        let settings = Settings {
            topics_parameter,
            event_source: "/shop",
        };
        render(&addresses, settings)
    }

    #[test]
    fn every_placeholder_is_replaced() {
        for placeholder in [
            SCRIPT_HASH,
            STYLE_HASH,
            SOCKET,
            SAME_HOST,
            TOPICS_PARAMETER,
            EVENT_SOURCE,
        ] {
            assert_eq!(PAGE.matches(placeholder).count(), 1, "{placeholder}");
        }
        let page = rendered("prod", "stocks");
        assert!(page.contains(r#" data-socket="ws://127.0.0.1:3001/prod""#));
        assert!(page.contains(r#" data-same-host="true""#));
        assert!(page.contains(r#" data-topics-parameter="stocks""#));
        assert!(page.contains(r#" data-event-source="/shop""#));
        assert!(!page.contains("{{"));
    }

    #[test]
    fn what_is_put_in_stays_inside_its_attribute() {
        let page = rendered(r#""><script>"#, r#"a&"b'{{socket}}"#);
        assert!(page.contains(r#""ws://127.0.0.1:3001/&quot;&gt;&lt;script&gt;""#));
        assert!(page.contains(r#""a&amp;&quot;b'&#123;&#123;socket}}""#));
    }

    #[test]
    fn the_policy_names_the_script_and_the_style() {
        let page = rendered("prod", "topics");
        for (open, close, directive) in [
            ("<script>", "</script>", "script-src"),
            ("<style>", "</style>", "style-src"),
        ] {
            assert_eq!(page.matches(open).count(), 1, "{open}");
            let text = element(open, close);
            assert!(!text.is_empty() && page.contains(text), "{open}");
            let source = format!("{directive} '{}';", hash(text));
            assert!(page.contains(&source), "{source}");
        }
        assert_eq!(
            hash(""),
            "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        );
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        for attribute in ["src=", "srcset=", "href=", "action=", "poster=", "@import"] {
            for (at, _) in PAGE.match_indices(attribute) {
                let value = &PAGE[at + attribute.len()..];
                assert!(value.starts_with("\"data:"), "{attribute}{value:.40}");
            }
        }
        for reference in ["http://", "https://", "url(", "=\"//", "style=\""] {
            assert!(!PAGE.contains(reference), "{reference}");
        }
    }

    #[test]
    fn the_page_follows_its_host_only_where_the_socket_does() {
        for (http, ws, expected) in [
            ("127.0.0.1:3000", "127.0.0.1:3001", true),
            ("0.0.0.0:3000", "0.0.0.0:3001", true),
            ("192.0.2.1:3000", "0.0.0.0:3001", true),
            ("127.0.0.1:3000", "[::]:3001", true),
            ("127.0.0.1:3000", "192.0.2.1:3001", false),
            ("0.0.0.0:3000", "127.0.0.1:3001", false),
            ("[::1]:3000", "127.0.0.1:3001", false),
        ] {
            let Addresses { http, ws, .. } = addresses(http, ws, "prod");
            assert_eq!(is_same_host(http, ws), expected, "{http} {ws}");
        }
    }
}
