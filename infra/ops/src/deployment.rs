//! A deployment as its users see it: two URLs, and perhaps a token.

use std::time::Duration;
use std::{fmt, io};

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

/// Where subscribers connect and publishers POST.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The publishers' API.
    pub api: Api,
    ws: Uri,
    connector: Connector,
    token: Option<Token>,
    patience: Duration,
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
        })
    }

    /// The token that subscribers and publishers show.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_ref().map(Token::as_str)
    }

    /// Opens a socket that listens to topics, with the token in the query.
    ///
    /// # Errors
    /// [`SocketError`]: no connection, or a refusal.
    pub async fn open(&self, topics: &[&str]) -> Result<Socket, SocketError> {
        let topics = (!topics.is_empty()).then(|| ("topics", topics.join(",")));
        let token = self.token().map(|token| ("token", token.to_owned()));
        self.open_with(&Handshake {
            query: topics.into_iter().chain(token).collect(),
            subprotocols: None,
        })
        .await
    }

    /// Opens a socket by a handshake of one's own, without a token but what is
    /// in it.
    ///
    /// # Errors
    /// [`SocketError`]: no connection, or a refusal.
    pub async fn open_with(&self, handshake: &Handshake) -> Result<Socket, SocketError> {
        Socket::open(&self.connector, &self.ws, handshake, self.patience).await
    }
}
