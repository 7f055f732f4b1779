//! The canary's configuration.

use std::io;
use std::time::Duration;

use fanout_core::settings::Reader;
use fanout_core::topic::Topic;
use http::Uri;
use jiff::Timestamp;

use super::token::{Signer, Tokens};
use crate::deployment::{Deployment, Listening};

/// As short as the functions accept (RFC 7518, section 3.2).
const MIN_SECRET_BYTES: usize = 32;

/// What the canary's environment says.
///
/// | variable | |
/// |---|---|
/// | `CANARY_WS_URL` | where subscribers connect; required |
/// | `CANARY_PUBLISH_URL` | where publishers POST, without a path; required |
/// | `CANARY_PATIENCE_MS` | how long to wait for each step; 10 s, and at most that: they are several, and the function has a minute |
/// | `CANARY_TOPICS` | the topics to listen to, separated by commas, where a connection must name one; none |
/// | `CANARY_TOPICS_PARAMETER` | the query parameter that names them; `topics` |
/// | `CANARY_TOKEN` | a ready token, where one is asked for |
/// | `TOKEN_SECRET`, `TOKEN_ISSUER`, `TOKEN_AUDIENCE` | in its place, what to sign one with (HS256), as the other functions have them |
/// | `METRICS_NAMESPACE` | where metrics go; without it none are printed |
#[derive(Debug)]
pub struct Settings {
    /// Where subscribers connect.
    pub ws: Uri,
    /// Where publishers POST.
    pub publish: Uri,
    /// How long to wait for each step.
    pub patience: Duration,
    /// What the socket listens to.
    pub listening: Listening,
    /// Where the token comes from.
    pub tokens: Tokens,
    /// Where metrics go.
    pub metrics_namespace: Option<String>,
}

impl Settings {
    /// Reads the settings; what is wrong with them, the reader tells at its end.
    pub fn read(reader: &mut Reader) -> Self {
        let listening = listening(reader);
        Self {
            ws: url(reader, "CANARY_WS_URL", ["ws", "wss"]),
            publish: url(reader, "CANARY_PUBLISH_URL", ["http", "https"]),
            patience: reader.milliseconds("CANARY_PATIENCE_MS", 10_000, 100..=10_000),
            tokens: tokens(reader, &listening.topics),
            listening,
            metrics_namespace: reader.metrics_namespace("METRICS_NAMESPACE"),
        }
    }

    /// The deployment to fly to, with a token that is valid now.
    ///
    /// # Errors
    /// A URL is over TLS, and this system trusts no certificates.
    pub fn deployment(&self, now: Timestamp) -> io::Result<Deployment> {
        let token = self.tokens.token(now);
        let deployment = Deployment::new(self.ws.clone(), &self.publish, token, self.patience)?;
        Ok(deployment.listening(self.listening.clone()))
    }
}

fn listening(reader: &mut Reader) -> Listening {
    let mut listening = Listening::default();
    if let Some(parameter) = reader.optional_text("CANARY_TOPICS_PARAMETER") {
        listening.parameter = parameter;
    }
    let Some(names) = reader.optional_text("CANARY_TOPICS") else {
        return listening;
    };
    for name in names.split(',') {
        match name.trim().parse::<Topic>() {
            Ok(topic) => listening.topics.push(topic),
            Err(error) => reader.require(false, || format!("CANARY_TOPICS: {error}")),
        }
    }
    listening
}

fn url(reader: &mut Reader, name: &str, schemes: [&str; 2]) -> Uri {
    let text = reader.text(name);
    let url: Uri = text.parse().unwrap_or_default();
    let is_url = url
        .scheme_str()
        .is_some_and(|scheme| schemes.contains(&scheme));
    // One that is not set has been told of.
    reader.require(text.is_empty() || is_url, || {
        let [plain, secure] = schemes;
        format!("{name}: expected a URL that begins with {plain}:// or {secure}://, got {text:?}")
    });
    url
}

fn tokens(reader: &mut Reader, topics: &[Topic]) -> Tokens {
    let ready = reader.optional_text("CANARY_TOKEN");
    let secret = reader.optional_text("TOKEN_SECRET");
    match (ready, secret) {
        (Some(token), _) => Tokens::Ready(token.into()),
        (None, None) => Tokens::None,
        (None, Some(secret)) => {
            reader.require(secret.len() >= MIN_SECRET_BYTES, || {
                format!("TOKEN_SECRET: expected at least {MIN_SECRET_BYTES} bytes")
            });
            Tokens::Signed(Signer {
                secret,
                issuer: reader.text("TOKEN_ISSUER"),
                audience: reader.text("TOKEN_AUDIENCE"),
                topics: topics.to_vec(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use fanout_core::settings::Need;
    use serde_json::{Value, json};

    use super::*;

    const URLS: [(&str, &str); 2] = [
        ("CANARY_WS_URL", "wss://h/prod"),
        ("CANARY_PUBLISH_URL", "https://h"),
    ];

    fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut reader = Reader::new(variables.iter().map(own).collect());
        let settings = Settings::read(&mut reader);
        reader.finish(settings).map_err(|error| error.to_string())
    }

    #[test]
    fn the_committed_environment_is_what_the_canary_reads() {
        let modes = [("CANARY_TOKEN", "t"), ("TOKEN_SECRET", "s")];
        let mut read = BTreeMap::new();
        for (name, value) in modes {
            let mode = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            let mut reader = Reader::new(mode);
            let _settings = Settings::read(&mut reader);
            read.extend(reader.asked().clone());
        }
        // Needed to sign a token alone.
        read.insert("TOKEN_AUDIENCE".to_owned(), Need::Optional);
        read.insert("TOKEN_ISSUER".to_owned(), Need::Optional);
        let of_need = |need| {
            let names = read.iter().filter(|(_, own)| **own == need);
            names.map(|(name, _)| name.as_str()).collect::<Vec<_>>()
        };
        let committed = include_str!("../../../../functions/api/environment.json");
        let committed: Value = serde_json::from_str(committed).unwrap();
        assert_eq!(
            committed["canary"]["required"],
            json!(of_need(Need::Required))
        );
        assert_eq!(
            committed["canary"]["optional"],
            json!(of_need(Need::Optional))
        );
    }

    #[test]
    fn two_urls_are_enough() {
        let settings = read(&URLS).unwrap();
        assert_eq!(settings.tokens, Tokens::None);
        assert_eq!(settings.patience, Duration::from_secs(10));
    }

    #[test]
    fn a_token_is_ready_or_signed() {
        let signed = [
            ("TOKEN_SECRET", "0123456789abcdef0123456789abcdef"),
            ("TOKEN_ISSUER", "i"),
            ("TOKEN_AUDIENCE", "a"),
        ];
        let settings = read(&[&URLS[..], &signed].concat()).unwrap();
        assert!(matches!(settings.tokens, Tokens::Signed(_)));
        let ready = [("CANARY_TOKEN", "t")];
        let settings = read(&[&URLS[..], &signed, &ready].concat()).unwrap();
        assert_eq!(settings.tokens, Tokens::Ready("t".to_owned().into()));
    }

    #[test]
    fn topics_are_listened_to_and_allowed_by_the_token() {
        let topics = [
            ("CANARY_TOPICS", "canary, shop:1"),
            ("CANARY_TOPICS_PARAMETER", "t"),
            ("TOKEN_SECRET", "0123456789abcdef0123456789abcdef"),
            ("TOKEN_ISSUER", "i"),
            ("TOKEN_AUDIENCE", "a"),
        ];
        let settings = read(&[&URLS[..], &topics].concat()).unwrap();
        assert_eq!(settings.listening.parameter, "t");
        let names: Vec<_> = settings
            .listening
            .topics
            .iter()
            .map(Topic::as_str)
            .collect();
        assert_eq!(names, ["canary", "shop:1"]);
        let Tokens::Signed(signer) = settings.tokens else {
            panic!("{:?}", settings.tokens);
        };
        assert_eq!(signer.topics, settings.listening.topics);
        let error = read(&[&URLS[..], &[("CANARY_TOPICS", "a b")]].concat()).unwrap_err();
        assert!(error.contains("CANARY_TOPICS: a topic's name"), "{error}");
    }

    #[test]
    fn what_the_function_cannot_do_is_refused() {
        let slow = read(&[&URLS[..], &[("CANARY_PATIENCE_MS", "10001")]].concat()).unwrap_err();
        assert!(slow.contains("from 100 to 10000"), "{slow}");
        let theirs = [("METRICS_NAMESPACE", "AWS/Lambda")];
        let theirs = read(&[&URLS[..], &theirs].concat()).unwrap_err();
        assert!(theirs.contains("METRICS_NAMESPACE: expected"), "{theirs}");
    }

    #[test]
    fn everything_that_is_wrong_is_told_together() {
        let error = read(&[("CANARY_WS_URL", "https://h"), ("TOKEN_SECRET", "short")]).unwrap_err();
        assert_eq!(
            error,
            "invalid configuration: CANARY_WS_URL: expected a URL that begins with ws:// or \
             wss://, got \"https://h\"; CANARY_PUBLISH_URL: not set; TOKEN_SECRET: expected at \
             least 32 bytes; TOKEN_ISSUER: not set; TOKEN_AUDIENCE: not set"
        );
    }
}
