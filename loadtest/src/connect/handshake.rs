//! What each subscriber says when it connects.

use std::{fmt::Write as _, str::FromStr, sync::Arc};

use http::{
    HeaderMap, HeaderValue, Uri,
    header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL},
};
use tokio_tungstenite::tungstenite::{
    Error as WsError, client::IntoClientRequest, handshake::client::Request,
};

use crate::{subscriber_set::SubscriberIndex, topics::Topics};

/// How every subscriber asks to be connected.
#[derive(Debug, Clone, Default)]
pub struct Handshake {
    /// Headers of every handshake.
    pub headers: HeaderMap,
    /// One topic for each subscriber, named in the query.
    pub topics: Option<Topics>,
    /// The query parameter that names topics; empty for none.
    pub topics_parameter: String,
    /// One after the other, over and over; none if empty.
    pub tokens: Arc<[String]>,
    /// Where a token goes.
    pub token_in: TokenIn,
    /// Text messages sent once the socket is open; `{topic}`, `{token}` and
    /// `{index}` are filled in.
    pub greetings: Vec<String>,
}

/// Where in the handshake a token goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TokenIn {
    /// `?token=TOKEN`
    #[default]
    Query,
    /// `authorization: Bearer TOKEN`
    Header,
    /// `sec-websocket-protocol: bearer, TOKEN`: all that a browser can send.
    Protocol,
}

impl Handshake {
    /// The request of one subscriber to a `ws://` or `wss://` URL.
    ///
    /// # Errors
    /// A token that cannot be written where it should go.
    pub fn request(&self, url: &Uri, subscriber: SubscriberIndex) -> Result<Request, WsError> {
        let token = self.token(subscriber);
        let mut query: Vec<(&str, &str)> = Vec::new();
        if let Some(topics) = &self.topics
            && !self.topics_parameter.is_empty()
        {
            let topic = topics.name(topics.of(subscriber));
            query.push((&self.topics_parameter, topic));
        }
        if let Some(token) = token.filter(|_| self.token_in == TokenIn::Query) {
            query.push(("token", token));
        }
        let mut request = with_query(url, &query)?.into_client_request()?;
        let headers = request.headers_mut();
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        match (token, &self.token_in) {
            (Some(token), TokenIn::Header) => {
                let value = HeaderValue::from_str(&format!("Bearer {token}"));
                headers.insert(AUTHORIZATION, value.map_err(http::Error::from)?);
            }
            (Some(token), TokenIn::Protocol) => {
                let value = HeaderValue::from_str(&format!("bearer, {token}"));
                headers.insert(SEC_WEBSOCKET_PROTOCOL, value.map_err(http::Error::from)?);
            }
            (Some(_), TokenIn::Query) | (None, _) => {}
        }
        Ok(request)
    }

    /// What one subscriber sends once its socket is open.
    pub fn greetings(&self, subscriber: SubscriberIndex) -> impl Iterator<Item = String> {
        let SubscriberIndex(index) = subscriber;
        let topics = self.topics.as_ref();
        let topic = topics.map_or("", |topics| topics.name(topics.of(subscriber)));
        let token = self.token(subscriber).unwrap_or_default();
        self.greetings.iter().map(move |greeting| {
            greeting
                .replace("{topic}", topic)
                .replace("{token}", token)
                .replace("{index}", &index.to_string())
        })
    }

    fn token(&self, SubscriberIndex(index): SubscriberIndex) -> Option<&str> {
        let index = usize::try_from(index).ok()?;
        let turn = index.checked_rem(self.tokens.len())?;
        self.tokens.get(turn).map(String::as_str)
    }
}

fn with_query(url: &Uri, query: &[(&str, &str)]) -> Result<Uri, WsError> {
    let mut url = url.to_string();
    for (name, value) in query {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(&percent_encoded(name));
        url.push('=');
        url.push_str(&percent_encoded(value));
    }
    Uri::from_str(&url).map_err(|error| WsError::from(http::Error::from(error)))
}

/// Everything that RFC 3986 does not leave unreserved, and `:` and `/`, which a
/// query may hold, percent-encoded.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _written = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "ws://h:1/p?x=1";

    fn handshake(token_in: TokenIn) -> Handshake {
        Handshake {
            topics: Some("news,user:7".parse().unwrap()),
            topics_parameter: "topics".to_owned(),
            tokens: ["a b".to_owned(), "c=".to_owned()].into(),
            token_in,
            greetings: vec![r#"{"to":"{topic}","as":"{token}","n":{index}}"#.to_owned()],
            ..Handshake::default()
        }
    }

    fn request(handshake: &Handshake, subscriber: u32) -> Request {
        let url = Uri::from_static(URL);
        let request = handshake.request(&url, SubscriberIndex(subscriber));
        request.unwrap()
    }

    #[test]
    fn topic_and_token_go_into_the_query() {
        assert_eq!(
            request(&handshake(TokenIn::Query), 1).uri(),
            "ws://h:1/p?x=1&topics=user:7&token=c%3D"
        );
        assert_eq!(request(&Handshake::default(), 1).uri(), URL);
    }

    #[test]
    fn token_goes_into_a_header_or_a_subprotocol() {
        let header = request(&handshake(TokenIn::Header), 2);
        assert_eq!(header.headers()[AUTHORIZATION], "Bearer a b");
        let protocol = request(&handshake(TokenIn::Protocol), 1);
        assert_eq!(protocol.headers()[SEC_WEBSOCKET_PROTOCOL], "bearer, c=");
    }

    #[test]
    fn greeting_names_topic_token_and_index() {
        let handshake = handshake(TokenIn::Query);
        let said: Vec<_> = handshake.greetings(SubscriberIndex(1)).collect();
        assert_eq!(said, [r#"{"to":"user:7","as":"c=","n":1}"#]);
    }
}
