//! Who subscribers and publishers must be, and how that is verified.

use fanout_core::settings::Reader;
use http::Uri;
use jiff::SignedDuration;
use tracing::warn;

use crate::token::{Algorithm, Key, KeySet, KeySource, Rules, Settings};

const MAX_LEEWAY_SECONDS: i64 = 300;

/// `SUBSCRIBER_AUTH`: who may open a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscribers {
    /// `jwt`: whoever has a valid token.
    Jwt,
    /// `off`: anyone.
    Anyone,
}

/// `PUBLISHER_AUTH`: who may call the HTTP API.
#[derive(Clone, Debug)]
pub enum Publishers {
    /// `jwt`: whoever has a valid token with the scope to publish.
    Jwt(Box<Settings>),
    /// `iam`: whoever API Gateway let in by a signature.
    Iam,
    /// `off`: anyone.
    Anyone,
}

impl Subscribers {
    /// Reads the setting.
    pub fn read(read: &mut Reader) -> Self {
        let known = [("jwt", Self::Jwt), ("off", Self::Anyone)];
        read.one_of("SUBSCRIBER_AUTH", &known, Self::Jwt)
    }

    /// Warns if it is switched off: for the start of a function.
    pub fn warn_if_off(self) {
        if self == Self::Anyone {
            warn!("SUBSCRIBER_AUTH is off: anybody may listen to everything");
        }
    }
}

impl Publishers {
    /// Reads the setting, and with `jwt` those of tokens.
    pub fn read(read: &mut Reader) -> Self {
        let known = [("jwt", Some(true)), ("iam", Some(false)), ("off", None)];
        match read.one_of("PUBLISHER_AUTH", &known, None) {
            Some(true) => Self::Jwt(Box::new(token(read))),
            Some(false) => Self::Iam,
            None => Self::Anyone,
        }
    }

    /// Warns if it is switched off: for the start of a function.
    pub fn warn_if_off(&self) {
        if matches!(self, Self::Anyone) {
            warn!("PUBLISHER_AUTH is off: anybody may publish");
        }
    }
}

/// Reads how tokens are verified: the settings that begin with `TOKEN_`.
pub(super) fn token(read: &mut Reader) -> Settings {
    let algorithms = [Algorithm::Hs256, Algorithm::Rs256, Algorithm::Es256];
    let algorithms = algorithms.map(|algorithm| (algorithm.name(), algorithm));
    let algorithm = read.one_of("TOKEN_ALGORITHM", &algorithms, Algorithm::Hs256);
    let leeway = read.number("TOKEN_LEEWAY_SECONDS", 30, 0..=MAX_LEEWAY_SECONDS);
    let mut name = |variable, default: &str| {
        let name = read.optional_text(variable);
        name.unwrap_or_else(|| default.to_owned())
    };
    let org_claim = name("TOKEN_ORG_CLAIM", "org");
    let topics_claim = name("TOKEN_TOPICS_CLAIM", "topics");
    Settings {
        algorithm,
        keys: keys(read, algorithm),
        rules: Rules {
            issuer: read.text("TOKEN_ISSUER"),
            audience: read.text("TOKEN_AUDIENCE"),
            leeway: SignedDuration::from_secs(leeway),
            org_claim,
            topics_claim,
        },
    }
}

fn keys(read: &mut Reader, algorithm: Algorithm) -> KeySource {
    let keys = match algorithm {
        Algorithm::Hs256 => secret(read),
        Algorithm::Rs256 | Algorithm::Es256 => public_keys(read, algorithm),
    };
    // Where there are none, that is a problem, and these are never used.
    keys.unwrap_or_else(|problem| {
        read.require(problem.is_empty(), || problem);
        KeySource::Url(Uri::default())
    })
}

/// Reads a secret; an empty problem has been noted already.
fn secret(read: &mut Reader) -> Result<KeySource, String> {
    let secret = read.text("TOKEN_SECRET");
    if secret.is_empty() {
        return Err(String::new());
    }
    let key = Key::of_secret(&secret).map_err(|error| format!("TOKEN_SECRET: {error}"))?;
    Ok(KeySource::Secret(key))
}

fn public_keys(read: &mut Reader, algorithm: Algorithm) -> Result<KeySource, String> {
    let url = read.optional_text("TOKEN_JWKS_URL");
    let document = read.optional_text("TOKEN_JWKS");
    match (url, document) {
        (Some(url), None) => key_url(&url).map(KeySource::Url).ok_or_else(|| {
            format!("TOKEN_JWKS_URL: expected an https URL (http for loopback alone), got {url:?}")
        }),
        (None, Some(document)) => KeySet::read(document.as_bytes(), algorithm)
            .map(KeySource::Document)
            .map_err(|error| format!("TOKEN_JWKS: {error}")),
        (None, None) | (Some(_), Some(_)) => {
            let name = algorithm.name();
            Err(format!(
                "TOKEN_JWKS_URL, TOKEN_JWKS: {name} needs one of them"
            ))
        }
    }
}

/// Reads a URL to fetch keys from. Whoever can answer in the issuer's place
/// can make tokens: nothing is fetched in the clear but from this machine.
fn key_url(text: &str) -> Option<Uri> {
    let url: Uri = text.parse().ok()?;
    let host = url.host()?;
    let is_loopback = host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    match url.scheme_str() {
        Some("https") => Some(url),
        Some("http") if is_loopback => Some(url),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use fanout_core::settings::InvalidConfiguration;

    use super::*;

    const SECRET: &str = "a secret of at least 32 characters";
    const BASE: [(&str, &str); 2] = [("TOKEN_ISSUER", "i"), ("TOKEN_AUDIENCE", "a")];

    fn reader(variables: &[(&str, &str)]) -> Reader {
        let variables = variables.iter().chain(&BASE);
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Reader::new(variables.map(own).collect())
    }

    fn read(variables: &[(&str, &str)]) -> Result<Settings, InvalidConfiguration> {
        let mut reader = reader(variables);
        let settings = token(&mut reader);
        reader.finish(settings)
    }

    #[test]
    fn a_secret_is_enough_and_is_not_shown() {
        let settings = read(&[("TOKEN_ALGORITHM", "HS256"), ("TOKEN_SECRET", SECRET)]).unwrap();
        assert_eq!(settings.rules.leeway, SignedDuration::from_secs(30));
        assert_eq!(settings.rules.org_claim, "org");
        assert_eq!(settings.rules.topics_claim, "topics");
        let bytes = format!("{:?}", SECRET.as_bytes());
        let shown = format!("{settings:?}");
        assert!(
            !shown.contains(SECRET) && !shown.contains(&bytes),
            "{shown}"
        );
    }

    #[test]
    fn keys_come_over_tls_or_from_this_machine() {
        for (url, is_accepted) in [
            ("https://issuer.example/jwks.json", true),
            ("http://127.0.0.1:1/jwks.json", true),
            ("http://localhost/", true),
            ("http://[::1]:8/", true),
            ("http://issuer.example/", false),
            ("http://127.0.0.1.example/", false),
            ("http://localhost.example/", false),
            ("ftp://localhost/", false),
            ("/jwks.json", false),
            ("issuer.example", false),
        ] {
            let settings = read(&[("TOKEN_ALGORITHM", "RS256"), ("TOKEN_JWKS_URL", url)]);
            assert_eq!(settings.is_ok(), is_accepted, "{url}");
        }
    }

    #[test]
    fn every_problem_is_told() {
        let key_of_another_kind = r#"{"keys": [{"kty": "EC", "crv": "P-521"}]}"#;
        for (variables, problem) in [
            (vec![], "TOKEN_ALGORITHM: not set; TOKEN_SECRET: not set"),
            (
                vec![("TOKEN_ALGORITHM", "none"), ("TOKEN_SECRET", SECRET)],
                "TOKEN_ALGORITHM: expected one of HS256, RS256, ES256, got \"none\"",
            ),
            (
                vec![("TOKEN_ALGORITHM", "HS256"), ("TOKEN_SECRET", "short")],
                "TOKEN_SECRET: expected a secret of at least 32 bytes, got 5",
            ),
            (
                vec![("TOKEN_ALGORITHM", "ES256")],
                "TOKEN_JWKS_URL, TOKEN_JWKS: ES256 needs one of them",
            ),
            (
                vec![
                    ("TOKEN_ALGORITHM", "RS256"),
                    ("TOKEN_JWKS", "{}"),
                    ("TOKEN_JWKS_URL", "https://a/"),
                ],
                "TOKEN_JWKS_URL, TOKEN_JWKS: RS256 needs one of them",
            ),
            (
                vec![
                    ("TOKEN_ALGORITHM", "ES256"),
                    ("TOKEN_JWKS", key_of_another_kind),
                ],
                "TOKEN_JWKS: expected a JSON Web Key Set with a key for ES256",
            ),
            (
                vec![("TOKEN_ALGORITHM", "ES256"), ("TOKEN_JWKS", "[]")],
                "TOKEN_JWKS: expected a JSON Web Key Set: ",
            ),
        ] {
            let got = read(&variables).unwrap_err().to_string();
            assert!(got.contains(problem), "{got}");
        }
    }

    #[test]
    fn whether_somebody_is_asked_must_be_said() {
        for (value, expected) in [("jwt", Subscribers::Jwt), ("off", Subscribers::Anyone)] {
            let mut reader = reader(&[("SUBSCRIBER_AUTH", value)]);
            assert_eq!(Subscribers::read(&mut reader), expected);
            assert!(reader.finish(()).is_ok());
        }
        let mut reader = reader(&[("PUBLISHER_AUTH", "iam")]);
        Subscribers::read(&mut reader);
        assert!(matches!(Publishers::read(&mut reader), Publishers::Iam));
        let problem = reader.finish(()).unwrap_err().to_string();
        assert_eq!(problem, "invalid configuration: SUBSCRIBER_AUTH: not set");
    }
}
