//! A deployment as its users see it: two URLs, and perhaps a token.

use std::collections::BTreeSet;
use std::time::Duration;
use std::{fmt, io};

use fanout_core::topic::Topic;
use http::Uri;

use crate::api::Api;
use crate::connector::{Connector, connector};
use crate::socket::{Handshake, Socket, SocketError};

/// A token, which is shown to the deployment alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Returns it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Token {
    fn from(token: String) -> Self {
        Self(token)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What every socket listens to, and how topics are named in a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// The query parameter, as `TOPICS_PARAMETER` of the deployment says.
    pub parameter: String,
    /// The topics: at least one where the deployment has `TOPICS_REQUIRED`.
    pub topics: Vec<Topic>,
}

impl Default for Listening {
    /// To what is for everyone alone, with the parameter's usual name.
    fn default() -> Self {
        Self {
            parameter: "topics".to_owned(),
            topics: Vec::new(),
        }
    }
}

/// What a handshake shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Opening<'a> {
    /// The topics to listen to, beside those of every socket.
    pub topics: &'a [&'a str],
    /// The token in the query.
    pub token: Option<&'a str>,
    /// The subprotocols that are offered.
    pub subprotocols: Option<&'a str>,
}

/// Where subscribers connect and publishers POST.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The publishers' API.
    pub api: Api,
    ws: Uri,
    connector: Connector,
    token: Option<Token>,
    patience: Duration,
    listening: Listening,
}

impl Deployment {
    /// Names a deployment: where subscribers connect (`ws` or `wss`), where
    /// publishers POST (`http` or `https`, the paths are appended), the token of
    /// both where one is asked for, and how long to wait for whatever should
    /// happen.
    ///
    /// # Errors
    /// A URL is over TLS, and this system trusts no certificates.
    pub fn new(
        ws: Uri,
        publish: &Uri,
        token: Option<Token>,
        patience: Duration,
    ) -> io::Result<Self> {
        let connector = connector(&[&ws, publish])?;
        Ok(Self {
            api: Api::new(connector.clone(), publish, token.clone(), patience),
            ws,
            connector,
            token,
            patience,
            listening: Listening::default(),
        })
    }

    /// Says what every socket listens to.
    #[must_use]
    pub fn listening(self, listening: Listening) -> Self {
        Self { listening, ..self }
    }

    /// How long to wait for whatever should happen.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        self.patience
    }

    /// The token that subscribers and publishers show.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_ref().map(Token::as_str)
    }

    /// What a socket listens to that was opened with these topics, in the order
    /// in which it is told.
    #[must_use]
    pub fn listened<'a>(&'a self, topics: &[&'a str]) -> BTreeSet<&'a str> {
        let of_all = self.listening.topics.iter().map(Topic::as_str);
        of_all.chain(topics.iter().copied()).collect()
    }

    /// Opens a socket that listens to topics, with the token in the query.
    ///
    /// # Errors
    /// [`SocketError`]: no connection, or a refusal.
    pub async fn open(&self, topics: &[&str]) -> Result<Socket, SocketError> {
        self.open_with(Opening {
            topics,
            token: self.token(),
            subprotocols: None,
        })
        .await
    }

    /// Opens a socket by a handshake of one's own, without a token but what is
    /// in it.
    ///
    /// # Errors
    /// [`SocketError`]: no connection, or a refusal.
    pub async fn open_with(&self, opening: Opening<'_>) -> Result<Socket, SocketError> {
        let handshake = self.handshake(opening);
        Socket::open(&self.connector, &self.ws, &handshake, self.patience).await
    }

    fn handshake(&self, opening: Opening<'_>) -> Handshake {
        let topics: Vec<_> = self.listened(opening.topics).into_iter().collect();
        let parameter = self.listening.parameter.clone();
        let topics = (!topics.is_empty()).then(|| (parameter, topics.join(",")));
        let token = opening.token;
        let token = token.map(|token| ("token".to_owned(), token.to_owned()));
        Handshake {
            query: topics.into_iter().chain(token).collect(),
            subprotocols: opening.subprotocols.map(ToOwned::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_handshake_names_the_topics_of_all_and_its_own() {
        let publish = Uri::from_static("http://h");
        let ws = Uri::from_static("ws://h/p");
        let deployment = Deployment::new(ws, &publish, None, Duration::from_secs(1)).unwrap();
        let query = |deployment: &Deployment, topics| {
            let opening = Opening {
                topics,
                token: Some("t"),
                subprotocols: None,
            };
            deployment.handshake(opening).query
        };
        let token = ("token".to_owned(), "t".to_owned());
        assert_eq!(query(&deployment, &[]), std::slice::from_ref(&token));
        let topics = vec!["m".parse().unwrap()];
        let deployment = deployment.listening(Listening {
            parameter: "listen".to_owned(),
            topics,
        });
        let named = |topics: &str| ("listen".to_owned(), topics.to_owned());
        assert_eq!(query(&deployment, &[]), [named("m"), token.clone()]);
        assert_eq!(
            query(&deployment, &["z", "m", "a"]),
            [named("a,m,z"), token]
        );
    }
}
